//! State storage: Merkle-Patricia roots over plain accounts and over partial (witness) tries.
//!
//! Nothing here knows the EVM. Reads and writes are expressed in the plain types of [`change`]; whoever executes blocks
//! translates its own state change into them.
//!
//! * [`full_root`] builds the root of a state that is completely known.
//! * [`witness`] reads, and computes the root after a change of, a state of which only some trie nodes are known.

mod block;
pub mod change;
mod database;
mod encoding;
mod error;
pub mod full_root;
mod snapshot;
mod state;
pub mod store;
mod trie;
pub mod witness;

pub use block::{Body, Head, Receipt, Transaction};
pub use change::{AccountChange, AccountRecord, BlockChange, SlotChange};
pub use database::{
    ChainIdentity, Database, DatabaseOptions, DatabaseStats, Durability, ExecutedBlock, Genesis, HistoryLimit,
    SCHEMA_VERSION, VerifyReport,
};
pub use encoding::DecodeError;
pub use error::StorageError;
pub use full_root::{state_root, storage_root};
pub use snapshot::{Layer, PastState, Snapshot, StateRootTask, cache::CacheLimits};
pub use state::{
    proof::{AccountProof, SlotProof, StateWitness},
    update::StateUpdate,
};
pub use witness::{Trie, WitnessError, WitnessState};
