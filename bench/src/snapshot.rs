//! The parent state of a benchmarked block, held in memory and never written.

use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, B256Map, HashMap},
};
use braid_storage::{AccountChange, AccountRecord, BlockChange, SlotChange};
use revm::{
    DatabaseRef,
    primitives::{KECCAK_EMPTY, StorageKeyMap},
    state::{AccountInfo, Bytecode, EvmState},
};
use std::convert::Infallible;

/// One account of a snapshot.
#[derive(Clone, Debug, Default)]
struct SnapshotAccount {
    /// Balance, nonce and code hash; the code itself is never here, as in a node's database.
    info: AccountInfo,
    storage: StorageKeyMap<U256>,
}

/// An immutable world state in memory, read by all sides of a comparison alike.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    accounts: AddressMap<SnapshotAccount>,
    contracts: B256Map<Bytecode>,
    block_hashes: HashMap<u64, B256>,
}

impl Snapshot {
    /// An empty world.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an account's balance, nonce and code, and keeps its storage.
    pub fn set_account(&mut self, address: Address, mut info: AccountInfo) {
        if let Some(code) = info.code.take()
            && info.code_hash != KECCAK_EMPTY
        {
            self.contracts.insert(info.code_hash, code);
        }
        self.accounts.entry(address).or_default().info = info;
    }

    /// Sets an account that holds `balance` wei and nothing else.
    pub fn set_balance(&mut self, address: Address, balance: U256) {
        self.set_account(address, AccountInfo { balance, ..AccountInfo::default() });
    }

    /// Sets an account with code, no balance and nonce 1, as a fork's system contracts are.
    pub fn set_code(&mut self, address: Address, code: Bytecode) {
        let info = AccountInfo { nonce: 1, code_hash: code.hash_slow(), code: Some(code), ..AccountInfo::default() };
        self.set_account(address, info);
    }

    /// Adds code that some account points to.
    pub fn add_code(&mut self, code_hash: B256, code: Bytecode) {
        self.contracts.insert(code_hash, code);
    }

    /// Sets a slot; a zero value removes it.
    pub fn set_slot(&mut self, address: Address, slot: U256, value: U256) {
        let storage = &mut self.accounts.entry(address).or_default().storage;
        if value.is_zero() {
            storage.remove(&slot);
        } else {
            storage.insert(slot, value);
        }
    }

    /// Sets the hash that BLOCKHASH finds for `number`.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
    }

    /// Removes an account with its storage.
    pub fn remove(&mut self, address: Address) {
        self.accounts.remove(&address);
    }

    /// Nonce of an account, 0 when it does not exist.
    pub fn nonce(&self, address: Address) -> u64 {
        self.accounts.get(&address).map_or(0, |account| account.info.nonce)
    }

    /// The whole state, as a change to nothing.
    pub fn to_change(&self) -> BlockChange {
        let mut change = BlockChange {
            contracts: self.contracts.iter().map(|(hash, code)| (*hash, code.clone())).collect(),
            ..BlockChange::default()
        };
        for (address, SnapshotAccount { info, storage }) in &self.accounts {
            let (nonce, balance, code_hash) = (info.nonce, info.balance, info.code_hash);
            let present = Some(AccountRecord { nonce, balance, code_hash });
            change.accounts.push(AccountChange { address: *address, present, storage_wiped: false });
            let slots =
                storage.iter().map(|(slot, value)| SlotChange { address: *address, slot: *slot, present: *value });
            change.slots.extend(slots);
        }
        change
    }

    /// The state that a change to nothing makes, as [`to_change`](Self::to_change) gives it.
    pub fn from_change(change: &BlockChange) -> Self {
        let mut snapshot = Self::new();
        for account in &change.accounts {
            let Some(AccountRecord { nonce, balance, code_hash }) = account.present else { continue };
            snapshot.set_account(account.address, AccountInfo { nonce, balance, code_hash, ..AccountInfo::default() });
        }
        change.slots.iter().for_each(|slot| snapshot.set_slot(slot.address, slot.slot, slot.present));
        change.contracts.iter().for_each(|(hash, code)| snapshot.add_code(*hash, code.clone()));
        snapshot
    }

    /// Makes the changes of a transaction.
    pub fn apply(&mut self, change: &EvmState) {
        for (address, account) in change.iter().filter(|(_, account)| account.is_touched()) {
            if account.is_selfdestructed() || account.is_empty() {
                self.remove(*address);
                continue;
            }
            self.set_account(*address, account.info.clone());
            account
                .changed_storage_slots()
                .for_each(|(slot, value)| self.set_slot(*address, *slot, value.present_value));
        }
    }

    /// Number of accounts.
    pub fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Number of storage slots in all accounts.
    pub fn slots(&self) -> usize {
        self.accounts.values().map(|account| account.storage.len()).sum()
    }
}

impl DatabaseRef for Snapshot {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| account.info.clone()))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.contracts.get(&code_hash).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.accounts.get(&address).and_then(|account| account.storage.get(&slot)).copied().unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.block_hashes.get(&number).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_found_by_hash_and_not_in_the_account() {
        let mut snapshot = Snapshot::new();
        let address = Address::with_last_byte(1);
        let code = Bytecode::new_legacy([0x00].into());
        snapshot.set_code(address, code.clone());
        let info = snapshot.basic_ref(address).unwrap().unwrap();
        assert!(info.code.is_none());
        assert_eq!(info.nonce, 1);
        assert_eq!(snapshot.code_by_hash_ref(info.code_hash).unwrap(), code);
    }

    #[test]
    fn zero_slots_take_no_room() {
        let mut snapshot = Snapshot::new();
        let address = Address::with_last_byte(1);
        snapshot.set_slot(address, U256::from(3), U256::from(4));
        assert_eq!(snapshot.storage_ref(address, U256::from(3)).unwrap(), U256::from(4));
        snapshot.set_slot(address, U256::from(3), U256::ZERO);
        assert_eq!(snapshot.slots(), 0);
    }
}
