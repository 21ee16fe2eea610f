//! Blocks as RLP, one after the other: `[header, transactions, ommers, withdrawals]` each, without anything in between. It
//! is what geth and others export and import.

use super::{FileErrorKind, MAX_PART_BYTES, PlacedBlock};
use alloy_rlp::Decodable;
use braid_runtime::Block;
use std::io::{self, Read};

/// The blocks of a stream of RLP, one in memory at a time.
#[derive(Debug)]
pub struct RlpBlocks<R> {
    stream: R,
    /// Bytes that were taken from the stream.
    offset: u64,
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: Read> RlpBlocks<R> {
    /// Reads from a stream, best a buffered one.
    pub const fn new(stream: R) -> Self {
        Self { stream, offset: 0, buffer: Vec::new(), ended: false }
    }

    /// The next block; the error has the place in bytes.
    fn read(&mut self) -> Result<Option<PlacedBlock>, (u64, FileErrorKind)> {
        let offset = self.offset;
        let at = |kind| (offset, kind);
        self.buffer.clear();
        if self.fill(1).map_err(at)? == 0 {
            return Ok(None);
        }
        let first = self.buffer[0];
        let payload = match first {
            0xc0..=0xf7 => u64::from(first - 0xc0),
            0xf8.. => {
                let width = usize::from(first - 0xf7);
                self.fill_all(width).map_err(at)?;
                // A length of more than 8 bytes does not occur: the first byte ends at 0xff.
                self.buffer[1..].iter().fold(0, |length, byte| length << 8 | u64::from(*byte))
            }
            _ => {
                let kind = if offset == 0 { FileErrorKind::Unknown } else { rlp(alloy_rlp::Error::UnexpectedString) };
                return Err(at(kind));
            }
        };
        if payload > MAX_PART_BYTES {
            return Err(at(FileErrorKind::TooLong { what: "a block", length: payload }));
        }
        self.fill_all(payload as usize).map_err(at)?;
        let mut bytes = self.buffer.as_slice();
        let block = Block::decode(&mut bytes).map_err(|source| at(rlp(source)))?;
        if !bytes.is_empty() {
            return Err(at(rlp(alloy_rlp::Error::UnexpectedLength)));
        }
        Ok(Some(PlacedBlock { block, offset: Some(offset) }))
    }

    /// Takes so many bytes more, or up to the end; gives how many.
    fn fill(&mut self, bytes: usize) -> Result<usize, FileErrorKind> {
        let taken = self.stream.by_ref().take(bytes as u64).read_to_end(&mut self.buffer);
        // The checksum of gzip is read with the last bytes.
        let taken = taken.map_err(|error| stream_error(error, "a block", bytes as u64))?;
        self.offset += taken as u64;
        Ok(taken)
    }

    fn fill_all(&mut self, bytes: usize) -> Result<(), FileErrorKind> {
        match self.fill(bytes)? {
            taken if taken == bytes => Ok(()),
            taken => Err(FileErrorKind::Truncated { what: "a block", missing: (bytes - taken) as u64 }),
        }
    }
}

const fn rlp(source: alloy_rlp::Error) -> FileErrorKind {
    FileErrorKind::Rlp { what: "no block", source }
}

/// What a failed read amounts to. A decompressor reports the end of what it decompresses as an error.
pub(super) fn stream_error(error: io::Error, what: &'static str, missing: u64) -> FileErrorKind {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FileErrorKind::Truncated { what, missing },
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::Other => {
            FileErrorKind::Compression { what: "the file", reason: error.to_string() }
        }
        _ => FileErrorKind::Io(error),
    }
}

impl<R: Read> Iterator for RlpBlocks<R> {
    type Item = Result<PlacedBlock, (u64, FileErrorKind)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let result = self.read().transpose();
        self.ended = !matches!(result, Some(Ok(_)));
        result
    }
}
