//! The Merkle-Patricia trie in full generality: keys of any length, some of which may begin with others, and any values.
//!
//! The state tries need none of that, because all their keys are hashes. This is the definition in the Yellow Paper (appendix D), written
//! down as it stands there, for tries that are computed once from all their entries.

use alloy_primitives::{B256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Header};
use alloy_trie::EMPTY_ROOT_HASH;
use std::collections::BTreeMap;

/// Root of the trie of these entries. Of entries with the same key the last counts; one with an empty value is none.
pub fn trie_root<K: AsRef<[u8]>, V: AsRef<[u8]>>(entries: impl IntoIterator<Item = (K, V)>) -> B256 {
    let entries: BTreeMap<Vec<u8>, V> =
        entries.into_iter().map(|(key, value)| (nibbles(key.as_ref()), value)).collect();
    let entries: Vec<(&[u8], &[u8])> = entries
        .iter()
        .map(|(key, value)| (key.as_slice(), value.as_ref()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if entries.is_empty() { EMPTY_ROOT_HASH } else { keccak256(node(&entries, 0)) }
}

/// Half bytes, the higher one first. Sorting them is sorting the bytes.
fn nibbles(key: &[u8]) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect()
}

/// The node of entries that have their first `depth` nibbles in common, encoded.
fn node(entries: &[(&[u8], &[u8])], depth: usize) -> Vec<u8> {
    let (first, last) = (entries[0].0, entries[entries.len() - 1].0);
    if let [(key, value)] = entries {
        return list(&[string(&hex_prefix(&key[depth..], true)), string(value)]);
    }
    // Of sorted keys, the first and the last have the least in common.
    let common = first[depth..].iter().zip(&last[depth..]).take_while(|(left, right)| left == right).count();
    if common > 0 {
        let child = reference(node(entries, depth + common));
        return list(&[string(&hex_prefix(&first[depth..depth + common], false)), child]);
    }
    let (value, below) = match entries {
        [(key, value), below @ ..] if key.len() == depth => (*value, below),
        below => (&[][..], below),
    };
    let mut parts = Vec::with_capacity(17);
    let mut rest = below;
    for nibble in 0..16 {
        let (child, others) = rest.split_at(rest.partition_point(|(key, _)| key[depth] <= nibble));
        parts.push(if child.is_empty() { vec![EMPTY_STRING_CODE] } else { reference(node(child, depth + 1)) });
        rest = others;
    }
    parts.push(string(value));
    list(&parts)
}

/// How a node stands in the one above it: as it is if it is short, by its hash otherwise.
fn reference(node: Vec<u8>) -> Vec<u8> {
    if node.len() < 32 { node } else { string(keccak256(node).as_slice()) }
}

/// Nibbles as bytes, with a mark of whether a leaf follows and whether their number is odd.
fn hex_prefix(nibbles: &[u8], is_leaf: bool) -> Vec<u8> {
    let mark = if is_leaf { 0x20 } else { 0 };
    let (first, pairs) = match nibbles.len() % 2 {
        0 => (mark, nibbles),
        _ => (mark | 0x10 | nibbles[0], &nibbles[1..]),
    };
    let pairs = pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    std::iter::once(first).chain(pairs).collect()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len() + 9);
    bytes.encode(&mut encoded);
    encoded
}

fn list(parts: &[Vec<u8>]) -> Vec<u8> {
    let payload_length = parts.iter().map(Vec::len).sum();
    let mut encoded = Vec::with_capacity(payload_length + 9);
    Header { list: true, payload_length }.encode(&mut encoded);
    parts.iter().for_each(|part| encoded.extend_from_slice(part));
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;
    use alloy_trie::{HashBuilder, Nibbles};

    #[test]
    fn nothing_has_the_empty_root() {
        assert_eq!(trie_root::<&str, &str>([]), EMPTY_ROOT_HASH);
        assert_eq!(trie_root([("a", "")]), EMPTY_ROOT_HASH);
    }

    #[test]
    fn keys_may_begin_with_other_keys() {
        let entries = [("doe", "reindeer"), ("dog", "puppy"), ("dogglesworth", "cat")];
        let expected = b256!("0x8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3");
        assert_eq!(trie_root(entries), expected);
        assert_eq!(trie_root(entries.into_iter().rev()), expected, "the order does not matter");
    }

    #[test]
    fn hashed_keys_give_what_the_builder_of_the_state_tries_gives() {
        let mut entries: Vec<(B256, Vec<u8>)> =
            (0_u32..300).map(|number| (keccak256(number.to_be_bytes()), vec![1; 1 + number as usize % 60])).collect();
        entries.sort();
        let mut builder = HashBuilder::default();
        for (key, value) in &entries {
            builder.add_leaf(Nibbles::unpack(key), value);
        }
        assert_eq!(trie_root(entries), builder.root());
    }

    #[test]
    fn prefixes_mark_leaves_and_odd_numbers() {
        assert_eq!(hex_prefix(&[1, 2, 3, 4, 5], false), [0x11, 0x23, 0x45]);
        assert_eq!(hex_prefix(&[0, 1, 2, 3, 4, 5], false), [0, 0x01, 0x23, 0x45]);
        assert_eq!(hex_prefix(&[0, 15, 1, 12, 11, 8], true), [0x20, 0x0f, 0x1c, 0xb8]);
        assert_eq!(hex_prefix(&[15, 1, 12, 11, 8], true), [0x3f, 0x1c, 0xb8]);
    }
}
