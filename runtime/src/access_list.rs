//! Builds the block access list (EIP-7928) from what each step of a block committed.
//!
//! Feed [`AccessListBuilder`] the state of every commit with its block access index: 0 for the calls before the first
//! transaction, `i + 1` for transaction `i`, and one more for what comes after the last.
//!
//! As the EIP demands, the list has every account that was loaded, even if nothing about it changed; a change only where the
//! value after an index differs from the value before that index; a slot as a read only if it is never a change (so writing
//! the value that is already there is a read); everything in order.
//!
//! The EIP starts with Amsterdam. For older forks this module goes on in its spirit so that reading the parent state through
//! the list gives the state at every index:
//! * a destroyed account (SELFDESTRUCT before Cancun, EIP-161) has balance 0, nonce 0 and empty code from that index on;
//! * destroying it also sets its slots to zero. Only slots that the block accesses at any time are listed, and for one first
//!   accessed after the destruction the value it had before comes from the parent state.
//!
//! What a list cannot say: whether an account without balance, nonce and code exists. That matters only before Spurious
//! Dragon.

use alloy_eip7928::{
    AccountChanges, BalanceChange, BlockAccessIndex, BlockAccessList, CodeChange, NonceChange, SlotChanges,
    StorageChange,
};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, map::AddressMap};
use revm::{
    DatabaseRef,
    state::{Account, Bytecode},
};
use std::collections::BTreeMap;

/// Values that a field takes in the block, by block access index.
#[derive(Clone, Debug)]
struct History<T> {
    /// Value in the parent state.
    original: T,
    changes: Vec<(u64, T)>,
}

impl<T: Clone + PartialEq> History<T> {
    const fn new(original: T) -> Self {
        Self { original, changes: Vec::new() }
    }

    /// The value after `index` is `value`. Several commits may belong to one index; only the last counts.
    fn set(&mut self, index: u64, value: T) {
        if self.changes.last().is_some_and(|(last, _)| *last == index) {
            self.changes.pop();
        }
        if *self.last() != value {
            self.changes.push((index, value));
        }
    }

    fn last(&self) -> &T {
        self.changes.last().map_or(&self.original, |(_, value)| value)
    }
}

#[derive(Clone, Debug)]
struct AccountHistory {
    balance: History<U256>,
    nonce: History<u64>,
    code: History<(B256, Bytecode)>,
    slots: BTreeMap<U256, SlotHistory>,
    /// Indices at which the account was destroyed, ascending.
    destroyed: Vec<u64>,
}

#[derive(Clone, Debug)]
struct SlotHistory {
    values: History<U256>,
    /// Set when the slot was first loaded after a destruction, so that `values.original` is not that of the parent state.
    follows_destruction: bool,
}

impl AccountHistory {
    fn new(account: &Account) -> Self {
        let original = account.original_info();
        Self {
            balance: History::new(original.balance),
            nonce: History::new(original.nonce),
            // The code of the parent state is never listed, only its hash is compared.
            code: History::new((original.code_hash, Bytecode::default())),
            slots: BTreeMap::new(),
            destroyed: Vec::new(),
        }
    }

    fn set_code(&mut self, index: u64, hash: B256, code: Option<&Bytecode>) {
        if self.code.changes.last().is_some_and(|(last, _)| *last == index) {
            self.code.changes.pop();
        }
        if self.code.last().0 != hash {
            let code = code.cloned().unwrap_or_default();
            assert!(
                hash == KECCAK256_EMPTY || !code.is_empty(),
                "the code {hash} that a commit sets must come with it"
            );
            self.code.changes.push((index, (hash, code)));
        }
    }

    fn update(&mut self, index: u64, account: &Account) {
        let is_destroyed = account.is_selfdestructed();
        for (key, slot) in &account.storage {
            let follows_destruction = !self.destroyed.is_empty();
            let history = self
                .slots
                .entry(*key)
                .or_insert_with(|| SlotHistory { values: History::new(slot.original_value), follows_destruction });
            history.values.set(index, if is_destroyed { U256::ZERO } else { slot.present_value });
        }
        if is_destroyed {
            self.balance.set(index, U256::ZERO);
            self.nonce.set(index, 0);
            self.set_code(index, KECCAK256_EMPTY, None);
            for slot in self.slots.values_mut() {
                slot.values.set(index, U256::ZERO);
            }
        } else {
            self.balance.set(index, account.info.balance);
            self.nonce.set(index, account.info.nonce);
            self.set_code(index, account.info.code_hash, account.info.code.as_ref());
        }
        // Touched and empty: removed with whatever storage it has (EIP-161). The journal unmarks such accounts where the EIP
        // does not hold yet.
        let is_removed = is_destroyed || account.is_touched() && account.is_empty() && !account.is_created();
        if is_removed && self.destroyed.last() != Some(&index) {
            self.destroyed.push(index);
        }
    }

    /// Completes the slots that were first loaded after the account had been destroyed.
    fn complete<S: DatabaseRef>(&mut self, address: Address, parent: &S) -> Result<(), S::Error> {
        let Some(&destroyed) = self.destroyed.first() else { return Ok(()) };
        for (key, slot) in self.slots.iter_mut().filter(|(_, slot)| slot.follows_destruction) {
            assert_eq!(slot.values.original, U256::ZERO, "slot {key} of destroyed account {address} has a value");
            let original = parent.storage_ref(address, *key)?;
            if !original.is_zero() {
                slot.values.original = original;
                slot.values.changes.insert(0, (destroyed, U256::ZERO));
            }
        }
        Ok(())
    }

    fn into_changes(self, address: Address) -> AccountChanges {
        let index = BlockAccessIndex::new;
        let mut storage_changes = Vec::new();
        let mut storage_reads = Vec::new();
        for (key, slot) in self.slots {
            if slot.values.changes.is_empty() {
                storage_reads.push(key);
            } else {
                let changes = slot.values.changes.into_iter();
                let changes = changes.map(|(at, value)| StorageChange::new(index(at), value)).collect();
                storage_changes.push(SlotChanges::new(key, changes));
            }
        }
        let balances = self.balance.changes.into_iter();
        let nonces = self.nonce.changes.into_iter();
        let codes = self.code.changes.into_iter();
        AccountChanges {
            address,
            storage_changes,
            storage_reads,
            balance_changes: balances.map(|(at, value)| BalanceChange::new(index(at), value)).collect(),
            nonce_changes: nonces.map(|(at, value)| NonceChange::new(index(at), value)).collect(),
            code_changes: codes.map(|(at, (_, code))| CodeChange::new(index(at), code.original_bytes())).collect(),
        }
    }
}

/// Collects what the steps of a block accessed and changed.
#[derive(Clone, Debug, Default)]
pub struct AccessListBuilder {
    accounts: AddressMap<AccountHistory>,
}

impl AccessListBuilder {
    /// Adds one account of a commit. Indices must not decrease from call to call.
    pub fn record(&mut self, index: u64, address: Address, account: &Account) {
        self.accounts.entry(address).or_insert_with(|| AccountHistory::new(account)).update(index, account);
    }

    /// The list. `parent` is the state before the block.
    pub fn finish<S: DatabaseRef>(self, parent: &S) -> Result<BlockAccessList, S::Error> {
        let mut list = Vec::with_capacity(self.accounts.len());
        for (address, mut account) in self.accounts {
            account.complete(address, parent)?;
            list.push(account.into_changes(address));
        }
        list.sort_unstable_by_key(|account| account.address);
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::{
        database::{CacheDB, EmptyDB},
        state::{AccountInfo, EvmStorageSlot, TransactionId},
    };

    const ADDRESS: Address = Address::repeat_byte(1);

    fn parent() -> CacheDB<EmptyDB> {
        let mut parent = CacheDB::new(EmptyDB::new());
        parent.insert_account_info(ADDRESS, AccountInfo { nonce: 1, ..AccountInfo::from_balance(U256::from(5)) });
        parent.insert_account_storage(ADDRESS, U256::from(1), U256::from(9)).unwrap();
        parent
    }

    fn account(balance: u64) -> Account {
        let mut account = Account::from(AccountInfo { nonce: 1, ..AccountInfo::from_balance(U256::from(balance)) });
        account.mark_touch();
        account
    }

    fn with_slot(mut account: Account, slot: u64, original: u64, present: u64) -> Account {
        let value = EvmStorageSlot::new_changed(U256::from(original), U256::from(present), TransactionId::ZERO);
        account.storage.insert(U256::from(slot), value);
        account
    }

    fn created() -> Account {
        let mut account = Account::new_not_existing(TransactionId::ZERO);
        account.info.nonce = 1;
        account.mark_created();
        account.mark_touch();
        account
    }

    fn build(steps: &[(u64, Account)]) -> AccountChanges {
        let mut builder = AccessListBuilder::default();
        for (index, account) in steps {
            builder.record(*index, ADDRESS, account);
        }
        let mut list = builder.finish(&parent()).unwrap();
        assert_eq!(list.len(), 1);
        list.remove(0)
    }

    fn changes(account: &AccountChanges, slot: u64) -> Vec<(u64, u64)> {
        let slot = account.storage_changes.iter().find(|changes| changes.slot == U256::from(slot));
        let changes = slot.map(|slot| slot.changes.as_slice()).unwrap_or_default();
        changes.iter().map(|change| (change.block_access_index.get(), change.new_value.to())).collect()
    }

    #[test]
    fn accounts_and_slots_that_were_only_loaded_are_listed() {
        let list = build(&[(1, with_slot(account(5), 1, 9, 9))]);
        assert_eq!(list.storage_reads, [U256::from(1)]);
        assert!(list.storage_changes.is_empty() && list.balance_changes.is_empty() && list.nonce_changes.is_empty());
    }

    #[test]
    fn within_one_index_only_the_last_value_counts() {
        let mut paid = account(5);
        paid.info.balance = U256::from(7);
        let mut repaid = account(7);
        repaid.info.balance = U256::from(5);
        let list = build(&[
            (3, with_slot(paid, 1, 9, 4)),
            (3, with_slot(repaid, 1, 4, 9)),
            (4, with_slot(account(5), 2, 0, 1)),
            (4, with_slot(account(5), 2, 1, 2)),
        ]);
        assert!(list.balance_changes.is_empty(), "{:?}", list.balance_changes);
        assert_eq!(list.storage_reads, [U256::from(1)]);
        assert_eq!(changes(&list, 2), [(4, 2)]);
    }

    #[test]
    fn destruction_zeroes_what_was_written_before_and_what_is_read_after() {
        let mut destroyed = account(5);
        destroyed.mark_selfdestruct();
        let list = build(&[
            (1, with_slot(account(5), 2, 0, 6)),
            (2, destroyed),
            (4, with_slot(with_slot(created(), 1, 0, 0), 2, 0, 6)),
        ]);
        assert_eq!(changes(&list, 1), [(2, 0)], "slot 1 held 9 in the parent state and is first read at index 4");
        assert_eq!(changes(&list, 2), [(1, 6), (2, 0), (4, 6)]);
        let nonces = list.nonce_changes.iter().map(|change| (change.block_access_index.get(), change.new_nonce));
        assert_eq!(nonces.collect::<Vec<_>>(), [(2, 0), (4, 1)]);
        assert_eq!(list.balance_changes.len(), 1);
    }

    #[test]
    fn an_account_created_and_destroyed_in_one_transaction_changes_nothing() {
        let mut destroyed = with_slot(created(), 7, 0, 3);
        destroyed.mark_selfdestruct();
        let list = build(&[(1, destroyed)]);
        assert_eq!(list.storage_reads, [U256::from(7)]);
        assert!(list.nonce_changes.is_empty() && list.code_changes.is_empty() && list.storage_changes.is_empty());
    }
}
