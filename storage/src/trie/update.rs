//! The trie after a batch of changes.
//!
//! Read [`Updater::subtree`]: given what stood at a place and the changes below it, it gives what stands there afterwards.
//! Only the caller, the branch above, decides how that is written: a leaf knows its whole key and a branch its whole path,
//! so something that moves up because its siblings went needs nothing but to be written again at its new place.
//!
//! Groups of changes with different nibbles are independent, so large ones are done in parallel.

use super::{
    key,
    node::{Branch, Child, Stored, extend},
    source::{NodeBytes, Subtree, TrieSource, load_branch, load_leaf, load_root},
};
use crate::{StorageError, trie::source::LeafValue};
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles,
    nodes::{LeafNodeRef, RlpNode},
};
use parking_lot::Mutex;
use rayon::prelude::*;

/// Fewer changes than this below one branch are done on one thread.
const PARALLEL_CHANGES: usize = 64;

/// A key with its new value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<V> {
    /// Hashed key.
    pub(crate) key: B256,
    /// The new value; `None` removes the key.
    pub(crate) value: Option<V>,
    /// Whether the key is known to be in the trie before the change. That saves looking at the leaf on its path; when in
    /// doubt, `false`.
    pub(crate) existed: bool,
}

/// Nodes that a batch of changes writes and removes.
pub(crate) type NodeChanges = Vec<(Nibbles, Option<NodeBytes>)>;

/// A trie after a batch of changes.
#[derive(Debug)]
pub(crate) struct Updated {
    /// Its root.
    pub(crate) root: B256,
    /// Stored nodes that differ; where a path comes twice, the last one counts.
    pub(crate) nodes: NodeChanges,
}

/// Nodes that a verifier needs to apply the changes and that are on no path to a changed key.
pub(crate) type Siblings = Mutex<Vec<Bytes>>;

/// Applies changes that are sorted by key, each key once.
pub(crate) fn update<S: TrieSource>(source: &S, changes: &[Change<S::Value>]) -> Result<Updated, StorageError> {
    Updater { source, siblings: None }.run(changes)
}

/// The same, and collects what a stateless verifier needs beside the paths to the changed keys.
pub(crate) fn update_with_siblings<S: TrieSource>(
    source: &S,
    changes: &[Change<S::Value>],
    siblings: &Siblings,
) -> Result<Updated, StorageError> {
    Updater { source, siblings: Some(siblings) }.run(changes)
}

struct Updater<'a, S> {
    source: &'a S,
    siblings: Option<&'a Siblings>,
}

/// What a task gathers and reuses.
#[derive(Default)]
struct Work {
    nodes: NodeChanges,
    buffer: Vec<u8>,
    value: Vec<u8>,
}

impl<S: TrieSource> Updater<'_, S> {
    fn run(&self, changes: &[Change<S::Value>]) -> Result<Updated, StorageError> {
        debug_assert!(changes.is_sorted_by(|a, b| a.key < b.key), "changes must be sorted, each key once");
        if changes.is_empty() {
            return Ok(Updated { root: self.source.root(), nodes: Vec::new() });
        }
        let (before, stored) = load_root(self.source)?;
        let mut work = Work::default();
        let place = Nibbles::new();
        let after = self.subtree(place, before, changes, &mut work)?;
        let root = match &after {
            Subtree::Empty => EMPTY_ROOT_HASH,
            after => {
                let reference = reference(&place, after, &mut work);
                // A root is referred to by its hash even when it is short enough to stand in place.
                reference.as_hash().unwrap_or_else(|| keccak256(&reference))
            }
        };
        match after {
            Subtree::Branch { path, reference } if !path.is_empty() => {
                let bytes = Stored::encode_root_extension(&path, &reference);
                work.nodes.push((place, Some(bytes.into())));
            }
            Subtree::Branch { .. } => {}
            _ if stored => work.nodes.push((place, None)),
            _ => {}
        }
        Ok(Updated { root, nodes: work.nodes })
    }

    /// What stands at `place` after the changes below it, which are at least one.
    fn subtree(
        &self,
        place: Nibbles,
        before: Subtree<S::Value>,
        changes: &[Change<S::Value>],
        work: &mut Work,
    ) -> Result<Subtree<S::Value>, StorageError> {
        match before {
            Subtree::Empty => self.build(&present(changes), work),
            Subtree::Leaf { key, value } => self.build(&with_leaf(key, value, changes), work),
            Subtree::LeafReference(_) => {
                if let [change] = changes
                    && change.existed
                {
                    return Ok(match change.value {
                        Some(value) => Subtree::Leaf { key: change.key, value },
                        None => Subtree::Empty,
                    });
                }
                let (key, value) = load_leaf(self.source, &place)?;
                self.build(&with_leaf(key, value, changes), work)
            }
            Subtree::Branch { path, reference } => {
                let first = key::common_with_path(&changes[0].key, &path);
                let last = key::common_with_path(&changes[changes.len() - 1].key, &path);
                let common = first.min(last);
                if common < path.len() {
                    // Some keys leave the extension, so there is a fork in it.
                    let mut children = empty_children();
                    let fork = path.slice(..common);
                    children[usize::from(path.get_unchecked(common))] = Subtree::Branch { path, reference };
                    self.descend(&fork, &mut children, changes, work)?;
                    self.assemble(fork, children, None, work)
                } else {
                    let (branch, bytes) = load_branch(self.source, &path)?;
                    let mut children = branch.children.map(|child| match child {
                        Child::Empty => Subtree::Empty,
                        Child::Leaf(reference) => Subtree::LeafReference(reference),
                        Child::Branch { extension, reference } => Subtree::Branch { path: extension, reference },
                    });
                    for (nibble, child) in (0u8..).zip(&mut children) {
                        if let Subtree::Branch { path: extension, .. } = child {
                            *extension = key::below(&path, nibble).join(extension);
                        }
                    }
                    self.descend(&path, &mut children, changes, work)?;
                    self.assemble(path, children, Some(bytes), work)
                }
            }
        }
    }

    /// Applies the changes to the children of a branch at `path`.
    fn descend(
        &self,
        path: &Nibbles,
        children: &mut [Subtree<S::Value>; 16],
        changes: &[Change<S::Value>],
        work: &mut Work,
    ) -> Result<(), StorageError> {
        let depth = path.len();
        let groups = changes.chunk_by(|a, b| key::nibble(&a.key, depth) == key::nibble(&b.key, depth));
        if changes.len() < PARALLEL_CHANGES {
            for group in groups {
                let nibble = key::nibble(&group[0].key, depth);
                let child = &mut children[usize::from(nibble)];
                let before = std::mem::replace(child, Subtree::Empty);
                *child = self.subtree(key::below(path, nibble), before, group, work)?;
            }
            return Ok(());
        }
        let tasks: Vec<_> = groups
            .map(|group| {
                let nibble = key::nibble(&group[0].key, depth);
                (nibble, std::mem::replace(&mut children[usize::from(nibble)], Subtree::Empty), group)
            })
            .collect();
        let done = tasks
            .into_par_iter()
            .map(|(nibble, before, group)| {
                let mut work = Work::default();
                let after = self.subtree(key::below(path, nibble), before, group, &mut work)?;
                Ok((nibble, after, work.nodes))
            })
            .collect::<Result<Vec<_>, StorageError>>()?;
        for (nibble, after, nodes) in done {
            children[usize::from(nibble)] = after;
            work.nodes.extend(nodes);
        }
        Ok(())
    }

    /// A trie of these leaves alone.
    fn build(&self, leaves: &[(B256, S::Value)], work: &mut Work) -> Result<Subtree<S::Value>, StorageError> {
        let (first, last) = match leaves {
            [] => return Ok(Subtree::Empty),
            [(key, value)] => return Ok(Subtree::Leaf { key: *key, value: *value }),
            [(first, _), .., (last, _)] => (first, last),
        };
        let depth = key::common(first, last);
        let path = Nibbles::unpack(first).slice(..depth);
        let groups = leaves.chunk_by(|a, b| key::nibble(&a.0, depth) == key::nibble(&b.0, depth));
        let mut children = empty_children();
        if leaves.len() < PARALLEL_CHANGES {
            for group in groups {
                children[usize::from(key::nibble(&group[0].0, depth))] = self.build(group, work)?;
            }
        } else {
            let done = groups
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(|group| {
                    let mut work = Work::default();
                    Ok((key::nibble(&group[0].0, depth), self.build(group, &mut work)?, work.nodes))
                })
                .collect::<Result<Vec<_>, StorageError>>()?;
            for (nibble, child, nodes) in done {
                children[usize::from(nibble)] = child;
                work.nodes.extend(nodes);
            }
        }
        self.assemble(path, children, None, work)
    }

    /// What a branch at `path` with these children amounts to: itself, its only child, or nothing.
    fn assemble(
        &self,
        path: Nibbles,
        mut children: [Subtree<S::Value>; 16],
        stored: Option<NodeBytes>,
        work: &mut Work,
    ) -> Result<Subtree<S::Value>, StorageError> {
        let mut left = (0u8..).zip(&children).filter(|(_, child)| !matches!(child, Subtree::Empty));
        let one = match (left.next(), left.next()) {
            (None, _) => None,
            (Some((nibble, _)), None) => Some(nibble),
            _ => {
                let branch = Branch {
                    children: std::array::from_fn(|nibble| {
                        let place = key::below(&path, nibble as u8);
                        match &children[nibble] {
                            Subtree::Empty => Child::Empty,
                            Subtree::Branch { path, reference } => Child::Branch {
                                extension: path.slice(place.len()..),
                                reference: reference.clone(),
                            },
                            leaf => Child::Leaf(reference(&place, leaf, work)),
                        }
                    }),
                };
                let bytes = branch.encode();
                let reference = branch.encode_rlp(&mut work.buffer);
                if stored.as_deref() != Some(&bytes) {
                    work.nodes.push((path, Some(bytes.into())));
                }
                return Ok(Subtree::Branch { path, reference });
            }
        };
        if stored.is_some() {
            work.nodes.push((path, None));
        }
        let Some(nibble) = one else { return Ok(Subtree::Empty) };
        let place = key::below(&path, nibble);
        match std::mem::replace(&mut children[usize::from(nibble)], Subtree::Empty) {
            Subtree::LeafReference(_) => {
                let (key, value) = load_leaf(self.source, &place)?;
                let leaf = Subtree::Leaf { key, value };
                if let Some(siblings) = self.siblings {
                    reference(&place, &leaf, work);
                    siblings.lock().push(work.buffer.clone().into());
                }
                Ok(leaf)
            }
            Subtree::Branch { path, reference } => {
                if let Some(siblings) = self.siblings {
                    if place == path {
                        // It may be a branch that these very changes made; then no verifier misses it.
                        if let Some(bytes) = self.source.node(&path)?
                            && let Some(Stored::Branch(branch)) = Stored::decode(&bytes, path.len())
                        {
                            branch.encode_rlp(&mut work.buffer);
                            siblings.lock().push(work.buffer.clone().into());
                        }
                    } else {
                        extend(&path.slice(place.len()..), &reference, &mut work.buffer);
                        siblings.lock().push(work.buffer.clone().into());
                    }
                }
                Ok(Subtree::Branch { path, reference })
            }
            other => Ok(other),
        }
    }
}

fn empty_children<V>() -> [Subtree<V>; 16] {
    std::array::from_fn(|_| Subtree::Empty)
}

/// The leaves that the changes leave where nothing was before.
fn present<V: LeafValue>(changes: &[Change<V>]) -> Vec<(B256, V)> {
    changes.iter().filter_map(|change| change.value.map(|value| (change.key, value))).collect()
}

/// The leaves that the changes leave where one leaf was before.
fn with_leaf<V: LeafValue>(key: B256, value: V, changes: &[Change<V>]) -> Vec<(B256, V)> {
    let mut leaves = present(changes);
    if let Err(index) = changes.binary_search_by_key(&key, |change| change.key) {
        let before = changes[..index].iter().filter(|change| change.value.is_some()).count();
        leaves.insert(before, (key, value));
    }
    leaves
}

/// How something that is not empty is referred to from a place; the node is left in the buffer unless it was known by its
/// reference alone.
fn reference<V: LeafValue>(place: &Nibbles, subtree: &Subtree<V>, work: &mut Work) -> RlpNode {
    match subtree {
        Subtree::Empty => panic!("nothing stands at {place:?}, so nothing can refer to it"),
        Subtree::LeafReference(reference) => reference.clone(),
        Subtree::Leaf { key, value } => leaf_rlp(place, key, value, &mut work.value, &mut work.buffer),
        Subtree::Branch { path, reference } => extend(&path.slice(place.len()..), reference, &mut work.buffer),
    }
}

/// Writes a leaf at a place as RLP into `buffer` and returns its reference.
pub(super) fn leaf_rlp<V: LeafValue>(
    place: &Nibbles,
    key: &B256,
    leaf: &V,
    value: &mut Vec<u8>,
    buffer: &mut Vec<u8>,
) -> RlpNode {
    value.clear();
    leaf.encode_value(value);
    buffer.clear();
    LeafNodeRef::new(&Nibbles::unpack(key).slice(place.len()..), value).rlp(buffer)
}
