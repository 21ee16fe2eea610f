//! The blocks of the Ethereum conformance suites, as material: each with the state before it, whether valid or not.
//!
//! What the suites say about the blocks is checked by the tests of the oracle. Here they only have to execute alike.

use crate::memory::MemoryState;
use alloy_rlp::Decodable;
use braid_fixtures::suites::{self, BlockchainTest, CaseText, SuiteFile};
use braid_runtime::{Block, BlockOutcome, ChainSpec, RecoveredBlock};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::{
    collections::HashMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

fn for_each_block_of(
    case: &BlockchainTest<'_>,
    spec: &ChainSpec,
    mut visit: impl FnMut(usize, &MemoryState, &RecoveredBlock) -> Option<BlockOutcome>,
) {
    let chain = case.chain();
    let mut genesis = MemoryState::default();
    for (address, account) in &chain.pre.0 {
        let record = account.record;
        genesis.insert(*address, record.balance, record.nonce, account.code.clone(), account.slots().collect());
    }
    genesis.block_hashes.insert(0, chain.genesis.hash);
    let mut states = HashMap::from([(chain.genesis.hash, Arc::new(genesis))]);
    for (index, block) in case.blocks.iter().enumerate() {
        let Ok(block) = Block::decode(&mut block.rlp.as_ref()) else { continue };
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
    let run_all = |batch: &mut Vec<SuiteFile>| {
        std::mem::take(batch).into_par_iter().for_each_init(&start, |with, file| {
            for case in CaseText::all(&file.content).expect("files are JSON").into_iter().take(cases) {
                let Ok(test) = case.decode::<BlockchainTest<'_>>() else { continue };
                // Constantinople before Petersburg is not supported.
                let Ok(spec) = test.chain().spec() else { continue };
                for_each_block_of(&test, &spec, |index, parent, block| {
                    let name = format!("{}: {}: block {index}", file.name, case.name);
                    visit(with, &SuiteBlock { name, parent, block, spec: &spec })
                });
            }
        });
    };
    // Reading the archive is serial; a batch bounds how much of it is in memory.
    let (mut index, mut batch) = (0, Vec::new());
    let visited = suites::visit(archive, &mut |file| {
        if index % stride == 0 {
            batch.push(file);
        }
        index += 1;
        if batch.len() == 64 {
            run_all(&mut batch);
        }
        ControlFlow::Continue(())
    });
    assert!(visited.expect("the archive can be read").is_continue());
    run_all(&mut batch);
}
