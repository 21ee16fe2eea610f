//! The parent state of a block, with its type and its error erased.

use alloy_primitives::{Address, B256, U256};
use revm::{
    database_interface::{DBErrorMarker, Database, DatabaseRef},
    state::{AccountInfo, Bytecode},
};
use std::{error::Error, fmt, sync::Arc};

/// The parent state could not be read.
#[derive(Clone)]
pub struct SnapshotError(Arc<dyn Error + Send + Sync>);

impl SnapshotError {
    /// Wraps the error of a state store.
    pub fn new(source: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }
}

impl fmt::Debug for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the parent state: {}", self.0)
    }
}

impl Error for SnapshotError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

impl DBErrorMarker for SnapshotError {}

/// Read access to the parent state. Implemented for every [`DatabaseRef`] that can be shared between threads.
pub(crate) trait Snapshot: Sync {
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, SnapshotError>;
    fn code(&self, hash: B256) -> Result<Bytecode, SnapshotError>;
    fn storage(&self, address: Address, slot: U256) -> Result<U256, SnapshotError>;
    fn block_hash(&self, number: u64) -> Result<B256, SnapshotError>;
}

impl<S: DatabaseRef + Sync> Snapshot for S {
    fn account(&self, address: Address) -> Result<Option<AccountInfo>, SnapshotError> {
        self.basic_ref(address).map_err(SnapshotError::new)
    }

    fn code(&self, hash: B256) -> Result<Bytecode, SnapshotError> {
        self.code_by_hash_ref(hash).map_err(SnapshotError::new)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, SnapshotError> {
        self.storage_ref(address, slot).map_err(SnapshotError::new)
    }

    fn block_hash(&self, number: u64) -> Result<B256, SnapshotError> {
        self.block_hash_ref(number).map_err(SnapshotError::new)
    }
}

/// What revm sees as the database of a worker's context: only BLOCKHASH goes this way, everything else is read by the journal.
#[derive(Clone, Copy)]
pub(crate) struct SnapshotDatabase<'b>(pub(crate) &'b dyn Snapshot);

impl fmt::Debug for SnapshotDatabase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SnapshotDatabase")
    }
}

impl Database for SnapshotDatabase<'_> {
    type Error = SnapshotError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, SnapshotError> {
        self.0.account(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, SnapshotError> {
        self.0.code(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, SnapshotError> {
        self.0.storage(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, SnapshotError> {
        self.0.block_hash(number)
    }
}
