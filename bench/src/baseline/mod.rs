//! Plain serial revm, tuned as its own users would: what every speed-up is measured against.
//!
//! Both sides run the very same loop ([`block`]): one EVM for the whole block, transactions converted inside the timed
//! part, system calls, withdrawals and rewards where the fork has them. They differ in where the state goes:
//!
//! * [`Bundle`] (a): revm's `State` with bundle update, `merge_transitions` and `take_bundle`, as nodes use it;
//! * [`Map`] (b): flat foldhash maps written in place, kept (with their memory) from block to block, from which the merged
//!   difference is read at the end.
//!
//! The clock stops when receipts and merged difference are there; freeing what the block left behind is outside it on
//! all sides. The quicker of the two on a profile is "the best serial baseline".

mod block;
mod bundle;
mod map;
mod map_state;

pub use bundle::Bundle;
pub use map::Map;

use crate::workload::Case;
use braid_runtime::{Receipt, StateDiff};
use revm::database::BundleState;
use std::time::Duration;

/// Why a baseline could not execute a block.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// A transaction of the block is invalid.
    #[error("transaction {index} is invalid")]
    Transaction {
        /// Position in the block.
        index: usize,
        /// What revm says.
        #[source]
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
    #[error("the block's own state changes failed")]
    System(#[from] alloy_evm::block::BlockExecutionError),
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

/// One way of executing a block serially with plain revm.
pub trait Baseline {
    /// Short name for tables.
    fn name(&self) -> &'static str;

    /// Executes the block on its parent state.
    fn execute(&mut self, case: &Case) -> Result<Execution, BaselineError>;
}

/// Baseline (b) in one call; measure with a kept [`Map`], so that its memory is warm.
pub fn run_b(case: &Case) -> Result<Execution, BaselineError> {
    Map::default().execute(case)
}

/// Baseline (a) in one call.
pub fn run_a(case: &Case) -> Result<Execution, BaselineError> {
    Bundle.execute(case)
}
