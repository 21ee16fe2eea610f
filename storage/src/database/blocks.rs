//! Reading stored blocks.

use super::{Database, read};
use crate::{
    StorageError,
    block::{Body, Receipt},
};
use alloy_consensus::Header;
use alloy_primitives::B256;

impl Database {
    /// Header of the canonical block with a number.
    pub fn header(&self, number: u64) -> Result<Option<Header>, StorageError> {
        self.shared.read(|reader| read::header(&*reader.transaction, number))
    }

    /// Body of the canonical block with a number.
    pub fn body(&self, number: u64) -> Result<Option<Body>, StorageError> {
        self.shared.read(|reader| read::body(&*reader.transaction, number))
    }

    /// Receipts of the canonical block with a number.
    pub fn receipts(&self, number: u64) -> Result<Option<Vec<Receipt>>, StorageError> {
        self.shared.read(|reader| read::receipts(&*reader.transaction, number))
    }

    /// Hash of the canonical block with a number.
    pub fn block_hash(&self, number: u64) -> Result<Option<B256>, StorageError> {
        self.shared.read(|reader| read::block_hash(&*reader.transaction, number))
    }

    /// Number of the canonical block with a hash.
    pub fn block_number(&self, hash: B256) -> Result<Option<u64>, StorageError> {
        self.shared.read(|reader| read::block_number(&*reader.transaction, hash))
    }

    /// Block number and index of a transaction in a canonical block.
    pub fn find_transaction(&self, hash: B256) -> Result<Option<(u64, u32)>, StorageError> {
        self.shared.read(|reader| read::lookup(&*reader.transaction, hash))
    }
}
