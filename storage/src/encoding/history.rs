//! Lists of the blocks that changed something, in shards.
//!
//! The key of a shard is its subject and the highest block number it may hold; that is `u64::MAX` for the shard to which
//! new blocks are appended. The value is the first number and then the differences, each as a little-endian base-128
//! number (seven bits a byte, the high bit says that more follow).

use super::DecodeError;

/// Numbers in a closed shard.
pub(crate) const MAX_SHARD: usize = 128;

const WHAT: &str = "list of block numbers";

/// Writes ascending, different numbers.
pub(crate) fn encode_shard(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + 2 * numbers.len());
    let mut last = 0;
    for number in numbers {
        let mut rest = number - last;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        last = *number;
    }
    bytes
}

/// Reads what [`encode_shard`] writes.
pub(crate) fn decode_shard(bytes: &[u8]) -> Result<Vec<u64>, DecodeError> {
    let mut numbers: Vec<u64> = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    while let Some(mut byte) = bytes.next() {
        let mut difference = u64::from(byte & 0x7f);
        let mut shift = 7;
        while byte & 0x80 != 0 {
            byte = bytes.next().ok_or(DecodeError::Form(WHAT))?;
            let bits = u64::from(byte & 0x7f);
            if shift > 63 || bits << shift >> shift != bits {
                return Err(DecodeError::Form(WHAT));
            }
            difference |= bits << shift;
            shift += 7;
        }
        let number = match numbers.last() {
            None => Some(difference),
            Some(_) if difference == 0 => None,
            Some(last) => last.checked_add(difference),
        };
        numbers.push(number.ok_or(DecodeError::Form(WHAT))?);
    }
    Ok(numbers)
}
