//! Hashed state and trie nodes, through the layers.

use super::{Layer, Snapshot};
use crate::{
    StorageError,
    database::read,
    encoding::{HashedAccount, key},
    error::at,
    state::tries::StateTries,
    store::Table,
    trie::source::NodeBytes,
};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::Nibbles;
use std::sync::Arc;

impl StateTries for Snapshot {
    fn state_root(&self) -> B256 {
        self.block().state_root
    }

    fn hashed_account(&self, key: B256) -> Result<Option<HashedAccount>, StorageError> {
        for layer in self.layers.iter().rev() {
            if let Some(account) = layer.hashed_account(key) {
                return Ok(account);
            }
        }
        if let Some(account) = self.shared.cache.hashed_account(&key) {
            self.check_cache()?;
            return Ok(account);
        }
        self.read(|reader| {
            let account = read::hashed_account(&*reader.transaction, key)?;
            self.shared.cache.insert_hashed_account(reader.generation, key, account);
            Ok(account)
        })
    }

    fn account_under(&self, prefix: &Nibbles) -> Result<Option<(B256, HashedAccount)>, StorageError> {
        self.account_from(prefix, B256::right_padding_from(&prefix.pack()))
    }

    fn slot_under(&self, account: B256, prefix: &Nibbles) -> Result<Option<(B256, U256)>, StorageError> {
        self.slot_from(account, prefix, B256::right_padding_from(&prefix.pack()))
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        match self.layers.iter().rev().find_map(|layer| layer.account_node(path)) {
            Some(node) => Ok(node),
            None => self.node(None, path),
        }
    }

    fn storage_node(&self, account: B256, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        match self.layers.iter().rev().find_map(|layer| layer.storage_node(account, path)) {
            Some(node) => Ok(node),
            None => self.node(Some(account), path),
        }
    }

    fn slot_is_known_to_exist(&self, address: Address, slot: U256) -> bool {
        let layered = self.layers.iter().rev().find_map(|layer| layer.slot(address, slot));
        let known = layered.or_else(|| {
            let value = self.shared.cache.slot(&(address, slot))?;
            self.check_cache().is_ok().then_some(value)
        });
        known.is_some_and(|value| !value.is_zero())
    }
}

impl Snapshot {
    /// Accounts by the Keccak-256 hashes of their addresses, in the order of the hashes, the first of them at `from` or above; so many at most.
    pub fn accounts_from(&self, from: B256, most: usize) -> Result<Vec<(B256, HashedAccount)>, StorageError> {
        let (mut accounts, mut next) = (Vec::new(), Some(from));
        while let Some(from) = next.filter(|_| accounts.len() < most) {
            let Some((key, account)) = self.account_from(&Nibbles::default(), from)? else { break };
            accounts.push((key, account));
            next = U256::from_be_bytes(key.0).checked_add(U256::from(1)).map(B256::from);
        }
        Ok(accounts)
    }

    /// Shows the address of every account, and of some that are gone, in no order, until `show` says to stop.
    pub fn for_each_address(&self, mut show: impl FnMut(Address) -> bool) -> Result<(), StorageError> {
        if !self.layers.iter().flat_map(|layer| layer.accounts()).all(|(address, _)| show(address)) {
            return Ok(());
        }
        self.read(|reader| {
            let mut cursor = reader.transaction.cursor(Table::Accounts)?;
            let mut entry = cursor.first()?;
            while let Some((place, _)) = entry {
                if !show(key::parse_address(&place).map_err(at(Table::Accounts, &place))?) {
                    break;
                }
                entry = cursor.next()?;
            }
            Ok(())
        })
    }

    /// Numbers of the slots of an account, and of some that are empty, in no order; so many at most.
    pub fn slot_numbers(&self, address: Address, most: usize) -> Result<Vec<U256>, StorageError> {
        let above = self.layers.iter().filter_map(|layer| layer.slots.get(&address)).flat_map(|slots| slots.keys());
        let mut numbers: Vec<U256> = above.copied().take(most).collect();
        self.read(|reader| {
            let mut cursor = reader.transaction.cursor(Table::Storage)?;
            let mut entry = cursor.seek(address.as_slice())?;
            while let Some((place, _)) = entry.filter(|(place, _)| place.starts_with(address.as_slice())) {
                if numbers.len() >= most {
                    break;
                }
                numbers.push(key::parse_slot(&place).map_err(at(Table::Storage, &place))?.1);
                entry = cursor.next()?;
            }
            Ok(())
        })?;
        Ok(numbers)
    }

    /// The first account at a hash or above that starts with these nibbles.
    fn account_from(&self, prefix: &Nibbles, from: B256) -> Result<Option<(B256, HashedAccount)>, StorageError> {
        first_under(
            prefix,
            from,
            &self.layers,
            |from| self.read(|reader| read::hashed_account_from(&*reader.transaction, from)),
            Layer::account_from,
        )
    }

    /// Slots of an account by the Keccak-256 hashes of their numbers, in the order of the hashes, the first of them at `from` or above; so many
    /// at most.
    pub fn slots_from(&self, address: Address, from: B256, most: usize) -> Result<Vec<(B256, U256)>, StorageError> {
        let (account, every) = (keccak256(address), Nibbles::default());
        let (mut slots, mut next) = (Vec::new(), Some(from));
        while let Some(from) = next.filter(|_| slots.len() < most) {
            let Some((key, value)) = self.slot_from(account, &every, from)? else { break };
            slots.push((key, value));
            next = U256::from_be_bytes(key.0).checked_add(U256::from(1)).map(B256::from);
        }
        Ok(slots)
    }

    /// The first slot of an account at a hash or above that starts with these nibbles.
    fn slot_from(&self, account: B256, prefix: &Nibbles, from: B256) -> Result<Option<(B256, U256)>, StorageError> {
        let wiped = self.layers.iter().rposition(|layer| layer.wiped_hashed(account));
        first_under(
            prefix,
            from,
            &self.layers[wiped.unwrap_or_default()..],
            |from| match wiped {
                Some(_) => Ok(None),
                None => self.read(|reader| read::hashed_slot_from(&*reader.transaction, account, from)),
            },
            |layer, from| layer.slot_from(account, from),
        )
    }

    /// A node as the tables have it.
    fn node(&self, account: Option<B256>, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        if let Some(node) = self.shared.cache.node(&(account, *path)) {
            self.check_cache()?;
            return Ok(node);
        }
        self.read(|reader| {
            let node = match account {
                None => read::account_node(&*reader.transaction, path)?,
                Some(account) => read::storage_node(&*reader.transaction, account, path)?,
            };
            let node: Option<NodeBytes> = node.map(Into::into);
            self.shared.cache.insert_node(reader.generation, (account, *path), node.clone());
            Ok(node)
        })
    }
}

/// The first entry under a prefix, from a key on, that is present in tables with layers above.
fn first_under<V: Copy>(
    prefix: &Nibbles,
    mut from: B256,
    layers: &[Arc<Layer>],
    stored_from: impl Fn(B256) -> Result<Option<(B256, V)>, StorageError>,
    changed_from: impl Fn(&Layer, B256) -> Option<(B256, Option<V>)>,
) -> Result<Option<(B256, V)>, StorageError> {
    loop {
        let mut first = stored_from(from)?.map(|(key, value)| (key, Some(value)));
        for layer in layers {
            if let Some((key, value)) = changed_from(layer, from)
                && first.as_ref().is_none_or(|(first, _)| key <= *first)
            {
                first = Some((key, value));
            }
        }
        let Some((key, value)) = first else { return Ok(None) };
        if !Nibbles::unpack(key).starts_with(prefix) {
            return Ok(None);
        }
        if let Some(value) = value {
            return Ok(Some((key, value)));
        }
        match U256::from_be_bytes(key.0).checked_add(U256::from(1)) {
            Some(next) => from = next.into(),
            None => return Ok(None),
        }
    }
}
