//! Where an update or a proof finds the trie as it is.

use super::node::{Branch, Stored};
use crate::{StorageError, witness::Trie};
use alloy_primitives::{B256, U256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount, nodes::RlpNode};
use std::sync::Arc;

/// A stored node as bytes, shared between caches and layers.
pub(crate) type NodeBytes = Arc<[u8]>;

/// What stands in a leaf.
pub(crate) trait LeafValue: Copy + Send + Sync {
    /// Appends the RLP that is the value of the leaf.
    fn encode_value(&self, out: &mut Vec<u8>);
}

impl LeafValue for U256 {
    fn encode_value(&self, out: &mut Vec<u8>) {
        alloy_rlp::Encodable::encode(self, out);
    }
}

impl LeafValue for crate::encoding::HashedAccount {
    fn encode_value(&self, out: &mut Vec<u8>) {
        alloy_rlp::Encodable::encode(&TrieAccount::from(*self), out);
    }
}

/// One trie, as it is before a change.
pub(crate) trait TrieSource: Sync {
    /// What its leaves hold.
    type Value: LeafValue;

    /// Which trie it is, for errors.
    fn trie(&self) -> Trie;

    /// Its root.
    fn root(&self) -> B256;

    /// The node that is stored under a path.
    fn node(&self, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError>;

    /// The first leaf whose key starts with these nibbles.
    fn leaf_under(&self, prefix: &Nibbles) -> Result<Option<(B256, Self::Value)>, StorageError>;
}

/// What stands at a place of the trie.
#[derive(Clone, Debug)]
pub(super) enum Subtree<V> {
    /// Nothing.
    Empty,
    /// A leaf with its content.
    Leaf {
        /// The whole key.
        key: B256,
        /// Its value.
        value: V,
    },
    /// A leaf that is known only by its reference at this place.
    LeafReference(RlpNode),
    /// A branch at this place or, over an extension, below it.
    Branch {
        /// Where the branch itself stands.
        path: Nibbles,
        /// Reference to the branch itself.
        reference: RlpNode,
    },
    /// A branch at this place or below it that an update made, by its number among those whose references are to be computed.
    Pending {
        /// Where the branch itself stands.
        path: Nibbles,
        /// Number of the branch.
        node: u32,
    },
}

/// What stands at the root, and whether something is stored for it.
pub(super) fn load_root<S: TrieSource>(source: &S) -> Result<(Subtree<S::Value>, bool), StorageError> {
    let root = source.root();
    if root == EMPTY_ROOT_HASH {
        return Ok((Subtree::Empty, false));
    }
    let path = Nibbles::new();
    let Some(bytes) = source.node(&path)? else {
        return Ok((Subtree::LeafReference(RlpNode::word_rlp(&root)), false));
    };
    match Stored::decode(&bytes, 0).ok_or(StorageError::MalformedNode { trie: source.trie(), path })? {
        Stored::Branch(_) => Ok((Subtree::Branch { path, reference: RlpNode::word_rlp(&root) }, true)),
        Stored::RootExtension { path, reference } => Ok((Subtree::Branch { path, reference }, true)),
    }
}

/// The branch that is stored under a path, with the bytes it was read from.
pub(super) fn load_branch<S: TrieSource>(source: &S, path: &Nibbles) -> Result<(Box<Branch>, NodeBytes), StorageError> {
    let trie = source.trie();
    let bytes = source.node(path)?.ok_or(StorageError::MissingNode { trie, path: *path })?;
    match Stored::decode(&bytes, path.len()) {
        Some(Stored::Branch(branch)) => Ok((branch, bytes)),
        _ => Err(StorageError::MalformedNode { trie, path: *path }),
    }
}

/// The one leaf that stands at a place.
pub(super) fn load_leaf<S: TrieSource>(source: &S, place: &Nibbles) -> Result<(B256, S::Value), StorageError> {
    source.leaf_under(place)?.ok_or(StorageError::MissingNode { trie: source.trie(), path: *place })
}
