//! The straightforward way to keep a state root: a Merkle-Patricia trie in memory with cached references, changed and hashed serially.

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::{B256, keccak256};
use alloy_rlp::{EMPTY_STRING_CODE, Header};

/// A trie of hashed keys.
#[derive(Debug, Default)]
pub struct SerialTrie {
    root: Option<Box<Node>>,
}

#[derive(Debug)]
enum Node {
    Leaf { path: Vec<u8>, value: Vec<u8>, reference: Option<Vec<u8>> },
    Branch { path: Vec<u8>, children: Box<[Option<Box<Node>>; 16]>, reference: Option<Vec<u8>> },
}

impl SerialTrie {
    /// Sets the value under a key.
    pub fn insert(&mut self, key: B256, value: Vec<u8>) {
        let path = nibbles(key);
        self.root = Some(insert(self.root.take(), &path, value));
    }

    /// The root hash.
    pub fn root(&mut self) -> B256 {
        let Some(root) = &mut self.root else { return EMPTY_ROOT_HASH };
        let reference = root.reference();
        if reference.len() == 33 { B256::from_slice(&reference[1..]) } else { keccak256(reference) }
    }
}

fn nibbles(key: B256) -> Vec<u8> {
    key.iter().flat_map(|byte| [byte >> 4, byte & 15]).collect()
}

fn insert(node: Option<Box<Node>>, path: &[u8], value: Vec<u8>) -> Box<Node> {
    let Some(mut node) = node else {
        return Box::new(Node::Leaf { path: path.to_vec(), value, reference: None });
    };
    let own = match &*node {
        Node::Leaf { path, .. } | Node::Branch { path, .. } => path,
    };
    let common = own.iter().zip(path).take_while(|(a, b)| a == b).count();
    if common < own.len() {
        // The two part inside the path of the node: a branch takes its place.
        let (prefix, nibble) = (own[..common].to_vec(), own[common]);
        let rest = own[common + 1..].to_vec();
        match &mut *node {
            Node::Leaf { path, reference, .. } | Node::Branch { path, reference, .. } => {
                *path = rest;
                *reference = None;
            }
        }
        let mut children: Box<[Option<Box<Node>>; 16]> = Box::default();
        children[usize::from(nibble)] = Some(node);
        children[usize::from(path[common])] = Some(insert(None, &path[common + 1..], value));
        return Box::new(Node::Branch { path: prefix, children, reference: None });
    }
    match &mut *node {
        Node::Leaf { value: old, reference, .. } => {
            *old = value;
            *reference = None;
        }
        Node::Branch { children, reference, .. } => {
            let child = &mut children[usize::from(path[common])];
            *child = Some(insert(child.take(), &path[common + 1..], value));
            *reference = None;
        }
    }
    node
}

impl Node {
    fn reference(&mut self) -> &[u8] {
        let known = match self {
            Self::Leaf { reference, .. } | Self::Branch { reference, .. } => reference.is_some(),
        };
        if !known {
            let computed = match self {
                Self::Leaf { path, value, .. } => {
                    let mut payload = Vec::new();
                    string(&compact(path, true), &mut payload);
                    string(value, &mut payload);
                    refer(list(&payload))
                }
                Self::Branch { path, children, .. } => {
                    let mut payload = Vec::new();
                    for child in children.iter_mut() {
                        match child {
                            None => payload.push(EMPTY_STRING_CODE),
                            Some(child) => payload.extend_from_slice(child.reference()),
                        }
                    }
                    payload.push(EMPTY_STRING_CODE);
                    let branch = refer(list(&payload));
                    if path.is_empty() {
                        branch
                    } else {
                        let mut payload = Vec::new();
                        string(&compact(path, false), &mut payload);
                        payload.extend_from_slice(&branch);
                        refer(list(&payload))
                    }
                }
            };
            match self {
                Self::Leaf { reference, .. } | Self::Branch { reference, .. } => *reference = Some(computed),
            }
        }
        match self {
            Self::Leaf { reference, .. } | Self::Branch { reference, .. } => reference.as_deref().unwrap_or_default(),
        }
    }
}

/// Hex-prefix encoding (Yellow Paper, appendix C).
fn compact(path: &[u8], is_leaf: bool) -> Vec<u8> {
    let flag = if is_leaf { 2 } else { 0 };
    let (first, rest) = if path.len() % 2 == 1 { ((flag + 1) << 4 | path[0], &path[1..]) } else { (flag << 4, path) };
    std::iter::once(first).chain(rest.chunks(2).map(|pair| pair[0] << 4 | pair[1])).collect()
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    alloy_rlp::Encodable::encode(bytes, out);
}

fn list(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 3);
    Header { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend_from_slice(payload);
    out
}

fn refer(node: Vec<u8>) -> Vec<u8> {
    if node.len() < 32 {
        return node;
    }
    let mut reference = vec![0xa0];
    reference.extend_from_slice(keccak256(node).as_slice());
    reference
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    #[test]
    fn the_root_is_that_of_a_rebuilt_trie() {
        let mut trie = SerialTrie::default();
        assert_eq!(trie.root(), EMPTY_ROOT_HASH);
        let mut slots = Vec::new();
        for round in 0..6_u64 {
            for index in 0..40 * round {
                let (slot, value) = (U256::from(index * 7 % 97), U256::from(index * round + 1));
                slots.retain(|(known, _)| *known != slot);
                slots.push((slot, value));
                trie.insert(keccak256(slot.to_be_bytes::<32>()), alloy_rlp::encode(value));
            }
            assert_eq!(trie.root(), braid_storage::storage_root(slots.iter().copied()));
        }
    }
}
