//! A database wrapper that remembers that a read failed, and why.
//!
//! alloy-evm turns some failed reads into errors that look like verdicts on the block (a system call that failed, for
//! instance). Whoever executes through a [`Watched`] database can tell the two apart, and gets the real cause.

use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit,
    context::DBErrorMarker,
    state::{Account, AccountId, AccountInfo, Bytecode},
};
use std::{error::Error, fmt};

/// The read failed; the cause is kept in the [`Watched`] database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the state cannot be read")]
pub(crate) struct ReadFailed;

impl DBErrorMarker for ReadFailed {}

/// A database whose first failed read is kept aside.
pub(crate) struct Watched<D> {
    database: D,
    failure: Option<Box<dyn Error + Send + Sync>>,
}

impl<D> Watched<D> {
    pub(crate) const fn new(database: D) -> Self {
        Self { database, failure: None }
    }

    /// Takes the cause of the first failed read, if any failed.
    pub(crate) fn take_failure(&mut self) -> Option<Box<dyn Error + Send + Sync>> {
        self.failure.take()
    }
}

impl<D: Database> Watched<D> {
    fn watch<T>(&mut self, read: impl FnOnce(&mut D) -> Result<T, D::Error>) -> Result<T, ReadFailed> {
        read(&mut self.database).map_err(|error| {
            self.failure.get_or_insert_with(|| Box::new(error));
            ReadFailed
        })
    }
}

impl<D> fmt::Debug for Watched<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Watched").field("failure", &self.failure).finish_non_exhaustive()
    }
}

impl<D: Database> Database for Watched<D> {
    type Error = ReadFailed;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadFailed> {
        self.watch(|database| database.basic(address))
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, ReadFailed> {
        self.watch(|database| database.code_by_hash(code_hash))
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ReadFailed> {
        self.watch(|database| database.storage(address, slot))
    }

    fn storage_by_account_id(&mut self, address: Address, id: AccountId, slot: U256) -> Result<U256, ReadFailed> {
        self.watch(|database| database.storage_by_account_id(address, id, slot))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadFailed> {
        self.watch(|database| database.block_hash(number))
    }
}

impl<D: DatabaseCommit> DatabaseCommit for Watched<D> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.database.commit(changes);
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        self.database.commit_iter(changes);
    }
}
