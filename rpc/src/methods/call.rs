//! How a method runs, and what it gives back.

use crate::RpcError;
use futures::future::BoxFuture;
use jsonrpsee::{Extensions, types::Params};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{fmt, sync::Arc};

/// What a call gives back: JSON that is ready to be sent, or an error.
pub(crate) type Reply = Result<Box<RawValue>, RpcError>;

type AtOnce = dyn Fn(&Params<'_>) -> Reply + Send + Sync;
type Attempt = dyn Fn(&Params<'_>) -> Option<Reply> + Send + Sync;
/// A call that answers later. The extensions say who calls.
pub(crate) type Later = dyn Fn(Params<'static>, Extensions) -> BoxFuture<'static, Reply> + Send + Sync;

/// In the extensions of a call that is part of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InBatch;

/// A method, ready to be called.
#[derive(Clone)]
pub(crate) enum Method {
    /// Answers on the thread that calls it.
    Quick(Arc<AtOnce>),
    /// Answers on the thread that calls it if that takes a moment only; if not, like `Waiting`, from the start.
    Brief(Arc<Attempt>, Arc<Later>),
    /// Answers later: it waits for another thread, or for something to happen.
    Waiting(Arc<Later>),
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick(_) => "Quick",
            Self::Brief(..) => "Brief",
            Self::Waiting(_) => "Waiting",
        })
    }
}

/// A result as JSON.
pub(crate) fn reply<R: Serialize>(result: Result<R, RpcError>) -> Reply {
    result.and_then(|value| to_raw_value(&value).map_err(RpcError::internal))
}
