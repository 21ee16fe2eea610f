//! Blocks from outside, what is checked about them, and the chain they become.
//!
//! * [`chain`]: the tree of blocks above a database, and the one way by which blocks come in.
//! * [`consensus`]: the rules that need no execution.
//! * [`execution_engine`]: the same chain as consensus drives it.
//! * [`payload`]: blocks of our own.
//! * [`pool`]: transactions that wait for a block.
//! * [`files`]: chains in files, to import and to export.
//! * [`genesis`]: the first block of a chain, from a genesis file.
//! * [`bundle`]: one block with all that is needed to execute it again, and the file format for it.
//! * [`layouts`]: bundles out of the folders, JSON files and archives in which others keep blocks.
//! * [`senders`]: who signed the transactions of a block.
//! * [`validation`]: does the outcome of executing a block agree with its header?

pub mod bundle;
pub mod chain;
pub mod consensus;
mod dev_genesis;
mod execution;
pub mod execution_engine;
pub mod files;
pub mod genesis;
pub mod layouts;
pub mod payload;
mod pending;
pub mod pool;
pub mod producer;
#[cfg(test)]
mod samples;
pub mod senders;
pub mod validation;

pub use bundle::{
    Bundle, BundleError, ChainReference, PlainAccount, PlainState, PreState, Snapshot, SnapshotError, Witness,
};
pub use chain::{
    BlockReceipts, Chain, ChainBlock, ChainError, ChainOptions, Inserted, InvalidReason, Novelty, Reorganisation,
    StateView, Timings, TransactionPlace,
};
pub use dev_genesis::{CREATE2_DEPLOYER, DEV_BASE_FEE, DEV_CHAIN_ID, DEV_GAS_LIMIT, DevGenesis};
pub use execution::block_change;
pub use execution_engine::ExecutionEngine;
pub use files::{BlockFile, FileError, PlacedBlock};
pub use genesis::{GenesisError, GenesisFile};
pub use layouts::{LayoutError, NamedBundle, open};
pub use pending::{NextBlock, Pending, PendingBlock, PendingBlocks};
pub use pool::{Origin, PoolError, PoolOptions, PoolTransaction, TransactionPool};
pub use producer::{MAX_TIMESTAMP, MinedBlock, MiningMode, Producer, ProducerOptions, StateEdit};
pub use validation::{Mismatch, Validation, validate};
