//! The blocks of the Ethereum conformance suites, as material: each with the state before it, whether valid or not.
//!
//! What the suites say about the blocks is checked by the tests of the oracle. Here they only have to execute alike.

use crate::memory::MemoryState;
use alloy_eips::eip7840::BlobParams;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rlp::Decodable;
use braid_runtime::{Block, BlockOutcome, ChainSpec, RecoveredBlock};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CaseJson {
    network: String,
    genesis_block_header: GenesisHeader,
    pre: BTreeMap<Address, AccountJson>,
    blocks: Vec<BlockJson>,
    config: Option<ConfigJson>,
}

#[derive(Deserialize)]
struct GenesisHeader {
    hash: B256,
}

#[derive(Deserialize)]
struct AccountJson {
    balance: U256,
    nonce: U64,
    code: Bytes,
    storage: BTreeMap<U256, U256>,
}

#[derive(Deserialize)]
struct BlockJson {
    rlp: Bytes,
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

impl CaseJson {
    /// The fork schedule; `None` for what is not supported (Constantinople before Petersburg).
    fn spec(&self) -> Option<ChainSpec> {
        let mut spec = ChainSpec::from_suite_fork(&self.network).ok()?;
        let schedule = self.config.as_ref().and_then(|config| config.blob_schedule.as_ref());
        for (name, blob) in schedule.into_iter().flatten() {
            let params = BlobParams {
                target_blob_count: blob.target.to(),
                max_blob_count: blob.max.to(),
                update_fraction: blob.base_fee_update_fraction.to(),
                max_blobs_per_tx: blob.max.to(),
                ..BlobParams::cancun()
            };
            spec = spec.with_blob_params(name.parse::<EthereumHardfork>().ok()?, params).ok()?;
        }
        Some(spec)
    }

    fn genesis(&self) -> MemoryState {
        let mut state = MemoryState::default();
        for (address, account) in &self.pre {
            let storage = account.storage.iter().filter(|(_, value)| !value.is_zero()).map(|(k, v)| (*k, *v)).collect();
            state.insert(*address, account.balance, account.nonce.to(), account.code.clone(), storage);
        }
        state.block_hashes.insert(0, self.genesis_block_header.hash);
        state
    }

    fn for_each_block(
        &self,
        spec: &ChainSpec,
        mut visit: impl FnMut(usize, &MemoryState, &RecoveredBlock) -> Option<BlockOutcome>,
    ) {
        let mut states = HashMap::from([(self.genesis_block_header.hash, Arc::new(self.genesis()))]);
        for (index, json) in self.blocks.iter().enumerate() {
            let Ok(block) = Block::decode(&mut json.rlp.as_ref()) else { continue };
            let Some(parent) = states.get(&block.header.parent_hash).cloned() else { continue };
            let Ok(block) = RecoveredBlock::recover(block, spec) else { continue };
            if let Some(outcome) = visit(index, &parent, &block) {
                let mut state = parent.as_ref().clone();
                state.apply(&outcome.diff);
                state.block_hashes.insert(block.header().number, block.hash());
                states.insert(block.hash(), Arc::new(state));
            }
        }
    }
}

/// Path of an archive beside the repository. Prints what is skipped if it is not there.
pub fn archive(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/conformance").join(name);
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

/// One block of a suite.
#[derive(Debug)]
pub struct SuiteBlock<'a> {
    /// Where it stands.
    pub name: String,
    /// State before it.
    pub parent: &'a MemoryState,
    /// The block, which may be invalid.
    pub block: &'a RecoveredBlock,
    /// Its chain.
    pub spec: &'a ChainSpec,
}

/// Visits the blocks of every `stride`-th file of an archive, at most `cases` cases of each file, on all threads of the rayon pool.
///
/// `start` makes what a thread needs, `visit` gives the outcome of the block if it could be executed.
pub fn for_each_block<T>(
    archive: &Path,
    (stride, cases): (usize, usize),
    start: impl Fn() -> T + Sync,
    visit: impl Fn(&mut T, &SuiteBlock<'_>) -> Option<BlockOutcome> + Sync,
) {
    let mut decoder = zstd::Decoder::new(File::open(archive).expect("the archive opens")).expect("it is compressed");
    decoder.window_log_max(27).expect("the window is allowed");
    let mut archive = tar::Archive::new(decoder);
    let files = archive.entries().expect("it is an archive").filter_map(|entry| {
        let mut entry = entry.expect("the archive is complete");
        let path = entry.path().expect("paths are readable").to_string_lossy().into_owned();
        let mut text = String::new();
        path.ends_with(".json").then(|| {
            entry.read_to_string(&mut text).expect("files are text");
            (path, text)
        })
    });
    let mut files = files.step_by(stride).peekable();
    // Reading the archive is serial; a batch bounds how much of it is in memory.
    while files.peek().is_some() {
        let batch = files.by_ref().take(64).collect::<Vec<_>>();
        batch.into_par_iter().for_each_init(&start, |with, (path, text)| {
            let file: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).expect("files are JSON");
            for (name, value) in file.into_iter().take(cases) {
                let Ok(case) = serde_json::from_value::<CaseJson>(value) else { continue };
                let Some(spec) = case.spec() else { continue };
                case.for_each_block(&spec, |index, parent, block| {
                    let name = format!("{path}: {name}: block {index}");
                    visit(with, &SuiteBlock { name, parent, block, spec: &spec })
                });
            }
        });
    }
}
