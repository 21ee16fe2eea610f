//! Receipts before Byzantium: instead of whether the transaction succeeded they hold the state root after it (EIP-658 changed that).
//!
//! Execution does not keep the states between transactions, so the block is run a second time, serially, with a root after each.

use super::change::block_change;
use crate::ChainError;
use alloy_consensus::{
    EMPTY_ROOT_HASH, Eip658Value, ReceiptEnvelope, ReceiptWithBloom, proofs::calculate_receipt_root,
};
use alloy_primitives::{B256, U256};
use braid_runtime::{ChainSpec, Receipt, RecoveredBlock, oracle};
use braid_storage::{Layer, Snapshot};
use std::sync::Arc;

/// The receipts root of a block before Byzantium.
pub(crate) fn receipts_root(parent: &Snapshot, block: &RecoveredBlock, spec: &ChainSpec) -> Result<B256, ChainError> {
    if block.transactions().is_empty() {
        return Ok(EMPTY_ROOT_HASH);
    }
    let (roots, receipts) = early_roots(parent, block, spec)?;
    let envelopes: Vec<_> = receipts.into_iter().zip(roots).map(|(receipt, root)| envelope(receipt, root)).collect();
    Ok(calculate_receipt_root(&envelopes))
}

/// The state root after each transaction, and the receipts.
pub(crate) fn early_roots(
    parent: &Snapshot,
    block: &RecoveredBlock,
    spec: &ChainSpec,
) -> Result<(Vec<B256>, Vec<Receipt>), ChainError> {
    let mut above = parent.clone();
    let mut roots = Vec::with_capacity(block.transactions().len());
    let receipts = oracle::for_each_transaction(parent, block, spec, |_, diff| {
        let change = block_change(diff);
        let update = above.state_after(&change)?;
        roots.push(update.state_root());
        // To the snapshot each transaction is a block of its own; the made-up hash only has to be different every time.
        let below = above.block();
        let hash = B256::from(U256::from(roots.len()));
        let layer = Layer::new(below.number + 1, hash, below.hash, change, update);
        above = above.with_layer(Arc::new(layer))?;
        Ok::<_, ChainError>(())
    })?;
    Ok((roots, receipts))
}

fn envelope(receipt: Receipt, root: B256) -> ReceiptEnvelope {
    let logs_bloom = alloy_primitives::logs_bloom(&receipt.logs);
    let receipt = alloy_consensus::Receipt {
        status: Eip658Value::PostState(root),
        cumulative_gas_used: receipt.cumulative_gas_used,
        logs: receipt.logs,
    };
    ReceiptEnvelope::Legacy(ReceiptWithBloom { receipt, logs_bloom })
}
