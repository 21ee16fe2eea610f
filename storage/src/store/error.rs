//! What can go wrong between a request and the disk.

use super::Table;
use signet_libmdbx::{MdbxError, ReadError};
use std::{io, path::PathBuf};

/// A store that could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder could not be made, or its lock file could not be used.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process, or another part of this one, has the store open for writing.
    #[error("{} is open for writing already{}", path.display(), match holder { Some(pid) => format!(", by process {pid}"), None => String::new() })]
    InUse {
        /// The folder of the store.
        path: PathBuf,
        /// Process that holds it, as far as its lock file tells.
        holder: Option<u32>,
    },
    /// There is no store to open read-only.
    #[error("there is no database in {}", .0.display())]
    Missing(PathBuf),
    /// The files are there but the engine refuses them.
    #[error("cannot open the database in {}: {source}", path.display())]
    Open {
        /// The folder of the store.
        path: PathBuf,
        /// Why.
        source: MdbxError,
    },
    /// The disk is full.
    #[error("no space left on the device of the database while trying to {0}")]
    DiskFull(&'static str),
    /// The map has reached its configured limit.
    #[error("the database has reached its size limit of {limit} bytes")]
    SizeLimit {
        /// Configured limit in bytes.
        limit: usize,
    },
    /// The store was opened read-only.
    #[error("the database was opened read-only")]
    ReadOnly,
    /// A key or value is too long, or a key is empty.
    #[error("table {table}: a key of {key} bytes with a value of {value} bytes cannot be stored")]
    EntrySize {
        /// Where.
        table: Table,
        /// Length of the key in bytes.
        key: usize,
        /// Length of the value in bytes.
        value: usize,
    },
    /// The file is damaged.
    #[error("the database is damaged: {source} while trying to {action}")]
    Damaged {
        /// What was being done.
        action: &'static str,
        /// How it showed.
        source: MdbxError,
    },
    /// The engine failed in another way.
    #[error("the database failed to {action}: {source}")]
    Engine {
        /// What was being done.
        action: &'static str,
        /// Why.
        source: MdbxError,
    },
}

const NO_SPACE: i32 = 28;
const QUOTA_EXCEEDED: i32 = 122;

impl StoreError {
    /// The error for a failed engine call.
    pub(super) fn engine(action: &'static str, limit: usize, source: MdbxError) -> Self {
        match source {
            MdbxError::Other(NO_SPACE | QUOTA_EXCEEDED) => Self::DiskFull(action),
            MdbxError::MapFull => Self::SizeLimit { limit },
            MdbxError::Access | MdbxError::WriteTransactionUnsupportedInReadOnlyMode => Self::ReadOnly,
            MdbxError::Corrupted | MdbxError::PageNotFound | MdbxError::Panic => Self::Damaged { action, source },
            source => Self::Engine { action, source },
        }
    }

    /// The error for a failed read.
    pub(super) fn read(action: &'static str, limit: usize, source: ReadError) -> Self {
        match source {
            ReadError::Mdbx(source) => Self::engine(action, limit, source),
            // Only plain bytes are ever decoded, and that cannot fail.
            ReadError::Decoding(_) => Self::Damaged { action, source: MdbxError::DecodeError },
        }
    }
}
