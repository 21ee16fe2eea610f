//! What the state looks like inside a block, and what changed.

use super::{block_by_hash, raw::required};
use crate::{
    Backend, MethodSet, RpcError,
    error::LIMIT_EXCEEDED,
    methods::Number,
    replay::{Limits, Replay, ReplayError, parent_snapshot, recovered, replayed},
};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::B256Map};
use braid_runtime::{Outputs, oracle};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most slots in one answer.
const MOST_SLOTS: usize = 10_000;
/// Slots from zero on whose numbers are told beside their hashes: the variables of most contracts.
const NAMED_SLOTS: u64 = 1024;
/// Most blocks whose changed accounts are collected.
const MOST_BLOCKS: u64 = 1000;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "debug_intermediateRoots(hash: Hash, options?: Object) -> Hash[]",
        "State root after each transaction of a block.",
        |backend, (hash, _): (B256, Option<Value>)| {
            let block = block_by_hash(backend, hash)?;
            if block.number() == 0 {
                return Err(ReplayError::Genesis.into());
            }
            replayed(|| Ok(backend.chain().roots_between_transactions(&block)?))
        },
    );
    methods.slow(
        "debug_storageRangeAt(block: BlockId, transactionIndex: Quantity, address: Address, start: Bytes, count: Quantity) -> StorageRange",
        "Slots of an account before a transaction of a block, in the order of the hashes of their numbers, from a hash on. The number of a slot is \
         told where it is known: for the first 1,024 slots, and for those that were used in the block.",
        |backend, (id, index, address, start, count): (BlockId, Number, Address, Bytes, Number)| {
            let count = count.0.saturating_to::<usize>().min(MOST_SLOTS);
            storage_range(backend, id, index.0.saturating_to(), address, &start, count)
        },
    );
    methods.slow(
        "debug_getModifiedAccountsByNumber(start: BlockTag, end?: BlockTag) -> Address[]",
        "Accounts that a block changed; with two blocks, those that the blocks after the first up to the second changed.",
        |backend, (start, end): (BlockId, Option<BlockId>)| modified(backend, start, end),
    );
    methods.slow(
        "debug_getModifiedAccountsByHash(start: Hash, end?: Hash) -> Address[]",
        "The same for blocks named by their hashes.",
        |backend, (start, end): (B256, Option<B256>)| modified(backend, start.into(), end.map(BlockId::from)),
    );
}

/// Part of the storage of an account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StorageRange {
    /// By the hash of the slot number.
    storage: BTreeMap<B256, Slot>,
    /// The hash from which to go on; `None` at the end.
    next_key: Option<B256>,
}

#[derive(Debug, Serialize)]
struct Slot {
    /// The slot number, if it is known.
    key: Option<B256>,
    value: B256,
}

fn storage_range(
    backend: &Backend,
    id: BlockId,
    index: usize,
    address: Address,
    start: &[u8],
    count: usize,
) -> Result<StorageRange, RpcError> {
    let block = required(backend, id)?;
    if index > block.transactions().len() {
        let (hash, most) = (block.hash(), block.transactions().len());
        return Err(RpcError::server(format!(
            "transaction index {index} out of range for block {hash}, which has {most}"
        )));
    }
    if start.len() > 32 {
        return Err(RpcError::invalid_params("the start is longer than a hash"));
    }
    let start = B256::right_padding_from(start);
    replayed(|| {
        let limits = Limits::new(backend.options().call_timeout);
        let mut replay = Replay::at(backend.chain(), &block, index, limits)?;
        let parent = parent_snapshot(backend.chain(), &block)?;
        let mut names: B256Map<U256> = (0..NAMED_SLOTS).map(U256::from).map(|slot| (hashed(slot), slot)).collect();
        // What the transactions before changed or read lies above the state of the parent.
        let mut above = BTreeMap::new();
        let mut is_all_known = false;
        if let Some(cached) = replay.state_mut().cache.accounts.get(&address) {
            is_all_known = cached.status.is_storage_known();
            for (slot, value) in cached.account.iter().flat_map(|account| &account.storage) {
                names.insert(hashed(*slot), *slot);
                above.insert(hashed(*slot), *value);
            }
        }
        let mut found: BTreeMap<B256, U256> = BTreeMap::new();
        if !is_all_known {
            // One more for the next key, and as many as may have been emptied above.
            let most = count.saturating_add(above.len()).saturating_add(1);
            found.extend(parent.slots_from(address, start, most)?);
        }
        found.extend(above.into_iter().filter(|(hash, _)| *hash >= start));
        let mut slots = found.into_iter().filter(|(_, value)| !value.is_zero());
        let named = |(hash, value): (B256, U256)| {
            (hash, Slot { key: names.get(&hash).map(|slot| (*slot).into()), value: value.into() })
        };
        let storage = slots.by_ref().take(count).map(named).collect();
        Ok(StorageRange { storage, next_key: slots.next().map(|(hash, _)| hash) })
    })
}

fn hashed(slot: U256) -> B256 {
    keccak256(slot.to_be_bytes::<32>())
}

fn modified(backend: &Backend, start: BlockId, end: Option<BlockId>) -> Result<Vec<Address>, RpcError> {
    let start = required(backend, start)?;
    let (first, last) = match end {
        None => (start.number(), start.number()),
        Some(end) => (start.number() + 1, required(backend, end)?.number()),
    };
    if first > last {
        let message = format!("start block height ({}) must be less than end block height ({last})", start.number());
        return Err(RpcError::server(message));
    }
    if last - first >= MOST_BLOCKS {
        return Err(RpcError::new(LIMIT_EXCEEDED, format!("the most is {MOST_BLOCKS} blocks")));
    }
    let limits = Limits::new(backend.options().call_timeout);
    let chain = backend.chain();
    let mut accounts = BTreeSet::new();
    for number in first..=last {
        let block = match number == start.number() {
            true => std::sync::Arc::clone(&start),
            false => chain.block_by_number(number)?.ok_or_else(|| RpcError::server("block not found"))?,
        };
        let diff = replayed(|| {
            limits.check()?;
            if number == 0 {
                return Err(ReplayError::Genesis);
            }
            let parent = chain.state(&block.header().parent_hash)?;
            Ok(oracle::execute_serial(&parent, &recovered(chain, &block)?, chain.spec(), Outputs::default())?.diff)
        })?;
        accounts.extend(diff.accounts.iter().map(|account| account.address));
        accounts.extend(diff.slots.iter().map(|slot| slot.address));
    }
    Ok(accounts.into_iter().collect())
}
