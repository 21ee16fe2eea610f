//! Nibbles of hashed keys.

use alloy_primitives::B256;
use alloy_trie::Nibbles;

/// Nibbles in a hashed key.
pub(super) const LENGTH: usize = 64;

/// The nibble at a depth.
pub(super) fn nibble(key: &B256, depth: usize) -> u8 {
    let byte = key[depth / 2];
    if depth.is_multiple_of(2) { byte >> 4 } else { byte & 0xf }
}

/// How many nibbles two keys have in common.
pub(super) fn common(a: &B256, b: &B256) -> usize {
    match a.iter().zip(b.iter()).position(|(a, b)| a != b) {
        None => LENGTH,
        Some(byte) => 2 * byte + usize::from((a[byte] ^ b[byte]) & 0xf0 == 0),
    }
}

/// How many nibbles of a path a key follows.
pub(super) fn common_with_path(key: &B256, path: &Nibbles) -> usize {
    Nibbles::unpack(key).common_prefix_length(path)
}

/// The path with one nibble more.
pub(super) fn below(path: &Nibbles, nibble: u8) -> Nibbles {
    let mut path = *path;
    path.push(nibble);
    path
}
