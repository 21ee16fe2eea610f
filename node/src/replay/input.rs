//! The blocks to replay: found, read, and made ready to run.

use crate::terminal;
use alloy_primitives::B256;
use braid_chain::{Bundle, NamedBundle, PlainState, PreState, Snapshot};
use braid_runtime::{ChainSpec, RecoveredBlock};
use eyre::bail;
use serde::Serialize;
use std::{env, path::PathBuf};

/// A block that is ready to run.
#[derive(Debug)]
pub(crate) struct ReplayBlock {
    /// Where it came from.
    pub(crate) name: String,
    pub(crate) hash: B256,
    /// Without its pre-state, which is in `snapshot`.
    pub(crate) bundle: Bundle,
    pub(crate) snapshot: Snapshot,
    pub(crate) block: RecoveredBlock,
    pub(crate) spec: ChainSpec,
}

/// A block that cannot be run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Problem {
    /// Where it came from.
    pub(crate) name: String,
    /// Why it cannot be run, in one line.
    pub(crate) reason: String,
}

impl ReplayBlock {
    pub(crate) fn new(named: NamedBundle) -> Result<Self, Problem> {
        let NamedBundle { name, mut bundle } = named;
        let problem = |reason: String| Problem { name: name.clone(), reason };
        let spec = bundle.chain.spec().map_err(|error| problem(error.to_string()))?;
        let block = bundle.recovered_block().map_err(|error| problem(error.to_string()))?;
        let snapshot = bundle.snapshot().map_err(|error| problem(error.to_string()))?;
        // A run may hold many blocks, and the state is the largest part of each.
        bundle.pre_state = PreState::Plain(PlainState::default());
        Ok(Self { hash: block.hash(), name, bundle, snapshot, block, spec })
    }
}

/// Reads the blocks at all paths, one after the other. What is wrong with one is a [`Problem`] in its place.
pub(crate) fn read(paths: &[PathBuf]) -> impl Iterator<Item = Result<ReplayBlock, Problem>> {
    paths.iter().flat_map(|path| {
        let (bundles, problem) = match braid_chain::open(path) {
            Ok(bundles) => (Some(bundles), None),
            Err(error) => (None, Some(error)),
        };
        let results = bundles.into_iter().flatten().chain(problem.map(Err));
        results.map(|result| match result {
            Ok(named) => ReplayBlock::new(named),
            Err(error) => Err(Problem { name: error.path, reason: error.kind.to_string() }),
        })
    })
}

/// The folder of the blocks shipped with Braid: where it was built, else beside the program, else here.
pub(crate) fn shipped() -> eyre::Result<PathBuf> {
    let mut candidates = vec![braid_fixtures::folder()];
    let program = env::current_exe().ok();
    candidates.extend(
        program.iter().flat_map(|program| program.ancestors().skip(1).take(4).map(|above| above.join("fixtures"))),
    );
    candidates.push(PathBuf::from("fixtures"));
    let has_bundles = |folder: &PathBuf| braid_fixtures::bundle_paths(folder).is_ok_and(|bundles| !bundles.is_empty());
    match candidates.iter().find(|folder| has_bundles(folder)) {
        Some(folder) => Ok(folder.clone()),
        None => bail!(
            "no blocks are shipped with this program: none in {}; name the blocks to replay, see braid replay --help",
            candidates.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
        ),
    }
}

impl Problem {
    /// Says it on stderr.
    pub(crate) fn tell(&self) {
        terminal::error(&format!("{}: {}", self.name, self.reason));
    }
}
