//! Running one blockchain test of the Ethereum suites through the oracle.

use crate::memory::{MemoryAccount, MemoryState};
use alloy_evm::block::{BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS};
use alloy_primitives::{B256, KECCAK256_EMPTY, U256, map::HashMap};
use alloy_rlp::Decodable;
use braid_fixtures::suites::BlockchainTest;
use braid_runtime::{
    Block, BlockOutcome, ChainSpec, Outputs, RecoveredBlock, StateDiff, bundle_state::normalize, oracle,
    outcome::HeaderMismatch,
};
use std::{collections::BTreeMap, sync::Arc};

/// What became of the blocks of a case.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub valid: usize,
    /// Invalid blocks that execution refused.
    pub refused: usize,
    /// Invalid blocks that only the validation of headers can refuse.
    pub accepted: usize,
    pub lists_hashed: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.valid += other.valid;
        self.refused += other.refused;
        self.accepted += other.accepted;
        self.lists_hashed += other.lists_hashed;
    }
}

/// Runs all blocks of a case. An error tells the first thing that is not as the suite says.
pub(crate) fn run(
    case: &BlockchainTest<'_>,
    check: fn(&MemoryState, &MemoryState, &BlockOutcome),
) -> Result<Tally, String> {
    let chain = case.chain();
    let spec = chain.spec().map_err(|error| error.to_string())?;
    let mut genesis = MemoryState::default();
    for (address, account) in &chain.pre.0 {
        let record = account.record;
        genesis.insert(*address, record.balance, record.nonce, account.code.clone(), account.slots().collect());
    }
    if genesis.root() != chain.genesis.header().state_root {
        return Err("genesis state root".into());
    }
    if let Some(rlp) = &case.genesis_rlp {
        let block = Block::decode(&mut rlp.as_ref()).map_err(|error| format!("genesis: {error}"))?;
        if block.header.hash_slow() != chain.genesis.hash {
            return Err("genesis hash".into());
        }
    }
    genesis.block_hashes.insert(0, chain.genesis.hash);
    let mut states = HashMap::from_iter([(chain.genesis.hash, Arc::new(genesis))]);
    let mut tally = Tally::default();
    for (index, block) in case.blocks.iter().enumerate() {
        let is_valid = block.exception.is_none();
        match import(&block.rlp, &spec, &mut states, check) {
            Ok(lists) if is_valid => {
                tally.valid += 1;
                tally.lists_hashed += lists;
            }
            Ok(_) => tally.accepted += 1,
            Err(Verdict::WrongList(reason)) if is_valid => return Err(format!("block {index}: {reason}")),
            Err(Verdict::WrongList(_)) => tally.refused += 1,
            Err(Verdict::Broken(reason)) => return Err(format!("block {index}: {reason}")),
            Err(Verdict::Invalid(reason)) if is_valid => return Err(format!("block {index} refused: {reason}")),
            Err(Verdict::Invalid(_)) => tally.refused += 1,
        }
    }
    Ok(tally)
}

enum Verdict {
    Invalid(String),
    WrongList(String),
    Broken(String),
}

fn import(
    mut rlp: &[u8],
    spec: &ChainSpec,
    states: &mut HashMap<B256, Arc<MemoryState>>,
    check: fn(&MemoryState, &MemoryState, &BlockOutcome),
) -> Result<usize, Verdict> {
    let invalid = |reason: String| Verdict::Invalid(reason);
    let block = Block::decode(&mut rlp).map_err(|error| invalid(error.to_string()))?;
    let parent = states.get(&block.header.parent_hash).cloned().ok_or_else(|| invalid("unknown parent".into()))?;
    let block = RecoveredBlock::recover(block, spec).map_err(|error| invalid(error.to_string()))?;
    let outcome = oracle::execute_serial(parent.as_ref(), &block, spec, Outputs::ALL).map_err(|error| {
        if error.is_invalid() { invalid(error.to_string()) } else { Verdict::Broken(error.to_string()) }
    })?;
    let header = block.header();
    let outcome = without_builder_requests(outcome);
    let mut state = parent.as_ref().clone();
    state.apply(&outcome.diff);
    let root = state.root();
    match outcome.check_header(header, &spec.at(header)) {
        // Everything else is compared before, so here only the list is wrong.
        Err(mismatch @ HeaderMismatch::AccessListHash { .. }) if root == header.state_root => {
            return Err(Verdict::WrongList(mismatch.to_string()));
        }
        Err(mismatch) => return Err(invalid(mismatch.to_string())),
        Ok(()) if root != header.state_root => {
            return Err(invalid(format!("state root {root}, the header says {}", header.state_root)));
        }
        Ok(()) => {}
    }
    check(&parent, &state, &outcome);
    state.block_hashes.insert(header.number, block.hash());
    states.insert(block.hash(), Arc::new(state));
    Ok(usize::from(header.block_access_list_hash.is_some()))
}

/// The Amsterdam archives are older than EIP-8282: there the queues of builders are not called, so they are not listed.
fn without_builder_requests(mut outcome: BlockOutcome) -> BlockOutcome {
    let queues = [BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS];
    if let Some(list) = &mut outcome.access_list {
        list.retain(|account| !queues.contains(&account.address) || !account.is_empty());
    }
    outcome
}

/// What every outcome must satisfy, whatever the suite says about the block.
pub(crate) fn check_outcome(parent: &MemoryState, state: &MemoryState, outcome: &BlockOutcome) {
    let bundle = outcome.bundle.as_ref().expect("the bundle was asked for");
    assert_eq!(StateDiff::from_bundle(bundle), outcome.diff);
    assert_eq!(outcome.diff.to_bundle(parent).unwrap(), normalize(bundle));
    let list = outcome.access_list.as_ref().expect("the list was asked for");
    assert!(list.is_sorted_by(|a, b| a.address < b.address));
    let empty = MemoryAccount { code_hash: KECCAK256_EMPTY, ..Default::default() };
    let listed = list.iter().map(|account| account.address).collect::<std::collections::HashSet<_>>();
    for address in parent.accounts.keys().chain(state.accounts.keys()).filter(|address| !listed.contains(*address)) {
        assert_eq!(parent.accounts.get(address), state.accounts.get(address), "{address} changed but is not listed");
    }
    for account in list {
        let before = parent.accounts.get(&account.address).unwrap_or(&empty);
        let after = state.accounts.get(&account.address).unwrap_or(&empty);
        let address = account.address;
        let balance = account.balance_changes.last().map_or(before.balance, |change| change.post_balance);
        assert_eq!(balance, after.balance, "balance of {address}");
        let nonce = account.nonce_changes.last().map_or(before.nonce, |change| change.new_nonce);
        assert_eq!(nonce, after.nonce, "nonce of {address}");
        let code = account
            .code_changes
            .last()
            .map_or(before.code_hash, |change| alloy_primitives::keccak256(change.new_code()));
        assert_eq!(code, after.code_hash, "code of {address}");
        let value = |storage: &BTreeMap<U256, U256>, slot| storage.get(&slot).copied().unwrap_or_default();
        for slot in &account.storage_changes {
            let last = slot.changes.last().expect("a changed slot has changes");
            assert_eq!(last.new_value, value(&after.storage, slot.slot), "slot {} of {address}", slot.slot);
            assert!(slot.changes.is_sorted_by(|a, b| a.block_access_index < b.block_access_index));
        }
        for slot in &account.storage_reads {
            assert_eq!(value(&before.storage, *slot), value(&after.storage, *slot), "slot {slot} of {address} changed");
        }
    }
}
