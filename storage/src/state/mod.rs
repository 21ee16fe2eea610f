//! The state as a trie of accounts with a trie of slots each.
//!
//! [`tries`] is what can be read of it, [`root`] computes the state after a change, [`update`] is the result: everything
//! that has to be written, in tables or in a layer in memory. [`proof`] has the proofs and witnesses.

pub(crate) mod proof;
pub(crate) mod root;
pub(crate) mod tries;
pub(crate) mod update;

#[cfg(test)]
pub(crate) mod tests;
