//! Writing: the trie as a tree that is decoded only along the paths that change.
//!
//! Whatever no change touches stays the reference its parent had, so computing the root again costs the changed paths
//! alone. Insert before removing: a branch that loses one child and gains another never has to be merged with a child
//! that the witness may not hold.

use super::{
    error::{MalformedNode, Trie, WitnessError},
    nodes::Nodes,
};
use alloy_primitives::{B256, keccak256};
use alloy_rlp::EMPTY_STRING_CODE;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode, TrieNode},
};
use std::mem;

/// A trie of which some paths are decoded.
#[derive(Debug)]
pub(super) struct SparseTrie<'a> {
    nodes: &'a Nodes,
    trie: Trie,
    root: Node,
}

#[derive(Debug, Default)]
enum Node {
    #[default]
    Empty,
    /// Untouched: what its parent said of it.
    Reference(RlpNode),
    Leaf {
        key: Nibbles,
        value: Vec<u8>,
    },
    Extension {
        key: Nibbles,
        child: Box<Node>,
    },
    Branch(Box<[Node; 16]>),
}

impl<'a> SparseTrie<'a> {
    pub(super) fn new(nodes: &'a Nodes, trie: Trie, root: B256) -> Self {
        let root = if root == EMPTY_ROOT_HASH { Node::Empty } else { Node::Reference(Nodes::root(root)) };
        Self { nodes, trie, root }
    }

    /// Sets the value under a hashed key.
    pub(super) fn insert(&mut self, key: B256, value: Vec<u8>) -> Result<(), WitnessError> {
        let walk = Walk { nodes: self.nodes, trie: self.trie, key: Nibbles::unpack(key) };
        walk.insert(&mut self.root, 0, value)
    }

    /// Removes a hashed key; that it was absent is no error, that this cannot be told is one.
    pub(super) fn remove(&mut self, key: B256) -> Result<(), WitnessError> {
        let walk = Walk { nodes: self.nodes, trie: self.trie, key: Nibbles::unpack(key) };
        walk.remove(&mut self.root, 0)
    }

    /// Root hash of the trie as it is now.
    pub(super) fn root(&self) -> B256 {
        let mut buffer = Vec::with_capacity(544);
        match &self.root {
            Node::Empty => EMPTY_ROOT_HASH,
            node => {
                let reference = encode(node, &mut buffer);
                // A root is referred to by its hash even when it is short enough to stand in place.
                reference.as_hash().unwrap_or_else(|| keccak256(&reference))
            }
        }
    }
}

/// One descent along one key.
struct Walk<'a> {
    nodes: &'a Nodes,
    trie: Trie,
    key: Nibbles,
}

impl Walk<'_> {
    fn path(&self, depth: usize) -> Nibbles {
        self.key.slice(..depth)
    }

    fn malformed(&self, depth: usize, reason: MalformedNode) -> WitnessError {
        WitnessError::MalformedNode { trie: self.trie, path: self.path(depth), reason }
    }

    /// Decodes the node where it stands, if it is a reference still.
    fn resolve(&self, node: &mut Node, depth: usize) -> Result<(), WitnessError> {
        if let Node::Reference(reference) = node {
            let path = self.path(depth);
            let decoded =
                self.nodes.decode(self.trie, path, reference).map_err(|error| error.on_path(self.trie, path))?;
            *node = Node::from(decoded);
        }
        Ok(())
    }

    fn insert(&self, node: &mut Node, depth: usize, new_value: Vec<u8>) -> Result<(), WitnessError> {
        self.resolve(node, depth)?;
        let rest = self.key.slice(depth..);
        match node {
            Node::Empty => *node = Node::Leaf { key: rest, value: new_value },
            Node::Leaf { key, value } => {
                if *key == rest {
                    *value = new_value;
                    return Ok(());
                }
                let (key, value) = (*key, mem::take(value));
                let common = rest.common_prefix_length(&key);
                let mut children = <[Node; 16]>::default();
                children[usize::from(key.get_unchecked(common))] = Node::Leaf { key: key.slice(common + 1..), value };
                children[usize::from(rest.get_unchecked(common))] =
                    Node::Leaf { key: rest.slice(common + 1..), value: new_value };
                *node = Node::branch_under(rest.slice(..common), children);
            }
            Node::Extension { key, child } => {
                let common = rest.common_prefix_length(key);
                if common == key.len() {
                    return self.insert(child, depth + common, new_value);
                }
                let below = mem::take(&mut **child);
                let key = *key;
                let mut children = <[Node; 16]>::default();
                children[usize::from(key.get_unchecked(common))] = if common + 1 == key.len() {
                    below
                } else {
                    Node::Extension { key: key.slice(common + 1..), child: Box::new(below) }
                };
                children[usize::from(rest.get_unchecked(common))] =
                    Node::Leaf { key: rest.slice(common + 1..), value: new_value };
                *node = Node::branch_under(rest.slice(..common), children);
            }
            Node::Branch(children) => {
                let nibble = rest.first().ok_or_else(|| self.malformed(depth, MalformedNode::PathLength))?;
                return self.insert(&mut children[usize::from(nibble)], depth + 1, new_value);
            }
            Node::Reference(_) => panic!("reference at depth {depth} left after it was resolved"),
        }
        Ok(())
    }

    fn remove(&self, node: &mut Node, depth: usize) -> Result<(), WitnessError> {
        self.resolve(node, depth)?;
        let rest = self.key.slice(depth..);
        match node {
            Node::Empty => {}
            Node::Leaf { key, .. } => {
                if *key == rest {
                    *node = Node::Empty;
                }
            }
            Node::Extension { key, child } => {
                if rest.starts_with(key) {
                    self.remove(child, depth + key.len())?;
                    let below = mem::take(&mut **child);
                    *node = self.joined(*key, below, depth)?;
                }
            }
            Node::Branch(children) => {
                let nibble = rest.first().ok_or_else(|| self.malformed(depth, MalformedNode::PathLength))?;
                self.remove(&mut children[usize::from(nibble)], depth + 1)?;
                if !matches!(children[usize::from(nibble)], Node::Empty) {
                    return Ok(());
                }
                let mut left = (0u8..).zip(children.iter_mut()).filter(|(_, child)| !matches!(child, Node::Empty));
                match (left.next(), left.next()) {
                    (Some((sibling, child)), None) => {
                        let mut child = mem::take(child);
                        self.resolve_sibling(&mut child, depth, sibling)?;
                        *node = self.joined(Nibbles::from_nibbles([sibling]), child, depth)?;
                    }
                    (None, _) => *node = Node::Empty,
                    _ => {}
                }
            }
            Node::Reference(_) => panic!("reference at depth {depth} left after it was resolved"),
        }
        Ok(())
    }

    fn resolve_sibling(&self, node: &mut Node, branch_depth: usize, nibble: u8) -> Result<(), WitnessError> {
        if let Node::Reference(reference) = node {
            let mut path = self.path(branch_depth);
            path.push(nibble);
            let decoded =
                self.nodes.decode(self.trie, path, reference).map_err(|error| error.on_sibling(self.trie, path))?;
            *node = Node::from(decoded);
        }
        Ok(())
    }

    /// What stands for a node that is reached over `prefix` and has no sibling: leaves and extensions take the prefix
    /// into their own key.
    fn joined(&self, prefix: Nibbles, node: Node, depth: usize) -> Result<Node, WitnessError> {
        Ok(match node {
            Node::Empty => Node::Empty,
            Node::Leaf { key, value } => Node::Leaf { key: prefix.join(&key), value },
            Node::Extension { key, child } => Node::Extension { key: prefix.join(&key), child },
            branch @ Node::Branch(_) => Node::Extension { key: prefix, child: Box::new(branch) },
            Node::Reference(_) => return Err(self.malformed(depth, MalformedNode::Extension)),
        })
    }
}

impl Node {
    fn branch_under(prefix: Nibbles, children: [Self; 16]) -> Self {
        let branch = Self::Branch(Box::new(children));
        if prefix.is_empty() { branch } else { Self::Extension { key: prefix, child: Box::new(branch) } }
    }
}

impl From<TrieNode> for Node {
    fn from(node: TrieNode) -> Self {
        match node {
            TrieNode::EmptyRoot => Self::Empty,
            TrieNode::Leaf(leaf) => Self::Leaf { key: leaf.key, value: leaf.value },
            TrieNode::Extension(extension) => {
                Self::Extension { key: extension.key, child: Box::new(Self::Reference(extension.child)) }
            }
            TrieNode::Branch(branch) => {
                let mut children = <[Self; 16]>::default();
                for (index, child) in branch.as_ref().children() {
                    if let Some(child) = child {
                        children[usize::from(index)] = Self::Reference(child.clone());
                    }
                }
                Self::Branch(Box::new(children))
            }
        }
    }
}

/// How the parent of a node refers to it.
fn encode(node: &Node, buffer: &mut Vec<u8>) -> RlpNode {
    match node {
        Node::Empty => RlpNode::from_rlp(&[EMPTY_STRING_CODE]),
        Node::Reference(reference) => reference.clone(),
        Node::Leaf { key, value } => {
            buffer.clear();
            LeafNodeRef::new(key, value).rlp(buffer)
        }
        Node::Extension { key, child } => {
            let child = encode(child, buffer);
            buffer.clear();
            ExtensionNodeRef::new(key, &child).rlp(buffer)
        }
        Node::Branch(children) => {
            let mut mask = TrieMask::default();
            let mut stack = Vec::with_capacity(16);
            for (index, child) in (0u8..).zip(children.iter()) {
                if !matches!(child, Node::Empty) {
                    mask.set_bit(index);
                    stack.push(encode(child, buffer));
                }
            }
            buffer.clear();
            BranchNodeRef::new(&stack, mask).rlp(buffer)
        }
    }
}
