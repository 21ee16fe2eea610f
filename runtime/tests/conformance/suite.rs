//! Blockchain tests of the Ethereum suites: reading the archives, and running one case through the oracle.

use crate::memory::{MemoryAccount, MemoryState};
use alloy_eips::eip7840::BlobParams;
use alloy_evm::block::{BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U64, U256, map::HashMap};
use alloy_rlp::Decodable;
use braid_runtime::{
    Block, BlockOutcome, ChainSpec, Outputs, RecoveredBlock, StateDiff, bundle_state::normalize, oracle,
    outcome::HeaderMismatch,
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Case {
    network: String,
    #[serde(rename = "genesisRLP")]
    genesis_rlp: Option<Bytes>,
    genesis_block_header: GenesisHeader,
    pre: BTreeMap<Address, AccountJson>,
    blocks: Vec<BlockJson>,
    config: Option<ConfigJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GenesisHeader {
    hash: B256,
    state_root: B256,
}

#[derive(Deserialize)]
struct AccountJson {
    balance: U256,
    nonce: U64,
    code: Bytes,
    storage: BTreeMap<U256, U256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockJson {
    rlp: Bytes,
    block_header: Option<serde_json::Value>,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigJson {
    blob_schedule: Option<BTreeMap<String, BlobJson>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlobJson {
    target: U64,
    max: U64,
    base_fee_update_fraction: U64,
}

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

impl Case {
    fn spec(&self) -> Result<ChainSpec, String> {
        let mut spec = ChainSpec::from_suite_fork(&self.network).map_err(|error| error.to_string())?;
        let schedule = self.config.as_ref().and_then(|config| config.blob_schedule.as_ref());
        for (name, blob) in schedule.into_iter().flatten() {
            let fork = name.parse::<EthereumHardfork>().map_err(|error| error.to_string())?;
            let params = BlobParams {
                target_blob_count: blob.target.to(),
                max_blob_count: blob.max.to(),
                update_fraction: blob.base_fee_update_fraction.to(),
                max_blobs_per_tx: blob.max.to(),
                ..BlobParams::cancun()
            };
            spec = spec.with_blob_params(fork, params).map_err(|error| error.to_string())?;
        }
        Ok(spec)
    }

    pub(crate) fn network(&self) -> &str {
        &self.network
    }

    /// Runs all blocks. An error tells the first thing that is not as the suite says.
    pub(crate) fn run(&self, check: fn(&MemoryState, &MemoryState, &BlockOutcome)) -> Result<Tally, String> {
        let spec = self.spec()?;
        let mut genesis = MemoryState::default();
        for (address, account) in &self.pre {
            let storage = account.storage.iter().filter(|(_, value)| !value.is_zero()).map(|(k, v)| (*k, *v)).collect();
            genesis.insert(*address, account.balance, account.nonce.to(), account.code.clone(), storage);
        }
        if genesis.root() != self.genesis_block_header.state_root {
            return Err("genesis state root".into());
        }
        if let Some(rlp) = &self.genesis_rlp {
            let block = Block::decode(&mut rlp.as_ref()).map_err(|error| format!("genesis: {error}"))?;
            if block.header.hash_slow() != self.genesis_block_header.hash {
                return Err("genesis hash".into());
            }
        }
        genesis.block_hashes.insert(0, self.genesis_block_header.hash);
        let mut states = HashMap::from_iter([(self.genesis_block_header.hash, Arc::new(genesis))]);
        let mut tally = Tally::default();
        for (index, json) in self.blocks.iter().enumerate() {
            // The oldest archives do not say what is expected; their invalid blocks have nothing but bytes.
            let is_valid =
                json.block_header.is_some() && !json.other.keys().any(|key| key.starts_with("expectException"));
            match import(&json.rlp, &spec, &mut states, check) {
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
