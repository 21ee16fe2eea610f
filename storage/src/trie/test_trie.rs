//! A trie in maps, with the root that another implementation computes for the same leaves.

use super::{
    source::{LeafValue, NodeBytes, TrieSource},
    update::{Change, Updated},
};
use crate::{StorageError, witness::Trie};
use alloy_primitives::{B256, U256};
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles};
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub(crate) struct TestTrie {
    pub(crate) leaves: BTreeMap<B256, U256>,
    pub(crate) nodes: BTreeMap<Nibbles, NodeBytes>,
    pub(crate) root: B256,
}

impl Default for TestTrie {
    fn default() -> Self {
        Self { leaves: BTreeMap::new(), nodes: BTreeMap::new(), root: EMPTY_ROOT_HASH }
    }
}

impl TrieSource for TestTrie {
    type Value = U256;

    fn trie(&self) -> Trie {
        Trie::Accounts
    }

    fn root(&self) -> B256 {
        self.root
    }

    fn node(&self, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        Ok(self.nodes.get(path).cloned())
    }

    fn leaf_under(&self, prefix: &Nibbles) -> Result<Option<(B256, U256)>, StorageError> {
        let found = self.leaves.iter().find(|(key, _)| Nibbles::unpack(key).starts_with(prefix));
        Ok(found.map(|(key, value)| (*key, *value)))
    }
}

impl TestTrie {
    /// Changes for the updater, with what is known of the keys or, if `blind`, nothing.
    pub(crate) fn changes(&self, changes: &BTreeMap<B256, Option<U256>>, blind: bool) -> Vec<Change<U256>> {
        changes
            .iter()
            .map(|(key, value)| Change { key: *key, value: *value, existed: !blind && self.leaves.contains_key(key) })
            .collect()
    }

    pub(crate) fn apply(&mut self, changes: &BTreeMap<B256, Option<U256>>, updated: Updated) {
        for (path, node) in updated.nodes {
            match node {
                Some(node) => self.nodes.insert(path, node),
                None => self.nodes.remove(&path),
            };
        }
        for (key, value) in changes {
            match value {
                Some(value) => self.leaves.insert(*key, *value),
                None => self.leaves.remove(key),
            };
        }
        self.root = updated.root;
    }

    /// Root of the leaves by alloy's builder.
    pub(crate) fn expected_root(&self) -> B256 {
        let mut builder = HashBuilder::default();
        let mut rlp = Vec::new();
        for (key, value) in &self.leaves {
            rlp.clear();
            value.encode_value(&mut rlp);
            builder.add_leaf(Nibbles::unpack(key), &rlp);
        }
        builder.root()
    }
}
