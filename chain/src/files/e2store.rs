//! Records of an e2store file: type (2 bytes), length (4 bytes), reserved (2 bytes, zero), then the data; numbers are
//! little-endian. The format is in the documentation of Nimbus (`e2store.md`).

use super::{FileErrorKind, MAX_PART_BYTES, rlp::stream_error};
use std::io::{self, Read, Write};

/// First record of every file, without data.
pub(super) const VERSION: u16 = 0x3265;
/// RLP of a header in snappy frames.
pub(super) const COMPRESSED_HEADER: u16 = 0x03;
/// RLP of a body in snappy frames.
pub(super) const COMPRESSED_BODY: u16 = 0x04;
/// RLP of the receipts in snappy frames.
pub(super) const COMPRESSED_RECEIPTS: u16 = 0x05;
/// Total difficulty, 32 bytes.
pub(super) const TOTAL_DIFFICULTY: u16 = 0x06;
/// Root of the accumulator, 32 bytes.
pub(super) const ACCUMULATOR: u16 = 0x07;
/// Where the blocks are.
pub(super) const BLOCK_INDEX: u16 = 0x3266;

/// Bytes before the data of a record.
pub(super) const HEADER_LENGTH: u64 = 8;

/// A record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: u16,
    /// Where it begins.
    pub(super) offset: u64,
    pub(super) data: Vec<u8>,
}

/// The records of a stream.
#[derive(Debug)]
pub(super) struct Records<R> {
    stream: R,
    pub(super) offset: u64,
}

impl<R: Read> Records<R> {
    pub(super) const fn new(stream: R) -> Self {
        Self { stream, offset: 0 }
    }

    /// The next record, `None` at the end. The error has the place at which the record begins.
    pub(super) fn next(&mut self) -> Result<Option<Record>, (u64, FileErrorKind)> {
        let offset = self.offset;
        let at = |kind| (offset, kind);
        let header = self.take(HEADER_LENGTH).map_err(at)?;
        if header.is_empty() {
            return Ok(None);
        }
        let Some(header) = header.first_chunk::<8>() else {
            let missing = HEADER_LENGTH - header.len() as u64;
            return Err(at(FileErrorKind::Truncated { what: "a record", missing }));
        };
        let [kind_low, kind_high, a, b, c, d, reserved @ ..] = *header;
        if reserved != [0, 0] {
            return Err(at(FileErrorKind::Reserved));
        }
        let length = u64::from(u32::from_le_bytes([a, b, c, d]));
        if length > MAX_PART_BYTES {
            return Err(at(FileErrorKind::TooLong { what: "a record", length }));
        }
        let data = self.take(length).map_err(at)?;
        if (data.len() as u64) < length {
            let missing = length - data.len() as u64;
            return Err(at(FileErrorKind::Truncated { what: "a record", missing }));
        }
        Ok(Some(Record { kind: u16::from_le_bytes([kind_low, kind_high]), offset, data }))
    }

    /// So many bytes, or fewer at the end.
    fn take(&mut self, length: u64) -> Result<Vec<u8>, FileErrorKind> {
        let mut data = Vec::new();
        let taken = self.stream.by_ref().take(length).read_to_end(&mut data);
        self.offset += taken.map_err(|error| stream_error(error, "a record", length))? as u64;
        Ok(data)
    }
}

/// Writes a record; gives its length with the header.
pub(super) fn write(stream: &mut impl Write, kind: u16, data: &[u8]) -> io::Result<u64> {
    let length = u32::try_from(data.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    stream.write_all(&kind.to_le_bytes())?;
    stream.write_all(&length.to_le_bytes())?;
    stream.write_all(&[0, 0])?;
    stream.write_all(data)?;
    Ok(HEADER_LENGTH + u64::from(length))
}

/// Takes data out of snappy frames.
pub(super) fn decompress(what: &'static str, data: &[u8]) -> Result<Vec<u8>, FileErrorKind> {
    let mut bytes = Vec::new();
    // One byte more than is allowed tells that it is too long.
    let taken = snap::read::FrameDecoder::new(data).take(MAX_PART_BYTES + 1).read_to_end(&mut bytes);
    let taken = taken.map_err(|error| FileErrorKind::Compression { what, reason: error.to_string() })?;
    if taken as u64 > MAX_PART_BYTES {
        return Err(FileErrorKind::TooLong { what, length: taken as u64 });
    }
    Ok(bytes)
}

/// Puts data into snappy frames.
pub(super) fn compress(data: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(data)?;
    encoder.into_inner().map_err(|error| error.into_error())
}
