//! `engine_getPayloadBodies`: what blocks have beside their headers.

use super::{TOO_LARGE, call};
use crate::{Backend, MethodSet, RpcError};
use alloy_eips::Encodable2718;
use alloy_primitives::{B256, Bytes, U64};
use alloy_rpc_types_engine::{ExecutionPayloadBodyV1, ExecutionPayloadBodyV2};
use braid_chain::ChainBlock;

/// Most bodies that are given at once.
const MAX_BODIES: u64 = 1024;

pub(super) fn register(methods: &mut MethodSet) {
    call(
        methods,
        "engine_getPayloadBodiesByHashV1(blockHashes: Hash[]) -> PayloadBody[]",
        "Bodies of blocks; null for those that are not known.",
        |backend, (hashes,): (Vec<B256>,)| by_hash(backend, &hashes, body_v1),
    );
    call(
        methods,
        "engine_getPayloadBodiesByHashV2(blockHashes: Hash[]) -> PayloadBody[]",
        "Bodies of blocks with their access lists; null for those that are not known.",
        |backend, (hashes,): (Vec<B256>,)| by_hash(backend, &hashes, body_v2),
    );
    call(
        methods,
        "engine_getPayloadBodiesByRangeV1(start: Quantity, count: Quantity) -> PayloadBody[]",
        "Bodies of canonical blocks from a number on.",
        |backend, (start, count): (U64, U64)| by_range(backend, start.to(), count.to(), body_v1),
    );
    call(
        methods,
        "engine_getPayloadBodiesByRangeV2(start: Quantity, count: Quantity) -> PayloadBody[]",
        "Bodies of canonical blocks from a number on, with their access lists.",
        |backend, (start, count): (U64, U64)| by_range(backend, start.to(), count.to(), body_v2),
    );
}

fn by_hash<T>(backend: &Backend, hashes: &[B256], body: fn(&ChainBlock) -> T) -> Result<Vec<Option<T>>, RpcError> {
    if hashes.len() as u64 > MAX_BODIES {
        return Err(too_many());
    }
    let bodies = hashes.iter().map(|hash| Ok(backend.chain().block(hash)?.map(|block| body(&block))));
    bodies.collect()
}

fn by_range<T>(
    backend: &Backend,
    start: u64,
    count: u64,
    body: fn(&ChainBlock) -> T,
) -> Result<Vec<Option<T>>, RpcError> {
    if start == 0 || count == 0 {
        return Err(RpcError::invalid_params("start and count must be 1 at least"));
    }
    if count > MAX_BODIES {
        return Err(too_many());
    }
    let last = backend.chain().head().number.min(start.saturating_add(count - 1));
    let bodies = (start..=last).map(|number| Ok(backend.chain().block_by_number(number)?.map(|block| body(&block))));
    bodies.collect()
}

fn too_many() -> RpcError {
    RpcError::new(TOO_LARGE, format!("Too large request: at most {MAX_BODIES} bodies at once"))
}

fn transactions(block: &ChainBlock) -> Vec<Bytes> {
    block.transactions().iter().map(|transaction| transaction.encoded_2718().into()).collect()
}

fn body_v1(block: &ChainBlock) -> ExecutionPayloadBodyV1 {
    let withdrawals = block.body().withdrawals.clone().map(|list| list.into_inner());
    ExecutionPayloadBodyV1 { transactions: transactions(block), withdrawals }
}

/// Access lists are not stored with blocks.
fn body_v2(block: &ChainBlock) -> ExecutionPayloadBodyV2 {
    let ExecutionPayloadBodyV1 { transactions, withdrawals } = body_v1(block);
    ExecutionPayloadBodyV2 { transactions, withdrawals, block_access_list: None }
}
