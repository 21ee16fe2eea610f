//! What can be wrong with a file of blocks.

use super::MAX_PART_BYTES;
use crate::LayoutError;
use alloy_primitives::{B256, U256};
use std::io;

/// A file that does not give the blocks it should: which, where, and why.
#[derive(Debug, thiserror::Error)]
#[error("{name}{}: {kind}", match offset { Some(offset) => format!(", byte {offset}"), None => String::new() })]
pub struct FileError {
    /// Name of the file.
    pub name: String,
    /// Where in it, in bytes from its beginning, in a compressed file after decompression.
    pub offset: Option<u64>,
    /// The reason.
    #[source]
    pub kind: Box<FileErrorKind>,
}

impl FileError {
    pub(super) fn new(name: impl Into<String>, offset: Option<u64>, kind: impl Into<FileErrorKind>) -> Self {
        Self { name: name.into(), offset, kind: Box::new(kind.into()) }
    }
}

/// Why a file does not give the blocks it should.
#[derive(Debug, thiserror::Error)]
pub enum FileErrorKind {
    /// It cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("the file is empty")]
    Empty,
    /// It is none of the kinds that are known.
    #[error("not a file of blocks (known: RLP, era1, either in gzip, bundles)")]
    Unknown,
    /// It ends in the middle.
    #[error("the file ends inside {what}: {missing} more bytes are needed; it is incomplete, get it again")]
    Truncated {
        /// The part that is cut.
        what: &'static str,
        /// Bytes that are missing of it.
        missing: u64,
    },
    /// A part is longer than any should be.
    #[error("{what} of {length} bytes is longer than {MAX_PART_BYTES}")]
    TooLong {
        /// The part.
        what: &'static str,
        /// Its length in bytes.
        length: u64,
    },
    /// What stands there is not the RLP it should be.
    #[error("{what}: {source}")]
    Rlp {
        /// The part.
        what: &'static str,
        /// Why.
        source: alloy_rlp::Error,
    },
    /// Compressed data are damaged.
    #[error("{what} does not decompress: {reason}")]
    Compression {
        /// The part.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Another record than the one that must stand there.
    #[error("a record of type {found:#06x} stands where {expected} must be")]
    RecordType {
        /// Its type.
        found: u16,
        /// What it should be.
        expected: &'static str,
    },
    /// A record that does not have the one length it can have.
    #[error("{what} of {length} bytes")]
    RecordLength {
        /// The record.
        what: &'static str,
        /// Its length in bytes.
        length: u64,
    },
    /// The reserved bytes of a record are not zero.
    #[error("the reserved bytes of a record are not zero")]
    Reserved,
    /// A block that does not follow the one before it in the archive.
    #[error("block {number} does not follow the block before it")]
    NotChild {
        /// Its number.
        number: u64,
    },
    /// The body, or the receipts, are not those that the header commits to.
    #[error("block {number}: {what} has root {computed}, the header says {stated}")]
    Root {
        /// Number of the block.
        number: u64,
        /// Which part.
        what: &'static str,
        /// Root in the header.
        stated: B256,
        /// Root of what is there.
        computed: B256,
    },
    /// Total difficulties that do not add up.
    #[error("block {number}: total difficulty {stated} is stated, {computed} is the sum")]
    TotalDifficulty {
        /// Number of the block.
        number: u64,
        /// In the archive.
        stated: U256,
        /// Sum of the difficulties.
        computed: U256,
    },
    /// More blocks than an archive can have.
    #[error("more than {} blocks", super::MAX_RECORDS)]
    TooManyBlocks,
    /// The accumulator is not that of the blocks.
    #[error("the accumulator is {computed}, {stated} is stated")]
    Accumulator {
        /// In the archive.
        stated: B256,
        /// Of the blocks in it.
        computed: B256,
    },
    /// The index does not say where the blocks are.
    #[error("the block index is not that of the blocks")]
    Index,
    /// Something stands after the end.
    #[error("something stands after the end")]
    TrailingBytes,
    /// A bundle that cannot be read.
    #[error("{0}")]
    Layout(#[from] LayoutError),
}
