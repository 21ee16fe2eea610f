//! Blocks in a row: files out of which a chain is imported, and into which it is exported.
//!
//! [`BlockFile::open`] looks into a file, decides what it is, and gives its blocks one by one with bounded memory:
//!
//! | what | how it begins | module |
//! |---|---|---|
//! | blocks as RLP, one after the other | a list of RLP | [`rlp`] |
//! | era1 archive | the version record `65 32 00 00 00 00 00 00` | [`era1`], on the records of [`e2store`] |
//! | either of these in gzip | `1f 8b` | `open` |
//! | bundle, JSON with a witness, folder or archive of these | see there | [`crate::layouts`] |
//!
//! Whether blocks are valid is for the chain to say; here they are only what the file says they are. Everything that is
//! wrong with a file is a [`FileError`] with the place in bytes, and the end of its blocks.

mod accumulator;
mod e2store;
mod era1;
mod era1_writer;
mod error;
mod open;
mod rlp;
#[cfg(test)]
mod tests;

pub use accumulator::{Accumulator, MAX_RECORDS};
pub use era1::Era1Blocks;
pub use era1_writer::{Era1Error, Era1Writer};
pub use error::{FileError, FileErrorKind};
pub use open::{BlockFile, FileKind, PlacedBlock, Progress};
pub use rlp::RlpBlocks;

/// Most bytes that a block, or a part of one, may have before and after decompression. It keeps a damaged length from
/// filling the memory; blocks of public chains have less than 11 MB (EIP-7934).
pub const MAX_PART_BYTES: u64 = 256 << 20;
