//! Branches whose references are not computed yet.
//!
//! While an update goes through a trie it hashes nothing: it only says which branches there are afterwards and what stands in them.
//! [`Pending::settle`] then goes through the levels from the leaves up, and hashes all nodes of a level together
//! ([`crate::keccak`]).

use super::{
    key,
    node::{Branch, Child},
    source::{LeafValue, NodeBytes},
    update::NodeChanges,
};
use crate::keccak::Messages;
use alloy_primitives::B256;
use alloy_trie::{
    Nibbles,
    nodes::{LeafNodeRef, RlpNode},
};

/// A reference is at least this long when it is a hash; shorter nodes stand in their parent as they are.
const HASHED: usize = 32;

/// A child whose reference is not known yet.
#[derive(Debug)]
pub(super) enum PendingChild<V> {
    Leaf {
        key: B256,
        value: V,
    },
    /// A branch at a path, by its number.
    Branch {
        path: Nibbles,
        node: u32,
    },
}

#[derive(Debug)]
struct PendingNode<V> {
    /// Which of several tries it belongs to.
    trie: u32,
    path: Nibbles,
    /// The branch with the children whose references are known.
    branch: Box<Branch>,
    /// What is stored at the path.
    stored: Option<NodeBytes>,
    children: Vec<(u8, PendingChild<V>)>,
    /// Levels of pending branches below.
    height: u32,
}

/// Branches of one or more tries that wait for their references.
#[derive(Debug)]
pub(super) struct Pending<V> {
    nodes: Vec<PendingNode<V>>,
    height: u32,
}

impl<V> Default for Pending<V> {
    fn default() -> Self {
        Self { nodes: Vec::new(), height: 0 }
    }
}

impl<V: LeafValue> Pending<V> {
    /// Adds a branch at a path, of which some children are known and some are pending; gives its number. The pending branches among
    /// its children were added before.
    pub(super) fn add(
        &mut self,
        trie: u32,
        path: Nibbles,
        branch: Box<Branch>,
        stored: Option<NodeBytes>,
        children: Vec<(u8, PendingChild<V>)>,
    ) -> u32 {
        let heights = children.iter().map(|(_, child)| match child {
            PendingChild::Leaf { .. } => 0,
            PendingChild::Branch { node, .. } => self.nodes[*node as usize].height + 1,
        });
        let height = heights.max().unwrap_or_default();
        self.height = self.height.max(height);
        self.nodes.push(PendingNode { trie, path, branch, stored, children, height });
        self.nodes.len() as u32 - 1
    }

    /// Computes all references, by the numbers of the branches, and says which stored branches change in each of the tries.
    pub(super) fn settle(self, changes: &mut [NodeChanges]) -> Vec<RlpNode> {
        let Self { mut nodes, height } = self;
        let mut references = vec![RlpNode::default(); nodes.len()];
        if nodes.is_empty() {
            return references;
        }
        let mut hashing = Hashing::default();
        settle_leaves(&mut nodes, &mut hashing);
        let mut by_height = vec![Vec::new(); height as usize + 1];
        for (index, node) in nodes.iter().enumerate() {
            by_height[node.height as usize].push(index);
        }
        let mut scratch = Vec::new();
        for level in by_height {
            for index in level {
                let PendingNode { trie, path, branch, stored, children, .. } = &mut nodes[index];
                for (nibble, child) in children.drain(..) {
                    if let PendingChild::Branch { path: below, node } = child {
                        let place = key::below(path, nibble);
                        let extension = below.slice(place.len()..);
                        let reference = references[node as usize].clone();
                        branch.set(nibble, Child::Branch { extension, reference });
                    }
                }
                branch.encode(&mut scratch);
                if stored.as_deref() != Some(&scratch) {
                    changes[*trie as usize].push((*path, Some(scratch.as_slice().into())));
                }
                branch.append_rlp(hashing.messages.buffer(), &mut scratch);
                hashing.end(index);
            }
            hashing.finish(|index, reference| references[*index] = reference);
        }
        references
    }
}

/// Puts the references of all pending leaves into their branches.
fn settle_leaves<V: LeafValue>(nodes: &mut [PendingNode<V>], hashing: &mut Hashing<usize>) {
    let mut hashing_leaves = Hashing { messages: std::mem::take(&mut hashing.messages), ..Hashing::default() };
    let mut value = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        for (nibble, child) in &node.children {
            if let PendingChild::Leaf { key, value: leaf } = child {
                value.clear();
                leaf.encode_value(&mut value);
                append_leaf_rlp(node.path.len() + 1, key, &value, hashing_leaves.messages.buffer());
                hashing_leaves.end((index, *nibble));
            }
        }
    }
    hashing_leaves.finish(|(index, nibble), reference| {
        nodes[*index].branch.set(*nibble, Child::Leaf(reference));
    });
    hashing.messages = hashing_leaves.messages;
}

/// Appends the RLP of a leaf that stands `depth` nibbles below the root.
fn append_leaf_rlp(depth: usize, key: &B256, value: &[u8], buffer: &mut Vec<u8>) {
    let rest = Nibbles::unpack(key).slice(depth..);
    alloy_rlp::Encodable::encode(&LeafNodeRef::new(&rest, value), buffer);
}

/// Messages that are hashed together, each with a note of what it is.
#[derive(Debug)]
struct Hashing<T> {
    messages: Messages,
    notes: Vec<T>,
    /// Those that are too short to be hashed.
    inline: Vec<(T, RlpNode)>,
    hashes: Vec<B256>,
}

impl<T> Default for Hashing<T> {
    fn default() -> Self {
        Self { messages: Messages::default(), notes: Vec::new(), inline: Vec::new(), hashes: Vec::new() }
    }
}

impl<T> Hashing<T> {
    /// Says what the node is that was appended last.
    fn end(&mut self, note: T) {
        let start = self.messages.start();
        let node = &self.messages.buffer()[start..];
        if node.len() < HASHED {
            self.inline.push((note, RlpNode::from_rlp(node)));
            self.messages.discard();
        } else {
            self.notes.push(note);
            self.messages.end();
        }
    }

    /// Gives the reference of every node.
    fn finish(&mut self, mut put: impl FnMut(&T, RlpNode)) {
        self.messages.hash(&mut self.hashes);
        for (note, hash) in self.notes.drain(..).zip(&self.hashes) {
            put(&note, RlpNode::word_rlp(hash));
        }
        for (note, reference) in self.inline.drain(..) {
            put(&note, reference);
        }
    }
}
