//! One side of a comparison: anything that executes a block and ends with receipts and the merged state change.

use crate::{digest::Digest, workload::Case};
use braid_runtime::{BlockError, Receipt, StateDiff, predict::PredictorError};
use revm::database::BundleState;
use std::time::Duration;

/// Why a side could not execute a block.
#[derive(Debug, thiserror::Error)]
pub enum SideError {
    /// A transaction of the block is invalid.
    #[error("transaction {index} is invalid: {source}")]
    Transaction {
        /// Position in the block.
        index: usize,
        /// What revm says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A transaction asks for more gas than the block has left.
    #[error("transaction {index} has a gas limit of {limit}, but the block has {left} left")]
    BlockGas {
        /// Position in the block.
        index: usize,
        /// Gas limit of the transaction.
        limit: u64,
        /// Gas that the block has left.
        left: u64,
    },
    /// A system call, a withdrawal or a reward could not be applied.
    #[error("the block's own state changes failed: {0}")]
    System(#[from] alloy_evm::block::BlockExecutionError),
    /// What was learned cannot be read again.
    #[error("the saved predictor cannot be read: {0}")]
    Predictor(#[from] PredictorError),
    /// The engine refused the block.
    #[error("the engine failed: {0}")]
    Engine(#[from] BlockError),
}

/// The merged state change in the form a side natively ends with.
#[derive(Debug)]
pub enum MergedDiff {
    /// revm's bundle.
    Bundle(Box<BundleState>),
    /// Plain difference.
    Plain(StateDiff),
}

/// What a side produced, and how long that took.
#[derive(Debug)]
pub struct Execution {
    /// Wall time until receipts and merged difference were there.
    pub elapsed: Duration,
    /// One receipt per transaction.
    pub receipts: Vec<Receipt>,
    /// Merged state change.
    pub diff: MergedDiff,
}

impl Execution {
    /// What must be equal on all sides.
    pub fn digest(&self) -> Digest {
        Digest::new(&self.receipts, &self.diff)
    }
}

/// One way of executing blocks.
pub trait Side {
    /// Short name for tables and messages.
    fn name(&self) -> String;

    /// Gets ready for a block, the `position`-th of its workload. Neither timed nor counted.
    fn prepare(&mut self, position: usize) -> Result<(), SideError> {
        let _ = position;
        Ok(())
    }

    /// Executes a block, the `position`-th of its workload, on its parent state.
    fn execute(&mut self, position: usize, case: &Case) -> Result<Execution, SideError>;
}
