//! A state of which only some trie nodes are known.
//!
//! Read it bottom-up: [`nodes`] keeps the given nodes by their hash, so nothing can be in it that its parent does not
//! vouch for; [`lookup`] walks one path, and every answer is a proof, of presence or of absence; [`sparse`] is the same
//! trie as a mutable tree in which untouched branches stay what they are, a reference; [`state`] joins the account
//! trie and the storage tries.
//!
//! A path that leads to an unknown node is an error that names the trie and the path, never an empty value.

mod error;
mod lookup;
mod nodes;
mod sparse;
mod state;

pub use error::{Trie, WitnessError};
pub use state::WitnessState;

#[cfg(test)]
mod tests;
