//! Blocks built out of pools with contended contracts: by fees alone, and with what is contended making way.
//!
//! `pools` has what waits, `waiting` offers it to a chain as a transaction pool does, `drain` builds blocks until nothing is left, `measure` looks at
//! these blocks, `report` prints what came of it.

mod drain;
mod measure;
mod pools;
mod report;
mod waiting;

pub use drain::{Built, Drained, POLICIES, Policy, drain};
pub use measure::{BlockLine, PolicyFigures, PoolFigures, Timed, measure};
pub use pools::{POOLS, Pool, PoolKind, PoolSize};
pub use report::{BuildingReport, markdown, terminal};

use crate::{harness::MeasureError, side::SideError, workload::WorkloadError};
use braid_chain::{ChainError, execution_engine::ForkChoiceError};
use braid_runtime::ChainSpecError;
use braid_storage::StorageError;

/// Why building could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BuildingError {
    /// The contracts could not be had or set up.
    #[error(transparent)]
    Workload(Box<WorkloadError>),
    /// A block could not be built.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A block could not be asked for.
    #[error(transparent)]
    ForkChoice(#[from] ForkChoiceError),
    /// The rules of the chain are not known.
    #[error(transparent)]
    Rules(#[from] ChainSpecError),
    /// The database could not be made.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A block could not be executed again.
    #[error(transparent)]
    Side(#[from] SideError),
    /// A comparison failed.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// Something did not come out as it must.
    #[error("{0}")]
    Wrong(String),
}

impl From<WorkloadError> for BuildingError {
    fn from(error: WorkloadError) -> Self {
        Self::Workload(Box::new(error))
    }
}
