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

/// Children of a branch that changes reached, by nibble.
type Changed<V> = Vec<(u8, Subtree<V>)>;

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
        // A root is referred to by its hash even when it is short enough to stand in place.
        let hash = |reference: RlpNode| reference.as_hash().unwrap_or_else(|| keccak256(&reference));
        let root = match child_of(&place, after.clone(), &mut work) {
            Child::Empty => EMPTY_ROOT_HASH,
            Child::Leaf(reference) => hash(reference),
            Child::Branch { extension, reference } => hash(extend(&extension, &reference, &mut work.buffer)),
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
                    let mut branch = Box::<Branch>::default();
                    let fork = path.slice(..common);
                    let extension = path.slice(common + 1..);
                    branch.children[usize::from(path.get_unchecked(common))] = Child::Branch { extension, reference };
                    let changed = self.descend(&fork, &mut branch, changes, work)?;
                    self.assemble(fork, branch, changed, None, work)
                } else {
                    let (mut branch, bytes) = load_branch(self.source, &path)?;
                    let changed = self.descend(&path, &mut branch, changes, work)?;
                    self.assemble(path, branch, changed, Some(bytes), work)
                }
            }
        }
    }

    /// What becomes of the children of a branch at `path` that changes reach. They are taken out of the branch.
    fn descend(
        &self,
        path: &Nibbles,
        branch: &mut Branch,
        changes: &[Change<S::Value>],
        work: &mut Work,
    ) -> Result<Changed<S::Value>, StorageError> {
        let depth = path.len();
        let groups = changes.chunk_by(|a, b| key::nibble(&a.key, depth) == key::nibble(&b.key, depth));
        let mut tasks = groups.map(|group| {
            let nibble = key::nibble(&group[0].key, depth);
            let place = key::below(path, nibble);
            let before = take_child(&place, &mut branch.children[usize::from(nibble)]);
            (nibble, place, before, group)
        });
        if changes.len() < PARALLEL_CHANGES {
            return tasks
                .map(|(nibble, place, before, group)| Ok((nibble, self.subtree(place, before, group, work)?)))
                .collect();
        }
        let tasks: Vec<_> = tasks.by_ref().collect();
        let done = tasks
            .into_par_iter()
            .map(|(nibble, place, before, group)| {
                let mut work = Work::default();
                let after = self.subtree(place, before, group, &mut work)?;
                Ok((nibble, after, work.nodes))
            })
            .collect::<Result<Vec<_>, StorageError>>()?;
        Ok(work.gather(done))
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
        let children = if leaves.len() < PARALLEL_CHANGES {
            groups
                .map(|group| Ok((key::nibble(&group[0].0, depth), self.build(group, work)?)))
                .collect::<Result<_, StorageError>>()?
        } else {
            let done = groups
                .collect::<Vec<_>>()
                .into_par_iter()
                .map(|group| {
                    let mut work = Work::default();
                    Ok((key::nibble(&group[0].0, depth), self.build(group, &mut work)?, work.nodes))
                })
                .collect::<Result<Vec<_>, StorageError>>()?;
            work.gather(done)
        };
        self.assemble(path, Box::default(), children, None, work)
    }

    /// What a branch at `path` amounts to once the changed children are put in: itself, its only child, or nothing.
    fn assemble(
        &self,
        path: Nibbles,
        mut branch: Box<Branch>,
        changed: Changed<S::Value>,
        stored: Option<NodeBytes>,
        work: &mut Work,
    ) -> Result<Subtree<S::Value>, StorageError> {
        let is_there = |child: &Child| !matches!(child, Child::Empty);
        let unchanged = branch.children.iter().filter(|child| is_there(child)).count();
        let present = changed.iter().filter(|(_, child)| !matches!(child, Subtree::Empty)).count();
        if unchanged + present >= 2 {
            for (nibble, child) in changed {
                branch.children[usize::from(nibble)] = child_of(&key::below(&path, nibble), child, work);
            }
            branch.encode(&mut work.value);
            if stored.as_deref() != Some(&work.value) {
                work.nodes.push((path, Some(work.value.as_slice().into())));
            }
            let reference = branch.encode_rlp(&mut work.buffer);
            return Ok(Subtree::Branch { path, reference });
        }
        if stored.is_some() {
            work.nodes.push((path, None));
        }
        if let Some((nibble, child)) = changed.into_iter().find(|(_, child)| !matches!(child, Subtree::Empty)) {
            return self.moved_up(key::below(&path, nibble), child, work);
        }
        match (0u8..).zip(&mut branch.children).find(|(_, child)| is_there(child)) {
            None => Ok(Subtree::Empty),
            Some((nibble, child)) => {
                let place = key::below(&path, nibble);
                let child = take_child(&place, child);
                self.moved_up(place, child, work)
            }
        }
    }

    /// The only child of a branch, from the place it had below it.
    fn moved_up(
        &self,
        place: Nibbles,
        child: Subtree<S::Value>,
        work: &mut Work,
    ) -> Result<Subtree<S::Value>, StorageError> {
        match child {
            Subtree::LeafReference(_) => {
                let (key, value) = load_leaf(self.source, &place)?;
                if let Some(siblings) = self.siblings {
                    leaf_rlp(&place, &key, &value, &mut work.value, &mut work.buffer);
                    siblings.lock().push(work.buffer.clone().into());
                }
                Ok(Subtree::Leaf { key, value })
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

impl Work {
    /// Takes in the nodes that parallel tasks gathered.
    fn gather<V>(&mut self, done: Vec<(u8, Subtree<V>, NodeChanges)>) -> Changed<V> {
        done.into_iter()
            .map(|(nibble, after, nodes)| {
                self.nodes.extend(nodes);
                (nibble, after)
            })
            .collect()
    }
}

/// Takes a child of a branch out of it, as what stands at its place.
fn take_child<V>(place: &Nibbles, child: &mut Child) -> Subtree<V> {
    match std::mem::take(child) {
        Child::Empty => Subtree::Empty,
        Child::Leaf(reference) => Subtree::LeafReference(reference),
        Child::Branch { extension, reference } => Subtree::Branch { path: place.join(&extension), reference },
    }
}

/// What stands at a place as a child of the branch above.
fn child_of<V: LeafValue>(place: &Nibbles, subtree: Subtree<V>, work: &mut Work) -> Child {
    match subtree {
        Subtree::Empty => Child::Empty,
        Subtree::LeafReference(reference) => Child::Leaf(reference),
        Subtree::Leaf { key, value } => Child::Leaf(leaf_rlp(place, &key, &value, &mut work.value, &mut work.buffer)),
        Subtree::Branch { path, reference } => Child::Branch { extension: path.slice(place.len()..), reference },
    }
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
