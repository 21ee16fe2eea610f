//! The blocks that are measured: one file per profile, all seeded.
//!
//! Read [`PROFILES`] as the table of contents. [`build`] makes a [`Workload`] from a profile, a size and a seed; the same three
//! always give the same blocks. Generated workloads have one block, whose parent state was made by running deployments
//! and set-up transactions of the real contracts ([`crate::contracts::Deployer`]).

mod block_builder;
mod erc20;
mod profile;
mod sampling;
mod transfers;

pub use block_builder::{BlockBuilder, NUMBER, TIMESTAMP};
pub use profile::{PROFILES, Profile, Size};

use crate::{chain::Chain, contracts::ContractError, snapshot::Snapshot};
use braid_runtime::RecoveredBlock;
use std::sync::Arc;

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
