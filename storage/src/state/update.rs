//! What a change writes to the hashed state and to the tries.

use crate::{encoding::HashedAccount, trie::source::NodeBytes};
use alloy_primitives::{
    B256, U256,
    map::{B256Map, HashMap},
};
use alloy_trie::Nibbles;

/// Nodes under their paths; `None` where a stored node goes.
pub(crate) type Nodes = HashMap<Nibbles, Option<NodeBytes>>;

/// The hashed state and the tries after a change, as far as they differ.
#[derive(Clone, Debug, Default)]
pub struct StateUpdate {
    /// Root of the account trie.
    pub(crate) root: B256,
    /// Accounts by hashed address, sorted; `None` for those that are gone.
    pub(crate) accounts: Vec<(B256, Option<HashedAccount>)>,
    /// Nodes of the account trie.
    pub(crate) account_nodes: Nodes,
    /// Storage by hashed address.
    pub(crate) storages: B256Map<StorageUpdate>,
}

/// The storage of an account, as far as it differs.
#[derive(Clone, Debug, Default)]
pub(crate) struct StorageUpdate {
    /// Whether everything from before is gone.
    pub(crate) wiped: bool,
    /// Values by hashed slot, sorted; zero for those that are gone.
    pub(crate) slots: Vec<(B256, U256)>,
    /// Nodes of the storage trie.
    pub(crate) nodes: Nodes,
}

impl StateUpdate {
    /// Root of the state after the change.
    pub const fn state_root(&self) -> B256 {
        self.root
    }

    /// The account, if it changed.
    pub(crate) fn account(&self, key: B256) -> Option<Option<HashedAccount>> {
        self.accounts.binary_search_by_key(&key, |(key, _)| *key).ok().map(|index| self.accounts[index].1)
    }

    /// Adds what a later change does.
    pub(crate) fn extend(&mut self, later: &Self) {
        self.root = later.root;
        self.accounts = merged(&self.accounts, &later.accounts);
        self.account_nodes.extend(later.account_nodes.iter().map(|(path, node)| (*path, node.clone())));
        for (account, storage) in &later.storages {
            let before = self.storages.entry(*account).or_default();
            if storage.wiped {
                *before = storage.clone();
            } else {
                before.slots = merged(&before.slots, &storage.slots);
                before.nodes.extend(storage.nodes.iter().map(|(path, node)| (*path, node.clone())));
            }
        }
    }
}

/// Two sorted lists as one; of equal keys the later one counts.
fn merged<V: Copy>(earlier: &[(B256, V)], later: &[(B256, V)]) -> Vec<(B256, V)> {
    let mut all = Vec::with_capacity(earlier.len() + later.len());
    let mut later = later.iter().copied().peekable();
    for entry in earlier {
        while let Some(next) = later.next_if(|next| next.0 < entry.0) {
            all.push(next);
        }
        if later.peek().is_none_or(|next| next.0 != entry.0) {
            all.push(*entry);
        }
    }
    all.extend(later);
    all
}
