//! The state of baseline (b): the present value of everything the block loaded, beside the value it had before.
//!
//! Two flat maps, one for accounts and one for slots of all accounts, so that a read is one look-up and nothing is allocated
//! per account. Code is fetched once, when its account is first loaded, and shared from then on.

use super::map::NOTHING;
use crate::snapshot::Snapshot;
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, HashMap},
};
use braid_runtime::{AccountDiff, AccountState, SlotDiff, StateDiff};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    primitives::KECCAK_EMPTY,
    state::{Account, AccountInfo, Bytecode},
};
use std::{convert::Infallible, fmt};

#[derive(Clone, Debug)]
struct LoadedAccount {
    original: Option<AccountState>,
    /// `None` when the account does not exist now.
    present: Option<AccountInfo>,
    /// Storage of the parent state is gone.
    wiped: bool,
    /// Something of the record may differ from `original`.
    changed: bool,
}

#[derive(Clone, Copy, Debug)]
struct LoadedSlot {
    original: U256,
    present: U256,
}

#[derive(Debug)]
pub(crate) struct MapState<'a, P = Snapshot> {
    parent: &'a P,
    accounts: AddressMap<LoadedAccount>,
    slots: HashMap<(Address, U256), LoadedSlot>,
    /// Whether any account was wiped: only then a slot that is not loaded needs a look at its account first.
    any_wiped: bool,
}

impl Default for MapState<'static> {
    fn default() -> Self {
        Self { parent: &NOTHING, accounts: AddressMap::default(), slots: HashMap::default(), any_wiped: false }
    }
}

const fn state_of(info: &AccountInfo) -> AccountState {
    AccountState { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash }
}

impl<'a, P: DatabaseRef<Error = Infallible>> MapState<'a, P> {
    /// The same memory over another parent state.
    pub(crate) fn over<'b, Q>(self, parent: &'b Q) -> MapState<'b, Q> {
        MapState { parent, accounts: self.accounts, slots: self.slots, any_wiped: self.any_wiped }
    }

    /// Forgets everything but the memory.
    pub(crate) fn cleared(mut self) -> MapState<'static> {
        self.accounts.clear();
        self.slots.clear();
        self.any_wiped = false;
        self.over(&NOTHING)
    }

    /// The merged difference of everything committed.
    pub(crate) fn take_diff(&mut self) -> StateDiff {
        let mut diff = StateDiff::default();
        for (address, account) in &self.accounts {
            if !account.changed {
                continue;
            }
            let present = account.present.as_ref().map(state_of);
            if present == account.original && (!account.wiped || present.is_none()) {
                continue;
            }
            if let Some(info) = &account.present
                && info.code_hash != KECCAK_EMPTY
                && account.original.is_none_or(|original| original.code_hash != info.code_hash)
                && let Some(code) = &info.code
            {
                diff.contracts.push((info.code_hash, code.clone()));
            }
            diff.accounts.push(AccountDiff {
                address: *address,
                original: account.original,
                present,
                storage_wiped: account.wiped,
            });
        }
        for ((address, slot), value) in &self.slots {
            // A wiped account's storage starts at zero again, whatever it was before.
            if value.original != value.present || (self.any_wiped && !value.present.is_zero() && self.is_wiped(address))
            {
                diff.slots.push(SlotDiff {
                    address: *address,
                    slot: *slot,
                    original: value.original,
                    present: value.present,
                });
            }
        }
        diff
    }

    fn load(&mut self, address: Address) -> &mut LoadedAccount {
        let parent = self.parent;
        self.accounts.entry(address).or_insert_with(|| {
            let Ok(mut present) = parent.basic_ref(address);
            if let Some(info) = &mut present
                && info.code.is_none()
            {
                info.code = Some(if info.code_hash == KECCAK_EMPTY {
                    Bytecode::default()
                } else {
                    let Ok(code) = parent.code_by_hash_ref(info.code_hash);
                    code
                });
            }
            LoadedAccount { original: present.as_ref().map(state_of), present, wiped: false, changed: false }
        })
    }

    fn is_wiped(&self, address: &Address) -> bool {
        self.accounts.get(address).is_some_and(|account| account.wiped)
    }

    /// Takes away the account's storage: everything loaded reads as zero, and nothing is loaded from the parent again.
    fn wipe_storage(&mut self, address: Address) {
        self.load(address).wiped = true;
        self.any_wiped = true;
        for ((owner, _), value) in &mut self.slots {
            if *owner == address {
                value.present = U256::ZERO;
            }
        }
    }

    fn commit_account(&mut self, address: Address, account: Account) {
        if !account.is_touched() {
            return;
        }
        let destroyed = account.is_selfdestructed();
        if destroyed || (account.is_empty() && !account.is_created()) {
            let loaded = self.load(address);
            loaded.changed = true;
            let existed = loaded.present.take().is_some();
            if destroyed && (existed || !loaded.wiped) {
                self.wipe_storage(address);
            }
            return;
        }
        let loaded = self.load(address);
        loaded.changed = true;
        loaded.present = Some(account.info);
        let parent = self.parent;
        for (slot, value) in account.storage {
            if !value.is_changed() {
                continue;
            }
            self.slots
                .entry((address, slot))
                .or_insert_with(|| {
                    let Ok(original) = parent.storage_ref(address, slot);
                    LoadedSlot { original, present: original }
                })
                .present = value.present_value;
        }
    }
}

impl<P: DatabaseRef<Error = Infallible> + fmt::Debug> Database for MapState<'_, P> {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.load(address).present.clone())
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, Infallible> {
        // Accounts carry their code, so this is only asked for code whose account is not loaded.
        self.parent.code_by_hash_ref(code_hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, Infallible> {
        if let Some(value) = self.slots.get(&(address, slot)) {
            return Ok(value.present);
        }
        let Ok(original) = self.parent.storage_ref(address, slot);
        let present = if self.any_wiped && self.is_wiped(&address) { U256::ZERO } else { original };
        self.slots.insert((address, slot), LoadedSlot { original, present });
        Ok(present)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        self.parent.block_hash_ref(number)
    }
}

impl<P: DatabaseRef<Error = Infallible> + fmt::Debug> DatabaseCommit for MapState<'_, P> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        for (address, account) in changes {
            self.commit_account(address, account);
        }
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        for (address, account) in changes {
            self.commit_account(address, account);
        }
    }
}
