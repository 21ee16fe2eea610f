//! Parallel execution of Ethereum blocks, always with the result of serial execution.

pub mod access;
pub mod access_list;
pub mod baseline;
pub mod block;
pub mod block_checks;
pub mod block_hooks;
pub mod bounds;
pub mod bundle_state;
pub mod chain_spec;
pub mod diff;
pub mod engine;
pub mod error;
mod evm;
pub mod explain;
pub mod oracle;
pub mod outcome;
pub mod paths;
pub mod predict;
pub mod senders;
mod state;
#[cfg(test)]
mod test_blocks;
mod watched;

pub use access::AccessKey;

pub use block::{Block, Receipt, RecoverError, RecoveredBlock, Transaction};

pub use chain_spec::{ChainSpec, ChainSpecError};

pub use error::{BlockError, InvalidBlock};

pub use diff::{AccountDiff, AccountState, SlotDiff, StateDiff};

pub use baseline::SerialBaseline;

pub use outcome::{BlockOutcome, Outputs};

pub use engine::{AccessHints, Engine, EngineConfig, Mode, ScheduleReport};
pub use state::SnapshotError;
