//! A whole state in memory, with its Merkle root.

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount, root};
use braid_runtime::StateDiff;
use revm::{
    DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
};

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryAccount {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// Keccak-256 of the code, `KECCAK_EMPTY` without code.
    pub code_hash: B256,
    /// Slots that are not zero.
    pub storage: BTreeMap<U256, U256>,
}

/// All accounts, codes and block hashes.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    /// Accounts by address.
    pub accounts: BTreeMap<Address, MemoryAccount>,
    /// Code by its hash.
    pub codes: HashMap<B256, Bytecode>,
    /// Hashes for `BLOCKHASH`, by number.
    pub block_hashes: HashMap<u64, B256>,
}

impl MemoryState {
    /// Adds an account without code.
    pub fn fund(&mut self, address: Address, balance: U256) -> &mut Self {
        self.insert(address, balance, 0, Bytes::new(), BTreeMap::new())
    }

    /// Adds a contract with nonce one.
    pub fn deploy(&mut self, address: Address, code: impl Into<Bytes>, storage: &[(u64, u64)]) -> &mut Self {
        let storage = storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value))).collect();
        self.insert(address, U256::ZERO, 1, code.into(), storage)
    }

    /// Adds or replaces an account.
    pub fn insert(
        &mut self,
        address: Address,
        balance: U256,
        nonce: u64,
        code: Bytes,
        storage: BTreeMap<U256, U256>,
    ) -> &mut Self {
        let code_hash = if code.is_empty() { KECCAK256_EMPTY } else { keccak256(&code) };
        if !code.is_empty() {
            self.codes.insert(code_hash, Bytecode::new_raw(code));
        }
        self.accounts.insert(address, MemoryAccount { balance, nonce, code_hash, storage });
        self
    }

    /// Applies a diff.
    ///
    /// # Panics
    /// If what the diff calls original is not what is there.
    pub fn apply(&mut self, diff: &StateDiff) {
        for (hash, code) in &diff.contracts {
            self.codes.insert(*hash, code.clone());
        }
        for account in &diff.accounts {
            let address = account.address;
            let old = self.accounts.get(&address).map(|old| (old.balance, old.nonce, old.code_hash));
            let original = account.original.map(|state| (state.balance, state.nonce, state.code_hash));
            assert_eq!(old, original, "original of {address}");
            let mut storage = self.accounts.remove(&address).map(|old| old.storage).unwrap_or_default();
            // What had neither nonce nor code has no storage, whatever some suites put there (EIP-7610).
            let never_ran = account.original.is_none_or(|old| old.nonce == 0 && old.code_hash == KECCAK256_EMPTY);
            if account.storage_wiped || never_ran {
                storage.clear();
            }
            if let Some(state) = account.present {
                assert!(
                    state.code_hash == KECCAK256_EMPTY || self.codes.contains_key(&state.code_hash),
                    "code of {address} is missing"
                );
                let (balance, nonce, code_hash) = (state.balance, state.nonce, state.code_hash);
                self.accounts.insert(address, MemoryAccount { balance, nonce, code_hash, storage });
            }
        }
        for slot in &diff.slots {
            let account = self.accounts.get_mut(&slot.address).expect("the owner of a changed slot exists");
            let old = if slot.present.is_zero() {
                account.storage.remove(&slot.slot)
            } else {
                account.storage.insert(slot.slot, slot.present)
            };
            assert_eq!(old.unwrap_or_default(), slot.original, "original of slot {} of {}", slot.slot, slot.address);
        }
    }

    /// The state root.
    pub fn root(&self) -> B256 {
        root::state_root_unhashed(self.accounts.iter().map(|(address, account)| {
            let storage = account.storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
            let storage_root =
                if account.storage.is_empty() { EMPTY_ROOT_HASH } else { root::storage_root_unhashed(storage) };
            let (nonce, balance, code_hash) = (account.nonce, account.balance, account.code_hash);
            (*address, TrieAccount { nonce, balance, storage_root, code_hash })
        }))
    }
}

impl DatabaseRef for MemoryState {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
            ..Default::default()
        }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.codes.get(&code_hash).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.accounts.get(&address).and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.block_hashes.get(&number).copied().unwrap_or_default())
    }
}
