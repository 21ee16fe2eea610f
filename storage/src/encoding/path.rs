//! Paths of trie nodes as keys: the nibbles two to a byte, padded with zero, and then one byte with their number. Equal
//! bytes mean equal paths, and nodes that are close in the trie are close in the table.

use super::DecodeError;
use alloy_trie::Nibbles;

/// Appends the key of a path.
pub(crate) fn encode_path(path: &Nibbles, key: &mut Vec<u8>) {
    key.extend_from_slice(&path.pack());
    key.push(path.len() as u8);
}

/// Reads what [`encode_path`] appends.
pub(crate) fn decode_path(key: &[u8]) -> Result<Nibbles, DecodeError> {
    const WHAT: &str = "path";
    let (length, packed) = key.split_last().ok_or(DecodeError::Length { what: WHAT, length: 0 })?;
    let length = usize::from(*length);
    if length > 64 || packed.len() != length.div_ceil(2) {
        return Err(DecodeError::Length { what: WHAT, length: key.len() });
    }
    let mut path = Nibbles::unpack(packed);
    path.truncate(length);
    Ok(path)
}
