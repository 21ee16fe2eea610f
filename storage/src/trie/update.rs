//! The trie after a batch of changes.
//!
//! Read [`Updater::subtree`]: given what stood at a place and the changes below it, it gives what stands there afterwards.
//! Only the caller, the branch above, decides how that is written: a leaf knows its whole key and a branch its whole path,
//! so something that moves up because its siblings went needs nothing but to be written again at its new place.
//!
//! Groups of changes with different nibbles are independent, so large ones are done in parallel. Within a group nothing is hashed on
//! the way: see [`super::pending`].

use super::{
    key,
    node::{Branch, Child, Stored, extend},
    pending::Pending,
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
use smallvec::SmallVec;

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
    let mut updated = update_all(&[(source, changes)])?;
    Ok(updated.swap_remove(0))
}

/// [`update`] for several tries whose nodes are hashed together: for many tries with few changes each.
pub(crate) fn update_all<S: TrieSource>(tries: &[(&S, &[Change<S::Value>])]) -> Result<Vec<Updated>, StorageError> {
    run(tries, None)
}

/// [`update`] that collects what a stateless verifier needs beside the paths to the changed keys.
pub(crate) fn update_with_siblings<S: TrieSource>(
    source: &S,
    changes: &[Change<S::Value>],
    siblings: &Siblings,
) -> Result<Updated, StorageError> {
    let mut updated = run(&[(source, changes)], Some(siblings))?;
    Ok(updated.swap_remove(0))
}

fn run<S: TrieSource>(
    tries: &[(&S, &[Change<S::Value>])],
    siblings: Option<&Siblings>,
) -> Result<Vec<Updated>, StorageError> {
    let mut work = Work::new(tries.len());
    let mut after = Vec::with_capacity(tries.len());
    for (index, (source, changes)) in tries.iter().enumerate() {
        debug_assert!(changes.is_sorted_by(|a, b| a.key < b.key), "changes must be sorted, each key once");
        work.trie = index;
        after.push(if changes.is_empty() {
            None
        } else {
            let (before, stored) = load_root(*source)?;
            let subtree = Updater { source: *source, siblings }.subtree(Nibbles::new(), before, changes, &mut work)?;
            Some((subtree, stored))
        });
    }
    let settled = work.settle(after.iter_mut().flatten().map(|(subtree, _)| subtree));
    let updated = settled.into_iter().zip(after).zip(tries).map(|((mut nodes, after), (source, _))| {
        let Some((subtree, stored)) = after else { return Updated { root: source.root(), nodes } };
        let root = finish(subtree, stored, &mut nodes);
        Updated { root, nodes }
    });
    Ok(updated.collect())
}

/// The root of a trie, of which `stored` tells whether something was stored for the root before.
fn finish<V: LeafValue>(after: Subtree<V>, stored: bool, nodes: &mut NodeChanges) -> B256 {
    // A root is referred to by its hash even when it is short enough to stand in place.
    let hash = |reference: RlpNode| reference.as_hash().unwrap_or_else(|| keccak256(&reference));
    let place = Nibbles::new();
    let mut buffer = Vec::new();
    match after {
        Subtree::Branch { path, reference } if path.is_empty() => hash(reference),
        Subtree::Branch { path, reference } => {
            nodes.push((place, Some(Stored::encode_root_extension(&path, &reference).into())));
            hash(extend(&path, &reference, &mut buffer))
        }
        other => {
            if stored {
                nodes.push((place, None));
            }
            match other {
                Subtree::Leaf { key, value } => hash(leaf_rlp(&place, &key, &value, &mut Vec::new(), &mut buffer)),
                Subtree::LeafReference(reference) => hash(reference),
                Subtree::Pending { path, .. } => panic!("the branch at {path:?} has no reference"),
                Subtree::Empty | Subtree::Branch { .. } => EMPTY_ROOT_HASH,
            }
        }
    }
}

/// Children of a branch that changes reached, by nibble.
type Changed<V> = SmallVec<[(u8, Subtree<V>); 1]>;

struct Updater<'a, S> {
    source: &'a S,
    siblings: Option<&'a Siblings>,
}

/// What a task gathers.
struct Work<V> {
    /// Which of several tries is at work.
    trie: usize,
    /// Changes of stored nodes, for each trie.
    nodes: Vec<NodeChanges>,
    pending: Pending<V>,
}

impl<S: TrieSource> Updater<'_, S> {
    /// What stands at `place` after the changes below it, which are at least one.
    fn subtree(
        &self,
        place: Nibbles,
        before: Subtree<S::Value>,
        changes: &[Change<S::Value>],
        work: &mut Work<S::Value>,
    ) -> Result<Subtree<S::Value>, StorageError> {
        match before {
            Subtree::Empty => self.build(&present(changes), work),
            Subtree::Leaf { key, value } => self.build(&with_leaf(key, value, changes), work),
            Subtree::Pending { path, .. } => panic!("the branch at {path:?} was changed before"),
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
                    branch.set(path.get_unchecked(common), Child::Branch { extension, reference });
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
        work: &mut Work<S::Value>,
    ) -> Result<Changed<S::Value>, StorageError> {
        let depth = path.len();
        let groups = changes.chunk_by(|a, b| key::nibble(&a.key, depth) == key::nibble(&b.key, depth));
        let mut tasks = groups.map(|group| {
            let nibble = key::nibble(&group[0].key, depth);
            let place = key::below(path, nibble);
            let before = standing(&place, branch.take(nibble));
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
                let mut work = Work::new(1);
                let mut after = self.subtree(place, before, group, &mut work)?;
                let nodes = work.settle([&mut after]);
                Ok((nibble, after, nodes))
            })
            .collect::<Result<Vec<_>, StorageError>>()?;
        Ok(work.gather(done))
    }

    /// A trie of these leaves alone.
    fn build(&self, leaves: &[(B256, S::Value)], work: &mut Work<S::Value>) -> Result<Subtree<S::Value>, StorageError> {
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
                    let mut work = Work::new(1);
                    let mut after = self.build(group, &mut work)?;
                    let nodes = work.settle([&mut after]);
                    Ok((key::nibble(&group[0].0, depth), after, nodes))
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
        work: &mut Work<S::Value>,
    ) -> Result<Subtree<S::Value>, StorageError> {
        let unchanged = branch.len() as usize;
        let present = changed.iter().filter(|(_, child)| !matches!(child, Subtree::Empty)).count();
        if unchanged + present >= 2 {
            for (nibble, child) in changed {
                let known = match child {
                    Subtree::Empty => Child::Empty,
                    Subtree::LeafReference(reference) => Child::Leaf(reference),
                    Subtree::Branch { path: below, reference } => {
                        Child::Branch { extension: below.slice(path.len() + 1..), reference }
                    }
                    Subtree::Leaf { key, value } => {
                        work.pending.leaf(nibble, key, value);
                        continue;
                    }
                    Subtree::Pending { node, .. } => {
                        work.pending.link(nibble, node);
                        continue;
                    }
                };
                branch.set(nibble, known);
            }
            let node = work.pending.branch(work.trie as u32, path, branch, stored);
            return Ok(Subtree::Pending { path, node });
        }
        if stored.is_some() {
            work.nodes[work.trie].push((path, None));
        }
        if let Some((nibble, child)) = changed.into_iter().find(|(_, child)| !matches!(child, Subtree::Empty)) {
            return self.moved_up(key::below(&path, nibble), child);
        }
        match branch.nibbles().next() {
            None => Ok(Subtree::Empty),
            Some(nibble) => {
                let place = key::below(&path, nibble);
                let child = standing(&place, branch.take(nibble));
                self.moved_up(place, child)
            }
        }
    }

    /// The only child of a branch, from the place it had below it.
    fn moved_up(&self, place: Nibbles, child: Subtree<S::Value>) -> Result<Subtree<S::Value>, StorageError> {
        match child {
            Subtree::LeafReference(_) => {
                let (key, value) = load_leaf(self.source, &place)?;
                if let Some(siblings) = self.siblings {
                    let mut rlp = Vec::new();
                    leaf_rlp(&place, &key, &value, &mut Vec::new(), &mut rlp);
                    siblings.lock().push(rlp.into());
                }
                Ok(Subtree::Leaf { key, value })
            }
            Subtree::Branch { path, reference } => {
                if let Some(siblings) = self.siblings {
                    let mut rlp = Vec::new();
                    if place == path {
                        // It may be a branch that these very changes made; then no verifier misses it.
                        if let Some(bytes) = self.source.node(&path)?
                            && let Some(Stored::Branch(branch)) = Stored::decode(&bytes, path.len())
                        {
                            branch.encode_rlp(&mut rlp);
                            siblings.lock().push(rlp.into());
                        }
                    } else {
                        extend(&path.slice(place.len()..), &reference, &mut rlp);
                        siblings.lock().push(rlp.into());
                    }
                }
                Ok(Subtree::Branch { path, reference })
            }
            other => Ok(other),
        }
    }
}

impl<V: LeafValue> Work<V> {
    fn new(tries: usize) -> Self {
        Self { trie: 0, nodes: vec![NodeChanges::new(); tries], pending: Pending::default() }
    }

    /// Takes in the nodes that parallel tasks gathered.
    fn gather(&mut self, done: Vec<(u8, Subtree<V>, Vec<NodeChanges>)>) -> Changed<V> {
        let mine = &mut self.nodes[self.trie];
        done.into_iter()
            .map(|(nibble, after, nodes)| {
                mine.extend(nodes.into_iter().flatten());
                (nibble, after)
            })
            .collect()
    }

    /// Computes the references that are pending, and puts them into what came out.
    fn settle<'a>(mut self, after: impl IntoIterator<Item = &'a mut Subtree<V>>) -> Vec<NodeChanges>
    where
        V: 'a,
    {
        let references = self.pending.settle(&mut self.nodes);
        for subtree in after {
            if let Subtree::Pending { path, node } = subtree {
                *subtree = Subtree::Branch { path: *path, reference: references[*node as usize].clone() };
            }
        }
        self.nodes
    }
}

/// A child of a branch, as what stands at its place.
fn standing<V>(place: &Nibbles, child: Child) -> Subtree<V> {
    match child {
        Child::Empty => Subtree::Empty,
        Child::Leaf(reference) => Subtree::LeafReference(reference),
        Child::Branch { extension, reference } => Subtree::Branch { path: place.join(&extension), reference },
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
