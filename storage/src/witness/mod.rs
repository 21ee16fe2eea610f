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

use alloy_primitives::B256;
use alloy_trie::EMPTY_ROOT_HASH;
use nodes::Nodes;
use sparse::SparseTrie;

/// Root of a trie that begins empty and in which keys, which are hashes, are put and removed (`None`) one after the other.
///
/// # Errors
/// None, since nothing of the trie is unknown.
pub fn root_after_steps(steps: impl IntoIterator<Item = (B256, Option<Vec<u8>>)>) -> Result<B256, WitnessError> {
    let nodes = Nodes::default();
    let mut trie = SparseTrie::new(&nodes, Trie::Accounts, EMPTY_ROOT_HASH);
    for (key, value) in steps {
        match value {
            Some(value) => trie.insert(key, value)?,
            None => trie.remove(key)?,
        }
    }
    Ok(trie.root())
}

#[cfg(test)]
mod tests;
