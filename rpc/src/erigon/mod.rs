//! `erigon_`: headers, blocks by time and logs by block, as Erigon gives them.

#[cfg(test)]
mod tests;

use crate::{
    Backend, MethodSet, RpcError,
    eth::json::{BlockContext, LogJson, Quantity},
    methods::Number,
};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use serde_json::value::{RawValue, to_raw_value};

type Written = Option<Box<RawValue>>;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.alias("erigon_getHeaderByNumber", "eth_getHeaderByNumber");
    methods.alias("erigon_getHeaderByHash", "eth_getHeaderByHash");
    methods.alias("erigon_getBlockReceiptsByBlockHash", "eth_getBlockReceipts");
    methods.quick(
        "erigon_blockNumber(block?: BlockTag) -> Quantity",
        "Number of the block with a tag; of the latest without one.",
        |backend, (tag,): (Option<BlockNumberOrTag>,)| match tag.unwrap_or_default() {
            BlockNumberOrTag::Pending => Ok(Quantity::from(backend.chain().head().number + 1)),
            tag => Ok(Quantity::from(backend.required_block(Some(tag.into()))?.number())),
        },
    );
    methods.slow(
        "erigon_getBlockByTimestamp(timestamp: Quantity, full?: Boolean) -> Block?",
        "The last block that is not later than a time, in seconds; the first one if all are.",
        |backend, (timestamp, full): (Number, Option<bool>)| {
            by_timestamp(backend, timestamp.saturating_u64(), full.unwrap_or_default())
        },
    );
    methods.slow(
        "erigon_getLogsByHash(hash: Hash) -> Logs[]?",
        "The logs of a block, those of each transaction by themselves.",
        |backend, (hash,): (B256,)| logs(backend, hash),
    );
}

fn by_timestamp(backend: &Backend, timestamp: u64, full: bool) -> Result<Written, RpcError> {
    let chain = backend.chain();
    let (mut low, mut high) = (chain.database().history_from()?, chain.head().number);
    // The block is one of these; timestamps only grow.
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let Some(header) = chain.canonical_header(middle)? else { return Ok(None) };
        if header.timestamp <= timestamp { low = middle } else { high = middle - 1 }
    }
    let Some(block) = chain.block_by_number(low)? else { return Ok(None) };
    backend.write_block(&block, full).map(Some)
}

fn logs(backend: &Backend, hash: B256) -> Result<Written, RpcError> {
    let Some(block) = backend.chain().block(&hash)? else { return Ok(None) };
    let receipts = backend.chain().block_receipts(&block)?;
    let context = BlockContext::of(&block);
    let mut next = 0;
    let by_transaction: Vec<Vec<LogJson<'_>>> = block
        .transactions()
        .iter()
        .zip(receipts.iter())
        .enumerate()
        .map(|(index, (transaction, receipt))| {
            let first = next;
            next += receipt.logs.len();
            let logs = receipt.logs.iter().enumerate();
            logs.map(|(nth, log)| LogJson::new(log, &context, (*transaction.tx_hash(), index), first + nth)).collect()
        })
        .collect();
    to_raw_value(&by_transaction).map(Some).map_err(RpcError::internal)
}
