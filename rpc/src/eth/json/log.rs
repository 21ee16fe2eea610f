//! Logs.

use super::Quantity;
use alloy_primitives::{Address, B256, Bytes, Log};
use braid_chain::ChainBlock;
use serde::Serialize;

/// What the JSON of transactions, receipts and logs says about their block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockContext {
    pub(crate) hash: B256,
    pub(crate) number: u64,
    /// Seconds.
    pub(crate) timestamp: u64,
    /// In wei, from London on.
    pub(crate) base_fee: Option<u64>,
}

impl BlockContext {
    pub(crate) fn of(block: &ChainBlock) -> Self {
        let header = block.header();
        Self {
            hash: block.hash(),
            number: header.number,
            timestamp: header.timestamp,
            base_fee: header.base_fee_per_gas,
        }
    }
}

/// A log and where it was emitted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogJson<'a> {
    address: Address,
    topics: &'a [B256],
    data: &'a Bytes,
    block_number: Quantity,
    transaction_hash: B256,
    transaction_index: Quantity,
    block_hash: B256,
    block_timestamp: Quantity,
    log_index: Quantity,
    removed: bool,
}

impl<'a> LogJson<'a> {
    /// The log with this index in its block, of the transaction with this hash and index.
    pub(crate) fn new(
        log: &'a Log,
        block: &BlockContext,
        (transaction_hash, transaction_index): (B256, usize),
        log_index: usize,
    ) -> Self {
        Self {
            address: log.address,
            topics: log.data.topics(),
            data: &log.data.data,
            block_number: block.number.into(),
            transaction_hash,
            transaction_index: transaction_index.into(),
            block_hash: block.hash,
            block_timestamp: block.timestamp.into(),
            log_index: log_index.into(),
            removed: false,
        }
    }

    /// The same for a log whose block has left the chain.
    pub(crate) const fn removed(mut self) -> Self {
        self.removed = true;
        self
    }
}
