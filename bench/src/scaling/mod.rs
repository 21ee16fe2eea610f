//! Where the engine stops scaling, and what 100,000 transactions per second would take.
//!
//! [`costs`] clocks the parts of a block in real runs on one and two threads, [`graph`] finds what transactions rely on and what the planner makes of it, and
//! [`simulate`](simulate::simulate) runs the engine's own schedule with them on any number of cores; [`parts`] has what needs no schedule and [`block`] puts a
//! whole block together. [`validate`] runs the real engine for comparison, [`measure`](measure::measure) does all of it for a profile. [`tps`] adds the other layers of a node
//! to execution, and `report` writes what was found.

pub mod block;
pub mod costs;
pub mod graph;
mod layers;
pub mod machine_costs;
pub mod measure;
pub mod parts;
pub mod planning;
mod report;
pub mod simulate;
#[cfg(test)]
mod tests;
pub mod tps;
mod trust;
pub mod validate;

pub use measure::{KnowledgeScaling, Plan, Point, ProfileScaling, measure};
pub use report::{ImportRate, Report, markdown, terminal};

use crate::{side::SideError, workload::WorkloadError};

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ScalingError {
    /// The blocks could not be made.
    #[error(transparent)]
    Workload(Box<WorkloadError>),
    /// A side failed.
    #[error("block {block} cannot be executed: {source}")]
    Side {
        /// Which block.
        block: String,
        /// What it says.
        source: SideError,
    },
    /// Two sides disagree: the one result that must never be.
    #[error("{side} gives another result than serial revm on block {block}")]
    Mismatch {
        /// Which side.
        side: String,
        /// Which block.
        block: String,
    },
    /// The engine did not start.
    #[error("the engine does not start: {0}")]
    Start(String),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] braid_storage::StorageError),
    /// A folder could not be made.
    #[error("no folder for a database: {0}")]
    Folder(#[from] std::io::Error),
}

impl From<WorkloadError> for ScalingError {
    fn from(error: WorkloadError) -> Self {
        Self::Workload(Box::new(error))
    }
}
