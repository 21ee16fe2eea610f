//! The `.braid` file.
//!
//! ```text
//! bytes  0.. 8  magic 89 42 52 41 49 44 0D 0A ("\x89BRAID\r\n": damaged by anything that treats it as text)
//!        8..10  format version      10..12  flags, all zero
//!       12..20  length of the compressed payload     20..28  length of the payload
//!       28..60  Keccak-256 over bytes 8..28 and the compressed payload
//!       60..    the payload (see `codec`), compressed with zstd
//! ```
//!
//! Numbers are big-endian. The checksum is compared before anything is decompressed, so no damage by accident gets further.

use super::{Bundle, BundleError, codec};
use alloy_primitives::{B256, Keccak256};
use std::{
    fs,
    io::{self, Read},
    path::Path,
};

/// Extension of bundle files.
pub const EXTENSION: &str = "braid";

/// Version of the format that is written, and the newest that can be read.
pub const FORMAT_VERSION: u16 = 1;

/// Largest payload, in bytes before compression.
pub const MAX_PAYLOAD_BYTES: u64 = 256 << 20;

const MAGIC: [u8; 8] = *b"\x89BRAID\r\n";
const HEADER_BYTES: usize = 60;
/// Compression that costs about a second per ten megabytes: a bundle is written once and read often.
const COMPRESSION_LEVEL: i32 = 15;

impl Bundle {
    /// The bundle as the bytes of a file.
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        wrap(&codec::encode(self)?)
    }

    /// Decodes the bytes of a file, and [checks](Self::check) the bundle.
    pub fn decode(file: &[u8]) -> Result<Self, BundleError> {
        let found = file.len() as u64;
        if !file.starts_with(&MAGIC[..file.len().min(MAGIC.len())]) || file.is_empty() {
            return Err(BundleError::NotABundle);
        }
        let Some((header, compressed)) = file.split_first_chunk::<HEADER_BYTES>() else {
            return Err(BundleError::Truncated { expected: HEADER_BYTES as u64, found });
        };
        let number = |range: std::ops::Range<usize>| {
            header[range].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let version = number(8..10) as u16;
        if version == 0 || version > FORMAT_VERSION {
            return Err(BundleError::UnsupportedVersion { found: version, supported: FORMAT_VERSION });
        }
        let flags = number(10..12) as u16;
        if flags != 0 {
            return Err(BundleError::UnknownFlags(flags));
        }
        let (stated, payload_length) = (number(12..20), number(20..28));
        for found in [stated, payload_length] {
            // Incompressible content grows a little.
            if found > MAX_PAYLOAD_BYTES + (MAX_PAYLOAD_BYTES >> 6) {
                return Err(BundleError::TooLarge { found, limit: MAX_PAYLOAD_BYTES });
            }
        }
        let there = compressed.len() as u64;
        if there < stated {
            return Err(BundleError::Truncated { expected: HEADER_BYTES as u64 + stated, found });
        }
        if there > stated {
            return Err(BundleError::TrailingBytes(there - stated));
        }
        let stated = B256::from_slice(&header[28..60]);
        let computed = checksum(&header[8..28], compressed);
        if stated != computed {
            return Err(BundleError::Checksum { stated, computed });
        }
        let bundle = codec::decode(&decompress(compressed, payload_length)?)?;
        bundle.check()?;
        Ok(bundle)
    }

    /// Reads a file.
    pub fn read_from(path: impl AsRef<Path>) -> Result<Self, BundleError> {
        let limit = 2 * MAX_PAYLOAD_BYTES;
        let file = fs::File::open(path)?;
        let found = file.metadata()?.len();
        if found > limit {
            return Err(BundleError::TooLarge { found, limit });
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Self::decode(&bytes)
    }

    /// Writes a file: completely, or not at all.
    pub fn write_to(&self, path: impl AsRef<Path>) -> Result<(), BundleError> {
        let path = path.as_ref();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        fs::write(&partial, self.encode()?)?;
        fs::rename(&partial, path).inspect_err(|_| drop(fs::remove_file(&partial)))?;
        Ok(())
    }
}

fn wrap(payload: &[u8]) -> Result<Vec<u8>, BundleError> {
    let payload_length = payload.len() as u64;
    if payload_length > MAX_PAYLOAD_BYTES {
        return Err(BundleError::TooLarge { found: payload_length, limit: MAX_PAYLOAD_BYTES });
    }
    let compressed = zstd::bulk::compress(payload, COMPRESSION_LEVEL)?;
    let mut covered = [0; 20];
    covered[0..2].copy_from_slice(&FORMAT_VERSION.to_be_bytes());
    covered[4..12].copy_from_slice(&(compressed.len() as u64).to_be_bytes());
    covered[12..20].copy_from_slice(&payload_length.to_be_bytes());

    let mut file = Vec::with_capacity(HEADER_BYTES + compressed.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&covered);
    file.extend_from_slice(checksum(&covered, &compressed).as_slice());
    file.extend_from_slice(&compressed);
    Ok(file)
}

fn checksum(covered: &[u8], compressed: &[u8]) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(covered);
    hasher.update(compressed);
    hasher.finalize()
}

/// Decompresses to exactly the stated length; memory grows with what really comes out, not with what was stated.
fn decompress(compressed: &[u8], stated: u64) -> Result<Vec<u8>, BundleError> {
    let decoder =
        zstd::stream::read::Decoder::with_buffer(io::Cursor::new(compressed)).map_err(BundleError::Decompression)?;
    let mut payload = Vec::new();
    decoder.take(stated + 1).read_to_end(&mut payload).map_err(BundleError::Decompression)?;
    let found = payload.len() as u64;
    if found == stated { Ok(payload) } else { Err(BundleError::PayloadLength { stated, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn what_is_written_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for bundle in [samples::plain(), samples::witness(), samples::with_everything()] {
            let path = folder.path().join("block.braid");
            bundle.write_to(&path).unwrap();
            assert_eq!(Bundle::read_from(&path).unwrap(), bundle);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let file = samples::with_everything().encode().unwrap();
        for length in 0..file.len() {
            let error = Bundle::decode(&file[..length]).unwrap_err();
            match length {
                0 => assert!(matches!(error, BundleError::NotABundle), "{error}"),
                _ => assert!(matches!(error, BundleError::Truncated { .. }), "{length}: {error}"),
            }
        }
    }

    #[test]
    fn every_bit_flip_is_an_error() {
        let file = samples::with_everything().encode().unwrap();
        for bit in 0..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let error = Bundle::decode(&damaged).expect_err("damaged");
            if bit / 8 >= 28 {
                assert!(matches!(error, BundleError::Checksum { .. }), "{bit}: {error}");
            }
        }
    }

    #[test]
    fn what_follows_the_end_is_an_error() {
        let mut file = samples::plain().encode().unwrap();
        file.push(0);
        assert!(matches!(Bundle::decode(&file), Err(BundleError::TrailingBytes(1))));
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut file = samples::plain().encode().unwrap();
        file[9] = 2;
        let error = Bundle::decode(&file).unwrap_err();
        assert_eq!(error.to_string(), "format version 2 is not supported (up to 1 is)");
    }

    #[test]
    fn other_files_are_not_bundles() {
        for other in [&b""[..], b"{", b"\x28\xb5\x2f\xfd", b"BRAID", &[0; 100]] {
            assert!(matches!(Bundle::decode(other), Err(BundleError::NotABundle)), "{other:?}");
        }
    }

    /// Content that somebody made up has the right checksum.
    #[test]
    fn made_up_content_never_panics() {
        for bundle in [samples::plain(), samples::witness(), samples::with_everything()] {
            let payload = codec::encode(&bundle).unwrap();
            for position in 0..payload.len() {
                for value in [0x00, 0x7f, 0x80, 0xb8, 0xbf, 0xc0, 0xf8, 0xff, payload[position] ^ 1] {
                    let mut payload = payload.clone();
                    payload[position] = value;
                    if let Ok(bundle) = codec::decode(&payload)
                        && bundle.check().is_ok()
                    {
                        drop(bundle.snapshot());
                        drop(bundle.recovered_block());
                    }
                }
            }
            for length in 0..payload.len() {
                assert!(Bundle::decode(&wrap(&payload[..length]).unwrap()).is_err(), "cut to {length}");
            }
        }
    }

    #[test]
    fn stated_lengths_are_not_believed() {
        let payload = codec::encode(&samples::plain()).unwrap();
        let compressed = zstd::bulk::compress(&payload, 1).unwrap();
        for stated in [0, 1, payload.len() as u64 - 1, payload.len() as u64 + 1, 1 << 27] {
            let error = decompress(&compressed, stated).unwrap_err();
            assert!(matches!(error, BundleError::PayloadLength { .. }), "{stated}: {error}");
        }
        let mut file = samples::plain().encode().unwrap();
        file[12] = 0xff;
        assert!(matches!(Bundle::decode(&file), Err(BundleError::TooLarge { .. })));
    }
}
