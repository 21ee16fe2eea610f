//! A chain of a suite in memory: made from its genesis, and compared with what the suite says in the end.

use super::{
    case::{CaseReport, Verdict, compare},
    options::{CaseMode, SuiteOptions},
    skips,
};
use alloy_primitives::{B256, U256};
use braid_chain::{Chain, ChainOptions};
use braid_fixtures::suites::{
    CaseText, ChainTest,
    state::{SuiteAccount, SuiteState},
};
use braid_runtime::{ChainSpec, EngineConfig};
use braid_storage::{Database, DatabaseOptions, Snapshot};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What came of executing a case, where that does not count.
type Informative = Option<Result<(), String>>;

/// Runs one case about a chain, if its fork is wanted.
pub(super) fn run_case<'a, T: Deserialize<'a>>(
    case: &CaseText<'a>,
    file: &str,
    options: &SuiteOptions,
    chain: impl Fn(&T) -> ChainTest<'_>,
    verdict: impl FnOnce(&T, &ChainSpec) -> (Verdict, Informative),
) -> Option<CaseReport> {
    let name = case.name.clone().into_owned();
    let test = match case.decode::<T>() {
        Ok(test) => test,
        Err(error) => {
            let verdict = Verdict::failed(error);
            return Some(CaseReport { name, fork: String::new(), verdict, informative: None });
        }
    };
    let chain = chain(&test);
    let fork = chain.network.to_owned();
    if !options.fork.is_empty() && !options.fork.contains(&fork) {
        return None;
    }
    let (verdict, informative) = match skips::reason(file, &fork, options.skip_slow) {
        Some(reason) => (Verdict::Skipped(reason), None),
        None => match chain.spec() {
            Ok(spec) => verdict(&test, &spec),
            Err(error) => (Verdict::failed(error), None),
        },
    };
    Some(CaseReport { name, fork, verdict, informative })
}

/// The chain before the first block arrives.
pub(super) fn start(
    test: &ChainTest<'_>,
    spec: &ChainSpec,
    mode: CaseMode,
    options: &SuiteOptions,
) -> Result<Chain, String> {
    let genesis = test.genesis(spec).map_err(|error| error.to_string())?;
    let database =
        Database::in_memory(&genesis, DatabaseOptions::default()).map_err(|error| format!("genesis: {error}"))?;
    let threads = usize::from(options.threads);
    let execution = EngineConfig { mode: mode.engine_mode(), threads, ..EngineConfig::default() };
    let mut options = ChainOptions { execution, ..ChainOptions::default() };
    if mode == CaseMode::Parallel {
        // One way keeps all blocks in memory, the other writes each at once, so that every reorganisation takes stored blocks back.
        (options.blocks_in_memory, options.blocks_per_commit) = (0, 1);
    }
    Chain::new(database, spec.clone(), options).map_err(|error| error.to_string())
}

/// Compares head and state with what the suite says.
pub(super) fn compare_end(chain: &Chain, test: &ChainTest<'_>) -> Result<(), String> {
    let head = chain.head();
    compare("hash of the last block", test.last_block_hash, head.hash)?;
    if let Some(expected) = test.post_state_hash {
        compare("state root at the end", expected, head.state_root)?;
    }
    let Some(expected) = test.post_state else { return Ok(()) };
    let snapshot = chain.snapshot(head.hash).map_err(|error| error.to_string())?;
    // What was there at first may be gone, so that is looked for too; whatever else there is shows in the root.
    let got = read(&snapshot, [test.pre, expected])?;
    if let Some(difference) = expected.difference(&got) {
        return Err(difference.to_string());
    }
    compare("root of the state at the end", expected.root(), head.state_root)
}

/// The accounts and slots that any of the states mentions, as they are.
fn read(snapshot: &Snapshot, mentioned: [&SuiteState; 2]) -> Result<SuiteState, String> {
    let mut state = SuiteState::default();
    for (address, account) in mentioned.iter().flat_map(|state| &state.0) {
        let failed = |error| format!("account {address}: {error}");
        if let Some(known) = state.0.get_mut(address) {
            read_slots(snapshot, *address, account, &mut known.storage).map_err(failed)?;
            continue;
        }
        let Some(record) = snapshot.account(*address).map_err(failed)? else { continue };
        let code = snapshot.code(record.code_hash).map_err(failed)?.original_bytes();
        let mut storage = BTreeMap::new();
        read_slots(snapshot, *address, account, &mut storage).map_err(failed)?;
        state.0.insert(*address, SuiteAccount { record, code, storage });
    }
    Ok(state)
}

fn read_slots(
    snapshot: &Snapshot,
    address: alloy_primitives::Address,
    account: &SuiteAccount,
    storage: &mut BTreeMap<U256, U256>,
) -> Result<(), braid_storage::StorageError> {
    for slot in account.storage.keys() {
        storage.insert(*slot, snapshot.slot(address, *slot)?);
    }
    Ok(())
}

/// What came of a block or payload, seen beside what should have come of it.
pub(super) fn compare_verdict(what: &str, expected: Option<&str>, got: Result<B256, String>) -> Result<(), String> {
    match (expected, got) {
        (None, Ok(_)) | (Some(_), Err(_)) => Ok(()),
        (None, Err(error)) => Err(format!("{what}: expected a valid one, got {error}")),
        (Some(reason), Ok(hash)) => Err(format!("{what} ({hash}): expected to be refused ({reason}), got accepted")),
    }
}
