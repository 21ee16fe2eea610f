//! The nodes on the path to a key.

use super::{
    key,
    node::{Child, extend},
    source::{Subtree, TrieSource, load_branch, load_leaf, load_root},
    update::leaf_rlp,
};
use crate::StorageError;
use alloy_primitives::{B256, Bytes};
use alloy_trie::{Nibbles, nodes::RlpNode};

/// A path from the root towards a key.
#[derive(Clone, Debug)]
pub(crate) struct Path<V> {
    /// RLP of the nodes, from the root on. A node that stands in place inside its parent is not listed again. Of an
    /// empty trie there is none.
    pub(crate) nodes: Vec<Bytes>,
    /// Value of the key; `None` if the path proves its absence.
    pub(crate) value: Option<V>,
}

/// Walks from the root towards a key.
pub(crate) fn walk<S: TrieSource>(source: &S, key: B256) -> Result<Path<S::Value>, StorageError> {
    let whole = Nibbles::unpack(key);
    let mut path = Path { nodes: Vec::new(), value: None };
    let (mut subtree, _) = load_root(source)?;
    let mut place = Nibbles::new();
    let (mut buffer, mut value) = (Vec::new(), Vec::new());
    loop {
        match subtree {
            Subtree::Empty => return Ok(path),
            Subtree::Pending { path, .. } => panic!("a trie that was not changed has an unfinished branch at {path:?}"),
            Subtree::Leaf { .. } | Subtree::LeafReference(_) => {
                let (found, leaf) = load_leaf(source, &place)?;
                let reference = leaf_rlp(&place, &found, &leaf, &mut value, &mut buffer);
                list(&mut path, &reference, &buffer);
                path.value = (found == key).then_some(leaf);
                return Ok(path);
            }
            Subtree::Branch { path: end, reference } => {
                let extension = end.slice(place.len()..);
                if !extension.is_empty() {
                    let reference = extend(&extension, &reference, &mut buffer);
                    list(&mut path, &reference, &buffer);
                    if !whole.starts_with(&end) {
                        return Ok(path);
                    }
                }
                let (branch, _) = load_branch(source, &end)?;
                let reference = branch.encode_rlp(&mut buffer);
                list(&mut path, &reference, &buffer);
                let nibble = whole.get_unchecked(end.len());
                place = key::below(&end, nibble);
                subtree = match branch.child(nibble) {
                    Child::Empty => Subtree::Empty,
                    Child::Leaf(reference) => Subtree::LeafReference(reference),
                    Child::Branch { extension, reference } => {
                        Subtree::Branch { path: place.join(&extension), reference }
                    }
                };
            }
        }
    }
}

/// Reads the nodes on the path to a key without keeping them, so that a cache below holds them afterwards.
pub(crate) fn visit<S: TrieSource>(source: &S, key: B256) -> Result<(), StorageError> {
    let whole = Nibbles::unpack(key);
    let (mut subtree, _) = load_root(source)?;
    while let Subtree::Branch { path, .. } = subtree {
        if !whole.starts_with(&path) {
            break;
        }
        let (branch, _) = load_branch(source, &path)?;
        let nibble = whole.get_unchecked(path.len());
        subtree = match branch.child(nibble) {
            Child::Branch { extension, reference } => {
                Subtree::Branch { path: key::below(&path, nibble).join(&extension), reference }
            }
            _ => Subtree::Empty,
        };
    }
    Ok(())
}

fn list<V>(path: &mut Path<V>, reference: &RlpNode, rlp: &[u8]) {
    if path.nodes.is_empty() || reference.is_hash() {
        path.nodes.push(Bytes::copy_from_slice(rlp));
    }
}
