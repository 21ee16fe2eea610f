//! A parent state that stops answering when the block is over.

use crate::state::{Snapshot, SnapshotError};
use alloy_primitives::{Address, B256, U256};
use revm::{
    DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::sync::atomic::{AtomicBool, Ordering};

/// The parent state until the block is over, so that nobody reads on after that.
pub(super) struct Stoppable<'b> {
    pub(super) inner: &'b dyn Snapshot,
    pub(super) is_over: AtomicBool,
}

/// Nobody needs the answer any more.
#[derive(Debug, thiserror::Error)]
#[error("the block is over")]
struct Over;

impl Stoppable<'_> {
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn unless_over<T>(&self, read: impl FnOnce() -> Result<T, SnapshotError>) -> Result<T, SnapshotError> {
        if self.is_over() { Err(SnapshotError::new(Over)) } else { read() }
    }
}

impl DatabaseRef for Stoppable<'_> {
    type Error = SnapshotError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, SnapshotError> {
        self.unless_over(|| self.inner.account(address))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, SnapshotError> {
        self.unless_over(|| self.inner.code(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, SnapshotError> {
        self.unless_over(|| self.inner.storage(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, SnapshotError> {
        self.unless_over(|| self.inner.block_hash(number))
    }
}
