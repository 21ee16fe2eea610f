//! Sizes, and the file without its free pages.

use super::{Database, mdbx_options, options::DatabaseOptions, read};
use crate::{
    StorageError,
    block::Head,
    store::{MdbxStore, StoreSize, Table, TableSize},
};
use std::path::Path;

/// How large a database is, and up to where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseStats {
    /// The last block.
    pub head: Head,
    /// First block whose state can be read.
    pub history_from: u64,
    /// The file.
    pub size: StoreSize,
    /// Every table.
    pub tables: Vec<(Table, TableSize)>,
}

impl Database {
    /// Sizes of the file and of every table.
    pub fn stats(&self) -> Result<DatabaseStats, StorageError> {
        let reader = self.shared.begin()?;
        let transaction = &*reader.transaction;
        let tables = Table::ALL
            .iter()
            .map(|table| Ok((*table, transaction.table_size(*table)?)))
            .collect::<Result<_, StorageError>>()?;
        Ok(DatabaseStats {
            head: reader.head,
            history_from: read::history_from(transaction)?,
            size: self.shared.store.size()?,
            tables,
        })
    }

    /// Writes the file of a folder anew without its free pages. Gives its length in bytes before and after.
    ///
    /// No other process may have the database open, not even for reading. A crash leaves the old file or the new one.
    pub fn compact(path: &Path, options: DatabaseOptions) -> Result<(u64, u64), StorageError> {
        Ok(MdbxStore::compact(path, mdbx_options(options))?)
    }
}
