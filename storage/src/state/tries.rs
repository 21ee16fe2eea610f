//! Hashed state and trie nodes, wherever they are.

use crate::{
    StorageError,
    encoding::HashedAccount,
    trie::source::{NodeBytes, TrieSource},
    witness::Trie,
};
use alloy_primitives::{Address, B256, U256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles};

/// The state at one block, as far as roots and proofs need it.
pub(crate) trait StateTries: Sync {
    /// Root of the account trie.
    fn state_root(&self) -> B256;

    /// The account under a hashed address.
    fn hashed_account(&self, key: B256) -> Result<Option<HashedAccount>, StorageError>;

    /// The first account whose hashed address starts with these nibbles.
    fn account_under(&self, prefix: &Nibbles) -> Result<Option<(B256, HashedAccount)>, StorageError>;

    /// The first slot of an account whose hash starts with these nibbles.
    fn slot_under(&self, account: B256, prefix: &Nibbles) -> Result<Option<(B256, U256)>, StorageError>;

    /// The stored node of the account trie under a path.
    fn account_node(&self, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError>;

    /// The stored node of a storage trie under a path.
    fn storage_node(&self, account: B256, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError>;

    /// Whether a slot is known, without looking for it, to have a value.
    fn slot_is_known_to_exist(&self, address: Address, slot: U256) -> bool {
        let _ = (address, slot);
        false
    }
}

/// The account trie of a state.
pub(crate) struct AccountTrie<'a>(pub(crate) &'a dyn StateTries);

impl TrieSource for AccountTrie<'_> {
    type Value = HashedAccount;

    fn trie(&self) -> Trie {
        Trie::Accounts
    }

    fn root(&self) -> B256 {
        self.0.state_root()
    }

    fn node(&self, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        self.0.account_node(path)
    }

    fn leaf_under(&self, prefix: &Nibbles) -> Result<Option<(B256, HashedAccount)>, StorageError> {
        self.0.account_under(prefix)
    }
}

/// The storage trie of an account.
pub(crate) struct StorageTrie<'a> {
    pub(crate) tries: &'a dyn StateTries,
    /// Hashed address.
    pub(crate) account: B256,
    /// Its storage root, which is empty for an account whose storage was wiped.
    pub(crate) root: B256,
}

impl TrieSource for StorageTrie<'_> {
    type Value = U256;

    fn trie(&self) -> Trie {
        Trie::Storage(self.account)
    }

    fn root(&self) -> B256 {
        self.root
    }

    fn node(&self, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        self.tries.storage_node(self.account, path)
    }

    fn leaf_under(&self, prefix: &Nibbles) -> Result<Option<(B256, U256)>, StorageError> {
        self.tries.slot_under(self.account, prefix)
    }
}

/// The state before the first block.
pub(crate) struct EmptyState;

impl StateTries for EmptyState {
    fn state_root(&self) -> B256 {
        EMPTY_ROOT_HASH
    }

    fn hashed_account(&self, _: B256) -> Result<Option<HashedAccount>, StorageError> {
        Ok(None)
    }

    fn account_under(&self, _: &Nibbles) -> Result<Option<(B256, HashedAccount)>, StorageError> {
        Ok(None)
    }

    fn slot_under(&self, _: B256, _: &Nibbles) -> Result<Option<(B256, U256)>, StorageError> {
        Ok(None)
    }

    fn account_node(&self, _: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        Ok(None)
    }

    fn storage_node(&self, _: B256, _: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        Ok(None)
    }
}
