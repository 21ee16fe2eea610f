//! With instant mining a transaction is in a block when its hash comes back.
//!
//! Scripts and tests for development nodes rely on it: they send, and read the state with the next call.

use crate::{Backend, methods::InBatch};
use alloy_primitives::B256;
use braid_chain::MiningMode;
use jsonrpsee::Extensions;
use std::{sync::Arc, time::Duration};

/// How long a block is waited for. With a long backlog it may take longer; the client sees then what it would see on any other chain.
const PATIENCE: Duration = Duration::from_secs(2);

/// Waits until a transaction that was sent is in a block, if blocks are made at once and it can be in the next one. In a batch nobody looks before
/// everything is answered, and waiting after each call would put each transaction into a block of its own.
pub(super) async fn wait(backend: &Arc<Backend>, hash: B256, extensions: &Extensions) {
    let is_instant = backend.producer().is_some_and(|producer| producer.mode() == MiningMode::Instant);
    if !is_instant || extensions.get::<InBatch>().is_some() {
        return;
    }
    let mut moves = backend.head_moves();
    let mined = async {
        loop {
            moves.mark_unchanged();
            // It may leave the pool for a block, or for being found out.
            let Some(waiting) = backend.pool().get(&hash) else { return };
            let is_next = backend.pool().next_nonce(waiting.sender()).is_some_and(|next| next > waiting.nonce());
            if !is_next || moves.changed().await.is_err() {
                return;
            }
        }
    };
    // The transaction is in the pool in any case.
    let _ = tokio::time::timeout(PATIENCE, mined).await;
}
