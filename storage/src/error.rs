//! What can go wrong above the tables.

use crate::{
    encoding::DecodeError,
    store::{StoreError, Table},
    witness::Trie,
};
use alloy_primitives::{Address, B256, Bytes};
use alloy_trie::Nibbles;

/// A database that could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The tables could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry is not what this crate writes.
    #[error("table {table}, key {key}: {source}")]
    Decode {
        /// Where.
        table: Table,
        /// Key of the entry.
        key: Bytes,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A node that its parent refers to is not stored.
    #[error("{trie}: the node at path {path:?} is missing from the database")]
    MissingNode {
        /// Where.
        trie: Trie,
        /// Nibbles from the root to the node.
        path: Nibbles,
    },
    /// A stored node is malformed.
    #[error("{trie}: the stored node at path {path:?} is malformed")]
    MalformedNode {
        /// Where.
        trie: Trie,
        /// Nibbles from the root to the node.
        path: Nibbles,
    },
    /// Slots of an account are to change, but the account does not exist.
    #[error("slots of account {0} change, but it does not exist")]
    SlotsWithoutAccount(Address),
    /// The database belongs to another chain.
    #[error("the database is of chain {stored}, not of chain {expected}")]
    WrongChain {
        /// Chain id in the database.
        stored: u64,
        /// Chain id it was opened with.
        expected: u64,
    },
    /// The database begins with another block.
    #[error("the database has genesis block {stored}, not {expected}")]
    WrongGenesis {
        /// Genesis hash in the database.
        stored: B256,
        /// Genesis hash it was opened with.
        expected: B256,
    },
    /// The database was written by a version of this program that lays it out differently.
    #[error("the database has schema version {stored}, this program reads version {supported}{}",
        if stored > supported { ": it was written by a newer version" } else { ": import the chain again" })]
    WrongSchema {
        /// Version in the database.
        stored: u32,
        /// Version of this program.
        supported: u32,
    },
    /// The database holds no chain yet.
    #[error("the database holds no chain: it was not initialised")]
    NotInitialised,
    /// The database holds a chain already.
    #[error("the database holds a chain already, with genesis block {0}")]
    AlreadyInitialised(B256),
    /// An entry that must be there is not.
    #[error("table {table}: there is no entry for block {number}")]
    MissingBlock {
        /// Where.
        table: Table,
        /// Block number.
        number: u64,
    },
    /// A code that an account refers to is not stored.
    #[error("code {0} is missing from the database")]
    MissingCode(B256),
    /// A block does not follow the head.
    #[error("block {number} with parent {parent} does not follow block {head_number} {head}")]
    NotChild {
        /// Number of the block.
        number: u64,
        /// Its parent hash.
        parent: B256,
        /// Number of the block it should follow.
        head_number: u64,
        /// Hash of the block it should follow.
        head: B256,
    },
    /// A computed state root is not the one that a header states.
    #[error("block {number}: the state root is {actual}, the header says {expected}")]
    StateRoot {
        /// Block number.
        number: u64,
        /// Root in the header.
        expected: B256,
        /// Root that was computed.
        actual: B256,
    },
    /// The state at a past block is no longer kept.
    #[error("the state at block {number} is not kept; history begins at block {earliest}")]
    HistoryPruned {
        /// Block that was asked for.
        number: u64,
        /// First block whose state can be read.
        earliest: u64,
    },
    /// A block lies beyond the head.
    #[error("block {number} lies beyond the head, block {head}")]
    BeyondHead {
        /// Block that was asked for.
        number: u64,
        /// Number of the head.
        head: u64,
    },
    /// The database moved past, or away from, the block of a snapshot.
    #[error("the snapshot of block {number} {hash} is outdated: the database has moved on to block {head}")]
    SnapshotOutdated {
        /// Block of the snapshot.
        number: u64,
        /// Its hash.
        hash: B256,
        /// Number of the block at which the database is now.
        head: u64,
    },
    /// Layers that do not follow each other.
    #[error("the layer of block {number} does not follow block {below}")]
    LayerGap {
        /// Block of the layer.
        number: u64,
        /// Block of the layer below it, or of the database.
        below: u64,
    },
    /// A node computed from what is below it is not the one that is referred to from above.
    #[error("{trie}: what is stored at path {path:?} does not have the hash that is recorded above it")]
    NodeDiffers {
        /// Where.
        trie: Trie,
        /// Nibbles from the root to the node.
        path: Nibbles,
    },
    /// Two tables that must agree do not.
    #[error("table {table} disagrees with the state at key {key}")]
    TablesDisagree {
        /// The table.
        table: Table,
        /// Key at which they differ.
        key: Bytes,
    },
}

impl revm::database_interface::DBErrorMarker for StorageError {}

/// Adds the place to an error of decoding.
pub(crate) fn at(table: Table, key: &[u8]) -> impl FnOnce(DecodeError) -> StorageError + use<> {
    let key = Bytes::copy_from_slice(key);
    move |source| StorageError::Decode { table, key, source }
}
