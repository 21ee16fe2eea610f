//! Parallel execution of Ethereum blocks, always with the result of serial execution.

pub mod block;
pub mod chain_spec;
pub mod diff;
pub mod error;
pub mod oracle;
pub mod outcome;
pub mod predict;

pub use block::{Block, Receipt, RecoveredBlock, Transaction};

pub use diff::{AccountDiff, AccountState, SlotDiff, StateDiff};

pub use outcome::{BlockOutcome, Outputs};
