//! Trie nodes by hash.

use super::error::{MalformedNode, Trie, WitnessError};
use alloy_primitives::{
    B256, Bytes, keccak256,
    map::{B256Map, HashMap},
};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles,
    nodes::{RlpNode, TrieNode},
};

/// The nodes of a witness, each under its own hash.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    by_hash: B256Map<Bytes>,
}

/// Nibbles in a key.
pub(super) const KEY_NIBBLES: usize = 64;

impl Nodes {
    pub(super) fn new(nodes: impl IntoIterator<Item = Bytes>) -> Self {
        let nodes = nodes.into_iter();
        let mut by_hash = HashMap::with_capacity_and_hasher(nodes.size_hint().0.min(1 << 20), Default::default());
        by_hash.extend(nodes.map(|node| (keccak256(&node), node)));
        Self { by_hash }
    }

    /// How many different nodes there are.
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Reference to the root node with this hash.
    pub(super) fn root(hash: B256) -> RlpNode {
        RlpNode::word_rlp(&hash)
    }

    /// Decodes the node that a parent refers to, by hash or in place; `None` when it is referred to by a hash that the
    /// witness does not hold.
    ///
    /// What comes back keeps within the length of a key: a leaf ends at exactly 64 nibbles, everything else before, and
    /// an extension is not empty. So a walk along such nodes ends.
    pub(super) fn decode(&self, trie: Trie, path: Nibbles, reference: &RlpNode) -> Result<TrieNode, Undecoded> {
        let malformed = |reason| Undecoded::Invalid(WitnessError::MalformedNode { trie, path, reason });
        let node = match reference.as_hash() {
            Some(EMPTY_ROOT_HASH) if path.is_empty() => return Ok(TrieNode::EmptyRoot),
            Some(hash) => {
                let bytes = self.by_hash.get(&hash).ok_or(Undecoded::Missing(hash))?;
                decode_exact(bytes)
            }
            None => decode_exact(reference),
        };
        let node = node.map_err(|error| malformed(error.into()))?;
        match &node {
            TrieNode::EmptyRoot if !path.is_empty() => Err(malformed(MalformedNode::Empty)),
            TrieNode::Leaf(leaf) if path.len() + leaf.key.len() != KEY_NIBBLES => {
                Err(malformed(MalformedNode::PathLength))
            }
            TrieNode::Extension(extension) if extension.key.is_empty() => Err(malformed(MalformedNode::Extension)),
            TrieNode::Extension(extension) if path.len() + extension.key.len() >= KEY_NIBBLES => {
                Err(malformed(MalformedNode::PathLength))
            }
            TrieNode::Branch(_) if path.len() >= KEY_NIBBLES => Err(malformed(MalformedNode::PathLength)),
            TrieNode::Branch(branch) if branch.stack.len() < 2 => Err(malformed(MalformedNode::Branch)),
            _ => Ok(node),
        }
    }
}

/// Why a reference could not be followed.
pub(super) enum Undecoded {
    /// The witness does not hold the node.
    Missing(B256),
    /// The node is malformed.
    Invalid(WitnessError),
}

impl Undecoded {
    /// The error for a read or write whose own path leads here.
    pub(super) fn on_path(self, trie: Trie, path: Nibbles) -> WitnessError {
        match self {
            Self::Missing(hash) => WitnessError::MissingNode { trie, path, hash },
            Self::Invalid(error) => error,
        }
    }

    /// The error for the sibling of a removed key.
    pub(super) fn on_sibling(self, trie: Trie, path: Nibbles) -> WitnessError {
        match self {
            Self::Missing(hash) => WitnessError::MissingSibling { trie, path, hash },
            Self::Invalid(error) => error,
        }
    }
}

fn decode_exact(mut bytes: &[u8]) -> alloy_rlp::Result<TrieNode> {
    let node = TrieNode::decode(&mut bytes)?;
    if bytes.is_empty() { Ok(node) } else { Err(alloy_rlp::Error::UnexpectedLength) }
}
