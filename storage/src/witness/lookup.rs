//! Reading: one path at a time, or every known leaf.

use super::{
    error::{MalformedNode, Trie, WitnessError},
    nodes::{Nodes, Undecoded},
};
use alloy_primitives::B256;
use alloy_trie::{
    Nibbles,
    nodes::{RlpNode, TrieNode},
};

/// Value under a hashed key of the trie with this root; `None` is a proof of absence.
pub(super) fn get(nodes: &Nodes, trie: Trie, root: B256, key: B256) -> Result<Option<Vec<u8>>, WitnessError> {
    let key = Nibbles::unpack(key);
    let mut path = Nibbles::new();
    let mut reference = Nodes::root(root);
    loop {
        let node = nodes.decode(trie, path, &reference).map_err(|error| error.on_path(trie, path))?;
        let rest = key.slice(path.len()..);
        match node {
            TrieNode::EmptyRoot => return Ok(None),
            TrieNode::Leaf(leaf) => return Ok((leaf.key == rest).then_some(leaf.value)),
            TrieNode::Extension(extension) => {
                if !rest.starts_with(&extension.key) {
                    return Ok(None);
                }
                path = path.join(&extension.key);
                reference = extension.child;
            }
            TrieNode::Branch(branch) => {
                let nibble = key.get_unchecked(path.len());
                let branch = branch.as_ref();
                let Some((_, Some(child))) = branch.children().find(|(index, _)| *index == nibble) else {
                    return Ok(None);
                };
                path.push(nibble);
                reference = child.clone();
            }
        }
    }
}

/// What is done with the hashed key and the value of a leaf.
pub(super) type Visit<'a> = dyn FnMut(B256, &[u8]) -> Result<(), WitnessError> + 'a;

/// Calls `visit` with the hashed key and value of every leaf whose whole path is known, in the order of the keys.
///
/// Keys of an honest trie are hashes, so no node occurs in it twice. The walk stops with an error once it has met more
/// nodes than there are: sixty nodes that refer to one another sixteen times each would keep it busy for ever.
pub(super) fn visit_leaves(nodes: &Nodes, trie: Trie, root: B256, visit: &mut Visit<'_>) -> Result<(), WitnessError> {
    let mut walk = LeafWalk { nodes, trie, unmet: nodes.len(), visit };
    walk.below(Nibbles::new(), &Nodes::root(root))
}

struct LeafWalk<'a, 'v> {
    nodes: &'a Nodes,
    trie: Trie,
    /// How many nodes may still be met by their hash.
    unmet: usize,
    visit: &'a mut Visit<'v>,
}

impl LeafWalk<'_, '_> {
    fn below(&mut self, path: Nibbles, reference: &RlpNode) -> Result<(), WitnessError> {
        let node = match self.nodes.decode(self.trie, path, reference) {
            Ok(node) => node,
            Err(Undecoded::Missing(_)) => return Ok(()),
            Err(Undecoded::Invalid(error)) => return Err(error),
        };
        if reference.is_hash() && !matches!(node, TrieNode::EmptyRoot) {
            self.unmet = self.unmet.checked_sub(1).ok_or(WitnessError::MalformedNode {
                trie: self.trie,
                path,
                reason: MalformedNode::Repeated,
            })?;
        }
        match node {
            TrieNode::EmptyRoot => Ok(()),
            TrieNode::Leaf(leaf) => {
                let key = path.join(&leaf.key).pack();
                (self.visit)(B256::from_slice(&key), &leaf.value)
            }
            TrieNode::Extension(extension) => self.below(path.join(&extension.key), &extension.child),
            TrieNode::Branch(branch) => {
                for (nibble, child) in branch.as_ref().children() {
                    let Some(child) = child else { continue };
                    let mut below = path;
                    below.push(nibble);
                    self.below(below, child)?;
                }
                Ok(())
            }
        }
    }
}
