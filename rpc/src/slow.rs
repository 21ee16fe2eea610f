//! A bounded pool for calls that may take long.

use crate::{RpcError, error::LIMIT_EXCEEDED};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Runs slow calls: so many at once, so many more in line. How long one may take is for the call itself to see to.
#[derive(Debug)]
pub(crate) struct SlowCalls {
    running: Semaphore,
    waiting: Semaphore,
}

impl SlowCalls {
    /// `running` calls at once; `waiting` more stand in line, others are refused.
    pub(crate) fn new(running: usize, waiting: usize) -> Arc<Self> {
        let (running, waiting) = (running.max(1), running.max(1) + waiting);
        Arc::new(Self { running: Semaphore::new(running), waiting: Semaphore::new(waiting) })
    }

    /// Runs a call on a thread of its own as soon as it is its turn.
    pub(crate) async fn run<T: Send + 'static>(
        self: Arc<Self>,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, RpcError> {
        let busy = || RpcError::new(LIMIT_EXCEEDED, "too many slow calls are waiting: try again later");
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let _turn = self.running.acquire().await.map_err(RpcError::internal)?;
        tokio::task::spawn_blocking(call).await.map_err(|error| {
            tracing::error!("a call panicked: {error}");
            RpcError::internal("the call failed unexpectedly")
        })
    }
}
