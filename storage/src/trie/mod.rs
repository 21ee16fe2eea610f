//! Merkle-Patricia tries of which every branch is stored.
//!
//! Read it bottom-up: [`node`] is a branch, in memory, on disk and as RLP; [`source`] is where branches and leaves come
//! from; [`update`] computes the trie after a sorted batch of changes in one recursive pass, and [`pending`] hashes what it found changed level by level; [`proof`] walks one path; [`check`] computes
//! every hash anew.
//!
//! A stored branch holds the references of all its children, those of leaves too. So a change costs the branches on its
//! path and nothing beside it, except where a branch is left with one child: then that child takes its place. Leaves are
//! not stored a second time; where one has to be looked at, it is the first entry of the leaf table under its path.

pub(crate) mod check;
mod key;
mod node;
mod pending;
pub(crate) mod proof;
pub(crate) mod source;
pub(crate) mod update;

#[cfg(test)]
pub(crate) mod test_trie;
#[cfg(test)]
mod tests;
