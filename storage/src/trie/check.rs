//! A walk that computes every hash of a trie anew.

use super::{
    key,
    node::{Branch, Child, Stored, extend},
    source::LeafValue,
    update::leaf_rlp,
};
use crate::{StorageError, witness::Trie};
use alloy_primitives::{B256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, nodes::RlpNode};

/// Gives the next leaf of the trie, in the order of the keys.
pub(crate) type NextLeaf<'a, V> = dyn FnMut() -> Result<Option<(B256, V)>, StorageError> + 'a;

/// Gives the node that is stored under a path.
pub(crate) type StoredNode<'a> = dyn Fn(&Nibbles) -> Result<Option<Vec<u8>>, StorageError> + 'a;

/// Checks that the stored nodes over the leaves have this root, and gives their number. It takes as many leaves as the
/// nodes have places for.
pub(crate) fn check_trie<V: LeafValue>(
    trie: Trie,
    root: B256,
    node: &StoredNode<'_>,
    next_leaf: &mut NextLeaf<'_, V>,
) -> Result<u64, StorageError> {
    if root == EMPTY_ROOT_HASH {
        return Ok(0);
    }
    let mut check = Check { trie, node, next_leaf, nodes: 0, buffer: Vec::new(), value: Vec::new() };
    let place = Nibbles::new();
    let reference = match node(&place)? {
        None => check.leaf(&place)?,
        Some(bytes) => match Stored::decode(&bytes, 0) {
            None => return Err(StorageError::MalformedNode { trie, path: place }),
            Some(Stored::Branch(branch)) => check.branch(&place, &branch)?,
            Some(Stored::RootExtension { path, reference }) => {
                check.nodes += 1;
                let actual = check.stored_branch(&path)?;
                check.compare(&path, &reference, &actual)?;
                extend(&path, &actual, &mut check.buffer)
            }
        },
    };
    // A root is referred to by its hash even when it is short.
    let actual = reference.as_hash().unwrap_or_else(|| keccak256(&reference));
    check.compare(&place, &RlpNode::word_rlp(&root), &RlpNode::word_rlp(&actual))?;
    Ok(check.nodes)
}

struct Check<'a, 'b, V> {
    trie: Trie,
    node: &'a StoredNode<'b>,
    next_leaf: &'a mut NextLeaf<'b, V>,
    nodes: u64,
    buffer: Vec<u8>,
    value: Vec<u8>,
}

impl<V: LeafValue> Check<'_, '_, V> {
    /// The reference to the branch under a path, computed from the leaves.
    fn stored_branch(&mut self, path: &Nibbles) -> Result<RlpNode, StorageError> {
        let (trie, path) = (self.trie, *path);
        let bytes = (self.node)(&path)?.ok_or(StorageError::MissingNode { trie, path })?;
        match Stored::decode(&bytes, path.len()) {
            Some(Stored::Branch(branch)) => self.branch(&path, &branch),
            _ => Err(StorageError::MalformedNode { trie, path }),
        }
    }

    fn branch(&mut self, path: &Nibbles, branch: &Branch) -> Result<RlpNode, StorageError> {
        self.nodes += 1;
        for nibble in branch.nibbles() {
            let place = key::below(path, nibble);
            match branch.child(nibble) {
                Child::Empty => {}
                Child::Leaf(reference) => {
                    let actual = self.leaf(&place)?;
                    self.compare(&place, &reference, &actual)?;
                }
                Child::Branch { extension, reference } => {
                    let below = place.join(&extension);
                    let actual = self.stored_branch(&below)?;
                    self.compare(&below, &reference, &actual)?;
                }
            }
        }
        Ok(branch.encode_rlp(&mut self.buffer))
    }

    /// The reference to the next leaf, which must stand at this place.
    fn leaf(&mut self, place: &Nibbles) -> Result<RlpNode, StorageError> {
        match (self.next_leaf)()? {
            Some((key, value)) if Nibbles::unpack(key).starts_with(place) => {
                Ok(leaf_rlp(place, &key, &value, &mut self.value, &mut self.buffer))
            }
            _ => Err(StorageError::MissingNode { trie: self.trie, path: *place }),
        }
    }

    fn compare(&self, path: &Nibbles, recorded: &RlpNode, actual: &RlpNode) -> Result<(), StorageError> {
        if recorded == actual {
            return Ok(());
        }
        Err(StorageError::NodeDiffers { trie: self.trie, path: *path })
    }
}
