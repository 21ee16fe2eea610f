//! With instant mining a transaction is in a block when its hash comes back.
//!
//! Scripts and tests for development nodes rely on it: they send, and read the state with the next call.

use crate::{
    Backend, RpcError,
    methods::{InBatch, Number},
};
use alloy_primitives::B256;
use braid_chain::MiningMode;
use jsonrpsee::Extensions;
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a receipt is waited for if the client does not say, and at most.
const DEFAULT_WAIT: Duration = Duration::from_secs(20);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The transaction is in the pool, but there was no receipt in time (EIP-7966).
const NO_RECEIPT_YET: i32 = 4;

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

/// Waits for the receipt of a transaction that was sent, as EIP-7966 has it. `moves` is from before it was sent.
pub(super) async fn receipt(
    backend: &Backend,
    hash: B256,
    mut moves: watch::Receiver<()>,
    timeout: Option<Number>,
) -> Result<Box<RawValue>, RpcError> {
    let wait = timeout.map(|timeout| Duration::from_millis(timeout.saturating_u64()));
    // A time that is too long, or none at all, is the node's.
    let wait = wait.filter(|wait| !wait.is_zero()).map_or(DEFAULT_WAIT, |wait| wait.min(LONGEST_WAIT));
    let receipt = async {
        loop {
            moves.mark_unchanged();
            if let Some(receipt) = backend.write_receipt(&hash)? {
                return Ok(receipt);
            }
            if moves.changed().await.is_err() {
                return Err(RpcError::internal("the chain is closed"));
            }
        }
    };
    tokio::time::timeout(wait, receipt).await.unwrap_or_else(|_| {
        let message = format!("The transaction was added to the mempool but wasn't processed in {wait:?}.");
        Err(RpcError::new(NO_RECEIPT_YET, message).with_data(&hash))
    })
}
