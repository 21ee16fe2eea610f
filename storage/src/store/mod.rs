//! Ordered tables of bytes with transactions.
//!
//! Read [`Store`] first: it is all that the rest of the crate knows of a disk. `mdbx` keeps the tables in a
//! memory-mapped file, `memory` in ordered maps; both pass the tests in `tests.rs`.
//!
//! * A read transaction sees the store as it was when it began, whatever is committed meanwhile. While it lives, the file
//!   cannot reuse the pages it sees, so it should live no longer than a block.
//! * There is one write transaction at a time; beginning another waits. What it wrote is visible to its own reads at once
//!   and to others after [`WriteTransaction::commit`], all or nothing; dropping it discards it.
//! * Keys are ordered as byte strings.

mod disk;
mod error;
mod lock;
mod mdbx;
mod memory;
mod table;

pub use error::StoreError;
pub use mdbx::{MdbxOptions, MdbxStore, SyncPolicy};
pub use memory::MemoryStore;
pub use table::Table;

use std::{borrow::Cow, fmt};

/// Longest key that every backend takes, in bytes.
pub const MAX_KEY: usize = 512;
/// Longest value that every backend takes, in bytes.
pub const MAX_VALUE: usize = 1 << 30;

/// A key and its value.
pub type Entry<'tx> = (Cow<'tx, [u8]>, Cow<'tx, [u8]>);

/// Tables that can be read and written in transactions.
pub trait Store: fmt::Debug + Send + Sync {
    /// Begins a transaction that sees the store as it is now.
    fn begin_read(&self) -> Result<Box<dyn ReadTransaction + Send>, StoreError>;

    /// Begins the one write transaction, waiting for another to end.
    fn begin_write(&self) -> Result<Box<dyn WriteTransaction + '_>, StoreError>;

    /// Makes all that was committed survive a crash of the operating system.
    fn sync(&self) -> Result<(), StoreError>;

    /// How large the store is.
    fn size(&self) -> Result<StoreSize, StoreError>;
}

/// Size of a store, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Length of the file, or what the entries take in memory.
    pub file: u64,
    /// Part of the file that holds pages in use or free for reuse.
    pub used: u64,
    /// Part of `used` that is free for reuse.
    pub free: u64,
}

/// Size of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSize {
    /// Number of keys.
    pub entries: u64,
    /// Bytes of the pages, or of keys and values in memory.
    pub bytes: u64,
}

/// A view of the tables at one moment.
pub trait ReadTransaction {
    /// Value under a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, StoreError>;

    /// A cursor that stands nowhere yet.
    fn cursor(&self, table: Table) -> Result<Box<dyn Cursor<'_> + '_>, StoreError>;

    /// Number of entries and bytes of a table.
    fn table_size(&self, table: Table) -> Result<TableSize, StoreError>;
}

/// A position in a table. After `None` its position is undefined until the next `seek`, `first` or `last`.
pub trait Cursor<'tx> {
    /// Moves to the first key.
    fn first(&mut self) -> Result<Option<Entry<'tx>>, StoreError>;

    /// Moves to the last key.
    fn last(&mut self) -> Result<Option<Entry<'tx>>, StoreError>;

    /// Moves to the first key that is equal or greater.
    fn seek(&mut self, key: &[u8]) -> Result<Option<Entry<'tx>>, StoreError>;

    /// Moves to the next key.
    fn next(&mut self) -> Result<Option<Entry<'tx>>, StoreError>;

    /// Moves to the key before.
    fn previous(&mut self) -> Result<Option<Entry<'tx>>, StoreError>;
}

/// The one transaction that changes tables.
pub trait WriteTransaction: ReadTransaction {
    /// Sets the value under a key.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Removes a key; tells whether it was there.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError>;

    /// Removes every key of a table.
    fn clear(&mut self, table: Table) -> Result<(), StoreError>;

    /// Makes the changes visible to others.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Calls `visit` with every entry whose key starts with `prefix`, in order.
pub(crate) fn for_each_with_prefix(
    transaction: &dyn ReadTransaction,
    table: Table,
    prefix: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]),
) -> Result<(), StoreError> {
    let mut cursor = transaction.cursor(table)?;
    let mut entry = if prefix.is_empty() { cursor.first()? } else { cursor.seek(prefix)? };
    while let Some((key, value)) = entry {
        if !key.starts_with(prefix) {
            break;
        }
        visit(&key, &value);
        entry = cursor.next()?;
    }
    Ok(())
}

/// Refuses what no backend can store; MDBX itself would end the process.
fn check_entry(table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > MAX_KEY || value.len() > MAX_VALUE {
        return Err(StoreError::EntrySize { table, key: key.len(), value: value.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
