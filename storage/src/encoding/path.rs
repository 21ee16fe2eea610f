//! Paths of trie nodes as keys: the nibbles two to a byte, padded with zero, and then one byte with their number. Equal
//! bytes mean equal paths, and nodes that are close in the trie are close in the table.

use alloy_trie::Nibbles;

/// Appends the key of a path.
pub(crate) fn encode_path(path: &Nibbles, key: &mut Vec<u8>) {
    key.extend_from_slice(&path.pack());
    key.push(path.len() as u8);
}
