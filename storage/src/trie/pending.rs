//! Branches whose references are not computed yet.
//!
//! While an update goes through a trie it hashes nothing: it only says which branches there are afterwards and what stands in them.
//! [`Pending::settle`] then goes through the levels from the leaves up, and hashes all nodes of a level together
//! ([`crate::keccak`]).

use super::{
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
use std::ops::Range;

/// A reference is at least this long when it is a hash; shorter nodes stand in their parent as they are.
const HASHED: usize = 32;

/// A leaf whose reference is not known yet, and where it goes.
#[derive(Debug)]
struct PendingLeaf<V> {
    node: u32,
    nibble: u8,
    key: B256,
    value: V,
}

#[derive(Debug)]
struct PendingNode {
    /// Which of several tries it belongs to.
    trie: u32,
    path: Nibbles,
    /// The branch with the children whose references are known.
    branch: Box<Branch>,
    /// What is stored at the path.
    stored: Option<NodeBytes>,
    /// Its pending branches among the links.
    links: Range<u32>,
    /// Levels of pending branches below.
    height: u32,
}

/// Branches of one or more tries that wait for their references.
#[derive(Debug)]
pub(super) struct Pending<V> {
    nodes: Vec<PendingNode>,
    leaves: Vec<PendingLeaf<V>>,
    /// Nibble and number of every pending branch, beside its siblings.
    links: Vec<(u8, u32)>,
    /// Links that belong to a branch already.
    linked: u32,
    height: u32,
}

impl<V> Default for Pending<V> {
    fn default() -> Self {
        Self { nodes: Vec::new(), leaves: Vec::new(), links: Vec::new(), linked: 0, height: 0 }
    }
}

impl<V: LeafValue> Pending<V> {
    /// Says that the next branch has this leaf under a nibble.
    pub(super) fn leaf(&mut self, nibble: u8, key: B256, value: V) {
        self.leaves.push(PendingLeaf { node: self.nodes.len() as u32, nibble, key, value });
    }

    /// Says that the next branch has this pending branch under a nibble or, over an extension, below it.
    pub(super) fn link(&mut self, nibble: u8, node: u32) {
        self.links.push((nibble, node));
    }

    /// Adds a branch at a path, of which the children that are not pending are known; gives its number.
    pub(super) fn branch(&mut self, trie: u32, path: Nibbles, branch: Box<Branch>, stored: Option<NodeBytes>) -> u32 {
        let links = self.linked..self.links.len() as u32;
        self.linked = links.end;
        let below = self.links[links.start as usize..].iter().map(|(_, node)| self.nodes[*node as usize].height + 1);
        let height = below.max().unwrap_or_default();
        self.height = self.height.max(height);
        self.nodes.push(PendingNode { trie, path, branch, stored, links, height });
        self.nodes.len() as u32 - 1
    }

    /// Computes all references, by the numbers of the branches, and says which stored branches change in each of the tries.
    pub(super) fn settle(self, changes: &mut [NodeChanges]) -> Vec<RlpNode> {
        let Self { mut nodes, leaves, links, height, .. } = self;
        let mut references = vec![RlpNode::default(); nodes.len()];
        if nodes.is_empty() {
            return references;
        }
        let mut hashing = Hashing::default();
        settle_leaves(&mut nodes, &leaves, &mut hashing);
        let mut by_height = vec![Vec::new(); height as usize + 1];
        for (index, node) in nodes.iter().enumerate() {
            by_height[node.height as usize].push(index);
        }
        let mut scratch = Vec::new();
        for level in by_height {
            for index in level {
                for link in nodes[index].links.clone() {
                    let (nibble, node) = links[link as usize];
                    let extension = nodes[node as usize].path.slice(nodes[index].path.len() + 1..);
                    let reference = references[node as usize].clone();
                    nodes[index].branch.set(nibble, Child::Branch { extension, reference });
                }
                let PendingNode { trie, path, branch, stored, .. } = &nodes[index];
                branch.encode(&mut scratch);
                if stored.as_deref() != Some(&scratch) {
                    changes[*trie as usize].push((*path, Some(scratch.as_slice().into())));
                }
                branch.append_rlp(hashing.messages.buffer(), &mut scratch);
                hashing.end(index);
            }
            hashing.finish(|index, reference| references[index] = reference);
        }
        references
    }
}

/// Puts the references of all pending leaves into their branches.
fn settle_leaves<V: LeafValue>(nodes: &mut [PendingNode], leaves: &[PendingLeaf<V>], hashing: &mut Hashing) {
    let mut value = Vec::new();
    for (index, leaf) in leaves.iter().enumerate() {
        value.clear();
        leaf.value.encode_value(&mut value);
        let depth = nodes[leaf.node as usize].path.len() + 1;
        append_leaf_rlp(depth, &leaf.key, &value, hashing.messages.buffer());
        hashing.end(index);
    }
    hashing.finish(|index, reference| {
        let leaf = &leaves[index];
        nodes[leaf.node as usize].branch.set(leaf.nibble, Child::Leaf(reference));
    });
}

/// Appends the RLP of a leaf that stands `depth` nibbles below the root.
fn append_leaf_rlp(depth: usize, key: &B256, value: &[u8], buffer: &mut Vec<u8>) {
    let rest = Nibbles::unpack(key).slice(depth..);
    alloy_rlp::Encodable::encode(&LeafNodeRef::new(&rest, value), buffer);
}

/// Nodes that are hashed together, each with a number by which it is known.
#[derive(Debug, Default)]
struct Hashing {
    messages: Messages,
    numbers: Vec<usize>,
    /// Those that are too short to be hashed.
    inline: Vec<(usize, RlpNode)>,
    hashes: Vec<B256>,
}

impl Hashing {
    /// Says which node it is that was appended last.
    fn end(&mut self, number: usize) {
        let start = self.messages.start();
        let node = &self.messages.buffer()[start..];
        if node.len() < HASHED {
            self.inline.push((number, RlpNode::from_rlp(node)));
            self.messages.discard();
        } else {
            self.numbers.push(number);
            self.messages.end();
        }
    }

    /// Gives the reference of every node.
    fn finish(&mut self, mut put: impl FnMut(usize, RlpNode)) {
        self.messages.hash(&mut self.hashes);
        for (number, hash) in self.numbers.drain(..).zip(&self.hashes) {
            put(number, RlpNode::word_rlp(hash));
        }
        for (number, reference) in self.inline.drain(..) {
            put(number, reference);
        }
    }
}
