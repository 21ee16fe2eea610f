//! `debug_executionWitness`: all of the state that a block needs, with the trie nodes that prove it; and `debug_getRawBlockAccessList`.

use super::{block_by_hash, raw::required};
use crate::{
    Backend, MethodSet, RpcError,
    replay::{ReplayError, parent_snapshot, recovered, replayed},
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_debug::ExecutionWitness;
use braid_chain::{ChainBlock, block_change};
use braid_runtime::{Outputs, oracle};
use parking_lot::Mutex;
use revm::{
    DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "debug_executionWitness(block: BlockTag) -> Witness",
        "What is needed to execute a block and to compute the state root after it without the rest of the state: trie nodes, codes, the addresses \
         and slots that were read, and the headers from the oldest whose hash was asked for to the parent.",
        |backend, (number,): (BlockNumberOrTag,)| {
            let block = required(backend, BlockId::Number(number))?;
            replayed(|| witness(backend, &block))
        },
    );
    methods.slow(
        "debug_executionWitnessByBlockHash(hash: Hash) -> Witness",
        "The same for the block with a hash.",
        |backend, (hash,): (B256,)| {
            let block = block_by_hash(backend, hash)?;
            replayed(|| witness(backend, &block))
        },
    );
    methods.slow(
        "debug_getRawBlockAccessList(block: BlockId) -> Bytes",
        "RLP of the access list of a block (EIP-7928), also of blocks that do not commit to theirs.",
        |backend, (id,): (BlockId,)| {
            let block = required(backend, id)?;
            replayed(|| raw_access_list(backend, &block))
        },
    );
}

fn raw_access_list(backend: &Backend, block: &ChainBlock) -> Result<Bytes, ReplayError> {
    let chain = backend.chain();
    let parent = parent_snapshot(chain, block)?;
    let outputs = Outputs { access_list: true, ..Outputs::default() };
    let outcome = oracle::execute_serial(&parent, &recovered(chain, block)?, chain.spec(), outputs)?;
    Ok(alloy_rlp::encode(outcome.access_list.unwrap_or_default()).into())
}

fn witness(backend: &Backend, block: &ChainBlock) -> Result<ExecutionWitness, ReplayError> {
    let chain = backend.chain();
    let parent = parent_snapshot(chain, block)?;
    let watched = Watched { state: &parent, seen: Mutex::default() };
    let outcome = oracle::execute_serial(&watched, &recovered(chain, block)?, chain.spec(), Outputs::default())?;
    let Seen { accounts, mut codes, oldest } = watched.seen.into_inner();
    let read: Vec<_> = accounts.iter().map(|(address, slots)| (*address, slots.iter().copied().collect())).collect();
    let created = outcome.diff.contracts.iter().map(|(hash, code)| (*hash, code.original_bytes()));
    codes.extend(created);
    let state = parent.witness(&read, &block_change(outcome.diff))?.nodes;
    let keys = accounts.iter().flat_map(|(address, slots)| {
        let slots = slots.iter().map(|slot| Bytes::from(slot.to_be_bytes::<32>()));
        std::iter::once(Bytes::copy_from_slice(address.as_slice())).chain(slots)
    });
    let mut headers = Vec::new();
    let mut hash = block.header().parent_hash;
    let last = block.number().saturating_sub(1);
    for _ in oldest.unwrap_or(last).min(last)..=last {
        let missing = || RpcError::server(format!("header {hash} not found"));
        let header = chain.block(&hash)?.ok_or_else(missing)?;
        headers.push(Bytes::from(alloy_rlp::encode(header.header())));
        hash = header.header().parent_hash;
    }
    headers.reverse();
    Ok(ExecutionWitness { state, codes: codes.into_values().collect(), keys: keys.collect(), headers })
}

/// What was read of a state.
#[derive(Debug, Default)]
struct Seen {
    accounts: BTreeMap<Address, BTreeSet<U256>>,
    codes: BTreeMap<B256, Bytes>,
    /// The lowest number of a block whose hash was read.
    oldest: Option<u64>,
}

/// A state that remembers what was read.
#[derive(Debug)]
struct Watched<'a, S> {
    state: &'a S,
    seen: Mutex<Seen>,
}

impl<S: DatabaseRef> DatabaseRef for Watched<'_, S> {
    type Error = S::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        self.seen.lock().accounts.entry(address).or_default();
        self.state.basic_ref(address)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, S::Error> {
        let code = self.state.code_by_hash_ref(code_hash)?;
        if !code.is_empty() {
            self.seen.lock().codes.insert(code_hash, code.original_bytes());
        }
        Ok(code)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, S::Error> {
        self.seen.lock().accounts.entry(address).or_default().insert(index);
        self.state.storage_ref(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, S::Error> {
        let mut seen = self.seen.lock();
        seen.oldest = Some(seen.oldest.map_or(number, |oldest| oldest.min(number)));
        drop(seen);
        self.state.block_hash_ref(number)
    }
}
