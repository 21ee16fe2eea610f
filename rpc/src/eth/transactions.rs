//! Transactions of blocks and of the pool.

use super::json::{BlockContext, Mined, TransactionJson};
use crate::{Backend, MethodSet, RpcError, methods::Number};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, Encodable2718};
use alloy_primitives::{Address, B256, Bytes};
use braid_chain::ChainBlock;
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "eth_getTransactionByHash(hash: Hash) -> Transaction?",
        "A transaction of a block or of the pool.",
        |backend, (hash,): (B256,)| by_hash(backend, hash),
    );
    let about = "A transaction of a block.";
    methods.reading(
        "eth_getTransactionByBlockNumberAndIndex(block: BlockTag, index: Quantity) -> Transaction?",
        about,
        |(id, _): &(BlockId, Number)| Some(*id),
        |backend, (id, index)| at(backend, id, index),
    );
    methods.quick(
        "eth_getTransactionByBlockHashAndIndex(hash: Hash, index: Quantity) -> Transaction?",
        about,
        |backend, (hash, index): (B256, Number)| at(backend, hash.into(), index),
    );
    let about = "The encoding of a transaction of a block (EIP-2718).";
    methods.reading(
        "eth_getRawTransactionByBlockNumberAndIndex(block: BlockTag, index: Quantity) -> Bytes?",
        about,
        |(id, _): &(BlockId, Number)| Some(*id),
        |backend, (id, index)| raw_at(backend, id, index),
    );
    methods.quick(
        "eth_getRawTransactionByBlockHashAndIndex(hash: Hash, index: Quantity) -> Bytes?",
        about,
        |backend, (hash, index): (B256, Number)| raw_at(backend, hash.into(), index),
    );
    methods.quick(
        "eth_getRawTransactionByHash(hash: Hash) -> Bytes?",
        "The encoding of a transaction of a block or of the pool (EIP-2718).",
        |backend, (hash,): (B256,)| raw_by_hash(backend, hash),
    );
    methods.slow(
        "eth_getTransactionBySenderAndNonce(sender: Address, nonce: Quantity) -> Transaction?",
        "The transaction of a sender with a nonce.",
        |backend, (sender, nonce): (Address, Number)| by_sender_and_nonce(backend, sender, nonce.saturating_u64()),
    );
}

type Written = Option<Box<RawValue>>;

/// A transaction of a block as JSON.
fn written(backend: &Backend, block: &ChainBlock, index: usize) -> Result<Written, RpcError> {
    let senders = backend.chain().block_senders(block)?;
    let (Some(transaction), Some(sender)) = (block.transactions().get(index), senders.get(index)) else {
        return Ok(None);
    };
    let mined = Some(Mined { block: BlockContext::of(block), index });
    to_raw_value(&TransactionJson { transaction, sender: *sender, mined }).map(Some).map_err(RpcError::internal)
}

fn by_hash(backend: &Backend, hash: B256) -> Result<Written, RpcError> {
    match backend.chain().find_transaction(&hash)? {
        Some(place) => written(backend, &place.block, place.index),
        None => backend.pooled(&hash, |json| to_raw_value(json)).transpose().map_err(RpcError::internal),
    }
}

fn located(backend: &Backend, id: BlockId, index: Number) -> Result<Option<(Arc<ChainBlock>, usize)>, RpcError> {
    let index = usize::try_from(index.saturating_u64()).unwrap_or(usize::MAX);
    if id.is_pending() {
        return Ok(backend.pending_block()?.map(|pending| (Arc::clone(pending.block()), index)));
    }
    Ok(backend.block(Some(id))?.map(|block| (block, index)))
}

fn at(backend: &Backend, id: BlockId, index: Number) -> Result<Written, RpcError> {
    let Some((block, index)) = located(backend, id, index)? else { return Ok(None) };
    written(backend, &block, index)
}

fn raw_at(backend: &Backend, id: BlockId, index: Number) -> Result<Option<Bytes>, RpcError> {
    let Some((block, index)) = located(backend, id, index)? else { return Ok(None) };
    Ok(block.transactions().get(index).map(|transaction| transaction.encoded_2718().into()))
}

fn raw_by_hash(backend: &Backend, hash: B256) -> Result<Option<Bytes>, RpcError> {
    if let Some(place) = backend.chain().find_transaction(&hash)? {
        return Ok(place.block.transactions().get(place.index).map(|transaction| transaction.encoded_2718().into()));
    }
    Ok(backend.pooled_raw(&hash))
}

/// The block in which the nonce was used is found by bisection of the history of the account.
fn by_sender_and_nonce(backend: &Backend, sender: Address, nonce: u64) -> Result<Written, RpcError> {
    let nonce_at = |number: u64| -> Result<u64, RpcError> {
        let id = Some(BlockId::from(number));
        backend.read_state(id, |state| Ok(state.account(sender)?.map_or(0, |found| found.nonce)))
    };
    let chain = backend.chain();
    let (mut low, mut high) = (chain.database().history_from()?, chain.head().number);
    if nonce_at(high)? <= nonce {
        return backend
            .pooled_with_nonce(sender, nonce, |json| to_raw_value(json))
            .transpose()
            .map_err(RpcError::internal);
    }
    if nonce_at(low)? > nonce {
        return Ok(None);
    }
    // After `low` the nonce was not used yet, after `high` it was.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if nonce_at(middle)? > nonce { high = middle } else { low = middle }
    }
    let Some(block) = chain.block_by_number(high)? else { return Ok(None) };
    let senders = chain.block_senders(&block)?;
    let index = block.transactions().iter().zip(senders).position(|(tx, from)| *from == sender && tx.nonce() == nonce);
    index.map_or(Ok(None), |index| written(backend, &block, index))
}
