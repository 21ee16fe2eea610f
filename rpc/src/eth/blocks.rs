//! Blocks, headers, ommers.

use super::json::{BlockJson, HeaderJson, Quantity};
use crate::{Backend, MethodSet, RpcError};
use alloy_eips::BlockId;
use alloy_primitives::B256;
use braid_chain::ChainBlock;
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;

pub(super) fn register(methods: &mut MethodSet) {
    methods.reading(
        "eth_getBlockByNumber(block: BlockTag, full?: Boolean) -> Block?",
        "A block; with `full`, its transactions too.",
        |(id, _): &(BlockId, Option<bool>)| Some(*id),
        |backend, (id, full)| if id.is_pending() { pending(backend, full) } else { block(backend, id, full) },
    );
    methods.quick(
        "eth_getBlockByHash(hash: Hash, full?: Boolean) -> Block?",
        "A block; with `full`, its transactions too.",
        |backend, (hash, full): (B256, Option<bool>)| block(backend, hash.into(), full),
    );
    methods.reading(
        "eth_getHeaderByNumber(block: BlockTag) -> Header?",
        "A header.",
        |(id,): &(BlockId,)| Some(*id),
        |backend, (id,)| header(backend, id),
    );
    methods.quick("eth_getHeaderByHash(hash: Hash) -> Header?", "A header.", |backend, (hash,): (B256,)| {
        header(backend, hash.into())
    });
    let about = "How many transactions a block has.";
    methods.reading(
        "eth_getBlockTransactionCountByNumber(block: BlockTag) -> Quantity?",
        about,
        |(id,): &(BlockId,)| Some(*id),
        |backend, (id,)| count(backend, id, |block| block.transactions().len()),
    );
    methods.quick("eth_getBlockTransactionCountByHash(hash: Hash) -> Quantity?", about, |backend, (hash,): (B256,)| {
        count(backend, hash.into(), |block| block.transactions().len())
    });
    let about = "How many ommers a block has.";
    methods.quick(
        "eth_getUncleCountByBlockNumber(block: BlockTag) -> Quantity?",
        about,
        |backend, (id,): (BlockId,)| match id.is_pending() {
            true => Ok(Some(Quantity(0))),
            false => count(backend, id, |block| block.body().ommers.len()),
        },
    );
    methods.quick("eth_getUncleCountByBlockHash(hash: Hash) -> Quantity?", about, |backend, (hash,): (B256,)| {
        count(backend, hash.into(), |block| block.body().ommers.len())
    });
    let about = "An ommer of a block.";
    methods.quick(
        "eth_getUncleByBlockNumberAndIndex(block: BlockTag, index: Quantity) -> Block?",
        about,
        |backend, (id, index): (BlockId, crate::methods::Number)| ommer(backend, id, index.saturating_u64()),
    );
    methods.quick(
        "eth_getUncleByBlockHashAndIndex(hash: Hash, index: Quantity) -> Block?",
        about,
        |backend, (hash, index): (B256, crate::methods::Number)| ommer(backend, hash.into(), index.saturating_u64()),
    );
}

type Written = Option<Box<RawValue>>;

/// What borrows from a block is written before the block is gone.
fn written(json: &impl serde::Serialize) -> Result<Written, RpcError> {
    to_raw_value(json).map(Some).map_err(RpcError::internal)
}

impl Backend {
    /// A block as JSON.
    pub(crate) fn write_block(&self, block: &ChainBlock, full: bool) -> Result<Box<RawValue>, RpcError> {
        let senders = if full { Some(self.chain().block_senders(block)?) } else { None };
        to_raw_value(&BlockJson::new(block, senders)).map_err(RpcError::internal)
    }
}

fn block(backend: &Backend, id: BlockId, full: Option<bool>) -> Result<Written, RpcError> {
    let Some(block) = found(backend, id)? else { return Ok(None) };
    backend.write_block(&block, full.unwrap_or_default()).map(Some)
}

/// The block that is not made yet: without a hash. Nothing is executed for one without transactions.
fn pending(backend: &Backend, full: Option<bool>) -> Result<Written, RpcError> {
    let Some(pending) = backend.pending_block()? else {
        return written(&BlockJson::pending(&backend.pending_header()?));
    };
    let block = pending.block();
    let senders = if full.unwrap_or_default() { Some(backend.chain().block_senders(block)?) } else { None };
    written(&BlockJson::new(block, senders).without_hash())
}

/// As geth, `safe` and `finalized` are errors while there is no such block; anything else that is missing is null.
fn found(backend: &Backend, id: BlockId) -> Result<Option<Arc<ChainBlock>>, RpcError> {
    if id.is_safe() || id.is_finalized() {
        return backend.required_block(Some(id)).map(Some);
    }
    backend.block(Some(id))
}

fn header(backend: &Backend, id: BlockId) -> Result<Written, RpcError> {
    if id.is_pending() {
        return match backend.pending_block()? {
            Some(pending) => written(&HeaderJson { hash: None, header: pending.block().header() }),
            None => written(&HeaderJson { hash: None, header: &backend.pending_header()? }),
        };
    }
    let Some(block) = found(backend, id)? else { return Ok(None) };
    written(&HeaderJson { hash: Some(block.hash()), header: block.header() })
}

fn count(backend: &Backend, id: BlockId, count: impl Fn(&ChainBlock) -> usize) -> Result<Option<Quantity>, RpcError> {
    if id.is_pending() {
        let pending = backend.pending_block()?;
        return Ok(Some(pending.map_or(0, |pending| count(pending.block())).into()));
    }
    Ok(found(backend, id)?.map(|block| count(&block).into()))
}

fn ommer(backend: &Backend, id: BlockId, index: u64) -> Result<Written, RpcError> {
    if id.is_pending() {
        return Ok(None);
    }
    let Some(block) = found(backend, id)? else { return Ok(None) };
    let ommer = usize::try_from(index).ok().and_then(|index| block.body().ommers.get(index));
    ommer.map_or(Ok(None), |header| written(&BlockJson::ommer(header)))
}
