//! The account trie and the storage tries below it, together.

use super::{
    error::{Trie, WitnessError},
    lookup,
    nodes::Nodes,
    sparse::SparseTrie,
};
use crate::{AccountChange, SlotChange};
use alloy_primitives::{
    Address, B256, Bytes, U256, keccak256,
    map::{AddressMap, HashMap},
};
use alloy_rlp::Decodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};

/// A state with a known root, of which some trie nodes are known.
///
/// * Reads prove presence or absence against the root; what the nodes cannot prove is an error.
/// * [`root_after`](Self::root_after) gives the root after a change, and leaves the state as it is.
#[derive(Clone, Debug)]
pub struct WitnessState {
    nodes: Nodes,
    root: B256,
}

impl WitnessState {
    /// Takes the RLP of trie nodes, of the account trie and of storage tries alike, in any order. Nodes that the root does
    /// not lead to do no harm.
    pub fn new(root: B256, nodes: impl IntoIterator<Item = Bytes>) -> Self {
        Self { nodes: Nodes::new(nodes), root }
    }

    /// Root of the account trie.
    pub const fn root(&self) -> B256 {
        self.root
    }

    /// The account with this address; `None` when it provably does not exist.
    pub fn account(&self, address: Address) -> Result<Option<TrieAccount>, WitnessError> {
        let key = keccak256(address);
        lookup::get(&self.nodes, Trie::Accounts, self.root, key)?.map(|value| decode_account(key, &value)).transpose()
    }

    /// Value of a slot in the storage of the account with this address and storage root; zero when it provably is absent.
    pub fn slot(&self, address: Address, storage_root: B256, slot: U256) -> Result<U256, WitnessError> {
        if storage_root == EMPTY_ROOT_HASH {
            return Ok(U256::ZERO);
        }
        let trie = Trie::Storage(keccak256(address));
        let key = keccak256(B256::from(slot));
        match lookup::get(&self.nodes, trie, storage_root, key)? {
            Some(value) => decode_slot(trie, key, &value),
            None => Ok(U256::ZERO),
        }
    }

    /// Calls `visit` with the hashed address of every account whose whole path is known.
    pub fn visit_accounts(&self, mut visit: impl FnMut(B256, TrieAccount)) -> Result<(), WitnessError> {
        lookup::visit_leaves(&self.nodes, Trie::Accounts, self.root, &mut |key, value| {
            visit(key, decode_account(key, value)?);
            Ok(())
        })
    }

    /// Calls `visit` with the hashed slot and value of every leaf whose whole path is known, in the storage of the account
    /// with this hashed address and storage root.
    pub fn visit_slots(
        &self,
        hashed_address: B256,
        storage_root: B256,
        mut visit: impl FnMut(B256, U256),
    ) -> Result<(), WitnessError> {
        let trie = Trie::Storage(hashed_address);
        lookup::visit_leaves(&self.nodes, trie, storage_root, &mut |key, value| {
            visit(key, decode_slot(trie, key, value)?);
            Ok(())
        })
    }

    /// Root of the state after a change.
    ///
    /// * An account of which only slots change need not be listed among `accounts`.
    /// * An account that is wiped loses the slots it had before; slots listed for it are written afterwards.
    /// * An account that is gone loses its storage, and slots listed for it do not count.
    /// * Neither an account nor a slot may be listed twice.
    pub fn root_after(
        &self,
        accounts: impl IntoIterator<Item = AccountChange>,
        slots: impl IntoIterator<Item = SlotChange>,
    ) -> Result<B256, WitnessError> {
        let mut changes: AddressMap<(Option<AccountChange>, Vec<SlotChange>)> = HashMap::default();
        for account in accounts {
            changes.entry(account.address).or_default().0 = Some(account);
        }
        for slot in slots {
            changes.entry(slot.address).or_default().1.push(slot);
        }

        let mut trie = SparseTrie::new(&self.nodes, Trie::Accounts, self.root);
        let mut gone = Vec::new();
        for (address, (account, slots)) in changes {
            match self.account_after(address, account, &slots)? {
                Some(account) => trie.insert(keccak256(address), alloy_rlp::encode(account))?,
                None => gone.push(keccak256(address)),
            }
        }
        for key in gone {
            trie.remove(key)?;
        }
        Ok(trie.root())
    }

    /// Root of the account trie, taken as a trie of words under hashed keys, after changes to it.
    #[cfg(test)]
    pub(crate) fn trie_root_after(
        &self,
        changes: &std::collections::BTreeMap<B256, Option<U256>>,
    ) -> Result<B256, WitnessError> {
        let mut trie = SparseTrie::new(&self.nodes, Trie::Accounts, self.root);
        for (key, value) in changes {
            if let Some(value) = value {
                trie.insert(*key, alloy_rlp::encode(value))?;
            }
        }
        for (key, value) in changes {
            if value.is_none() {
                trie.remove(*key)?;
            }
        }
        Ok(trie.root())
    }

    fn account_after(
        &self,
        address: Address,
        change: Option<AccountChange>,
        slots: &[SlotChange],
    ) -> Result<Option<TrieAccount>, WitnessError> {
        let before = || self.account(address);
        let (record, storage_root) = match change {
            Some(AccountChange { present: None, .. }) => return Ok(None),
            Some(AccountChange { present: Some(record), storage_wiped: true, .. }) => (record, EMPTY_ROOT_HASH),
            Some(AccountChange { present: Some(record), .. }) => {
                (record, before()?.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
            }
            None => {
                let account = before()?.ok_or(WitnessError::SlotsWithoutAccount(address))?;
                let record = crate::AccountRecord {
                    nonce: account.nonce,
                    balance: account.balance,
                    code_hash: account.code_hash,
                };
                (record, account.storage_root)
            }
        };
        let storage_root = self.storage_root_after(address, storage_root, slots)?;
        Ok(Some(TrieAccount::new(record.nonce, record.balance, storage_root, record.code_hash)))
    }

    fn storage_root_after(
        &self,
        address: Address,
        storage_root: B256,
        slots: &[SlotChange],
    ) -> Result<B256, WitnessError> {
        if slots.is_empty() {
            return Ok(storage_root);
        }
        let mut trie = SparseTrie::new(&self.nodes, Trie::Storage(keccak256(address)), storage_root);
        let key = |slot: &SlotChange| keccak256(B256::from(slot.slot));
        for slot in slots.iter().filter(|slot| !slot.present.is_zero()) {
            trie.insert(key(slot), alloy_rlp::encode(slot.present))?;
        }
        for slot in slots.iter().filter(|slot| slot.present.is_zero()) {
            trie.remove(key(slot))?;
        }
        Ok(trie.root())
    }
}

fn decode_account(key: B256, value: &[u8]) -> Result<TrieAccount, WitnessError> {
    decode_exact(Trie::Accounts, key, value)
}

fn decode_slot(trie: Trie, key: B256, value: &[u8]) -> Result<U256, WitnessError> {
    decode_exact(trie, key, value)
}

fn decode_exact<T: Decodable>(trie: Trie, key: B256, value: &[u8]) -> Result<T, WitnessError> {
    alloy_rlp::decode_exact(value).map_err(|source| WitnessError::MalformedValue { trie, key, source })
}
