//! A chain on disk: blocks, the state at the head, the state before, and the tries that give its root.
//!
//! Nothing here executes the EVM. Reads go through revm's `DatabaseRef`, writes are the plain types of [`change`]; whoever
//! executes blocks translates its own state change into them.
//!
//! * [`Database`] holds a chain in a [`store`]: [`append`](Database::append) blocks, [`unwind`](Database::unwind) to one,
//!   read stored blocks and the state at any of them.
//! * [`Snapshot`] is the state after one block, above which [`Layer`]s of blocks that are not written yet can be put. It
//!   computes state roots, proofs and witnesses.
//! * [`trie_root`] is the root of a trie of any entries.
//! * [`full_root`] builds the root of a state that is completely known.
//! * [`witness`] reads, and computes the root after a change of, a state of which only some trie nodes are known.
//!
//! ```
//! use alloy_consensus::Header;
//! use braid_storage::{AccountChange, AccountRecord, BlockChange, Body, Database, ExecutedBlock, Genesis, Layer};
//! # use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
//! # use std::sync::Arc;
//!
//! let header = Header { state_root: alloy_trie::EMPTY_ROOT_HASH, ..Default::default() };
//! let genesis = Genesis { chain_id: 1, header, body: Body::default(), state: BlockChange::default() };
//! let database = Database::in_memory(&genesis, Default::default())?;
//!
//! // What an execution on the snapshot of the parent changed.
//! let snapshot = database.snapshot()?;
//! let record = AccountRecord { nonce: 1, balance: U256::from(5), code_hash: KECCAK256_EMPTY };
//! let account = AccountChange { address: Address::ZERO, present: Some(record), storage_wiped: false };
//! let change = BlockChange { accounts: vec![account], ..Default::default() };
//!
//! let update = snapshot.state_after(&change)?;
//! let parent_hash = snapshot.block().hash;
//! let header = Header { number: 1, parent_hash, state_root: update.state_root(), ..Default::default() };
//! let layer = Arc::new(Layer::new(1, header.hash_slow(), parent_hash, change, update));
//! let above = snapshot.with_layer(Arc::clone(&layer))?;
//! assert_eq!(above.account(Address::ZERO)?, Some(record));
//!
//! database.append(&[ExecutedBlock { header, body: Body::default(), receipts: Vec::new(), layer }])?;
//! assert_eq!(database.state_at(0)?.account(Address::ZERO)?, None);
//! assert_eq!(database.snapshot()?.account(Address::ZERO)?, Some(record));
//! # Ok::<(), braid_storage::StorageError>(())
//! ```

mod any_trie;
mod block;
pub mod change;
mod database;
mod encoding;
mod error;
pub mod full_root;
mod keccak;
mod snapshot;
mod state;
pub mod store;
mod trie;
pub mod witness;

pub use any_trie::trie_root;
pub use block::{Body, Head, Receipt, Transaction};
pub use change::{AccountChange, AccountRecord, BlockChange, SlotChange};
pub use database::{
    ChainIdentity, Database, DatabaseOptions, DatabaseStats, DumpedAccount, Durability, ExecutedBlock, Genesis,
    HistoryLimit, SCHEMA_VERSION, VerifyOptions, VerifyReport,
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
