//! The blocks that are measured: one file per profile, all seeded.
//!
//! Read [`PROFILES`] as the table of contents. [`build`] makes a [`Workload`] from a profile, a size and a seed; the same three
//! always give the same blocks. Generated workloads have one block, whose parent state was made by running deployments
//! and set-up transactions of the real contracts ([`crate::contracts::Deployer`]).

mod allowances;
mod block_builder;
mod counters;
mod defi;
mod defi_mix;
mod dex;
mod dex_multihop;
mod erc20;
mod lending;
mod lending_market;
mod mainnet;
mod mispredict;
mod profile;
mod sampling;
mod transfers;
mod uniswap;

pub(crate) use block_builder::{BENEFICIARY, ETHER};
pub use block_builder::{BlockBuilder, Call, NUMBER, TIMESTAMP};
pub use defi::DefiContracts;
pub use profile::{PROFILES, Profile, Size};

use crate::{chain::Chain, contracts::ContractError, snapshot::Snapshot};
use braid_runtime::RecoveredBlock;
use std::{path::PathBuf, sync::Arc};

/// One block with the state it is executed on.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the block is called in tables.
    pub name: String,
    /// Parent state.
    pub snapshot: Arc<Snapshot>,
    /// The block with its senders.
    pub block: RecoveredBlock,
    /// Rules it runs under.
    pub chain: Chain,
}

/// The blocks of one profile.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Name of the profile.
    pub name: &'static str,
    /// What was really generated, for the report.
    pub notes: String,
    /// Blocks, each independent of the others.
    pub cases: Vec<Case>,
}

/// Why a workload could not be built.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// No profile has that name.
    #[error("there is no profile named {0:?}; --list shows all of them")]
    Unknown(String),
    /// The given blocks cannot be read.
    #[error("cannot read mainnet blocks: {0}")]
    Blocks(Box<dyn std::error::Error + Send + Sync>),
    /// The mainnet blocks are not there.
    #[error("there are no mainnet blocks at {0}")]
    NoBlocks(PathBuf),
    /// What was generated cannot be executed.
    #[error("the generated block cannot be executed: {0}")]
    Block(Box<dyn std::error::Error + Send + Sync>),
    /// The contracts that the profile deploys could not be had or set up.
    #[error(transparent)]
    Contract(#[from] ContractError),
}

/// Builds the named profile.
pub fn build(profile: &str, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let profile = PROFILES
        .iter()
        .find(|candidate| candidate.name == profile)
        .ok_or_else(|| WorkloadError::Unknown(profile.to_owned()))?;
    (profile.build)(profile, size, seed)
}

/// The workload of one generated block.
fn one_block(profile: &Profile, snapshot: Snapshot, calls: impl IntoIterator<Item = Call>, notes: String) -> Workload {
    let snapshot = Arc::new(snapshot);
    let mut builder = BlockBuilder::new(&snapshot);
    calls.into_iter().for_each(|call| builder.push(call));
    let block = builder.finish();
    generated(profile, snapshot, block, notes)
}

/// The workload of a block that was put together by hand.
fn generated(profile: &Profile, snapshot: Arc<Snapshot>, block: RecoveredBlock, notes: String) -> Workload {
    let case = Case { name: profile.name.to_owned(), snapshot, block, chain: Chain::prague() };
    Workload { name: profile.name, notes, cases: vec![case] }
}
