//! The baseline's state: the present value of everything the block loaded, beside the value it had before.
//!
//! Two flat maps, one for accounts and one for slots of all accounts, so that a read is one look-up and nothing is allocated
//! per account. Code is fetched once, when its account is first loaded, and shared from then on.

use crate::{
    AccountDiff, AccountState, SlotDiff, StateDiff,
    state::{Snapshot, SnapshotError},
};
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, Entry, HashMap},
};
use revm::{
    Database, DatabaseCommit,
    primitives::KECCAK_EMPTY,
    state::{Account, AccountInfo, Bytecode},
};
use std::fmt;

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

/// The memory of a [`MapState`].
#[derive(Debug, Default)]
pub(super) struct Maps {
    accounts: AddressMap<LoadedAccount>,
    slots: HashMap<(Address, U256), LoadedSlot>,
}

/// A block's state over its parent's.
pub(super) struct MapState<'a> {
    parent: &'a dyn Snapshot,
    maps: Maps,
    /// Whether any account was wiped: only then a slot that is not loaded needs a look at its account first.
    any_wiped: bool,
}

impl fmt::Debug for MapState<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MapState").field("maps", &self.maps).finish_non_exhaustive()
    }
}

impl<'a> MapState<'a> {
    pub(super) fn new(parent: &'a dyn Snapshot, maps: Maps) -> Self {
        Self { parent, maps, any_wiped: false }
    }

    /// Forgets everything but the memory.
    pub(super) fn into_maps(mut self) -> Maps {
        self.maps.accounts.clear();
        self.maps.slots.clear();
        self.maps
    }

    /// The merged change of everything committed.
    pub(super) fn take_diff(&mut self) -> StateDiff {
        let mut diff = StateDiff::default();
        for (address, account) in &self.maps.accounts {
            let present = account.present.as_ref().map(AccountState::from);
            let storage_wiped = account.wiped && account.original.is_some();
            if !account.changed || (present == account.original && !storage_wiped) {
                continue;
            }
            if let Some(info) = &account.present
                && info.code_hash != KECCAK_EMPTY
                && account.original.is_none_or(|original| original.code_hash != info.code_hash)
                && let Some(code) = &info.code
                && !diff.contracts.iter().any(|(hash, _)| *hash == info.code_hash)
            {
                diff.contracts.push((info.code_hash, code.clone()));
            }
            diff.accounts.push(AccountDiff { address: *address, original: account.original, present, storage_wiped });
        }
        for ((address, slot), value) in &self.maps.slots {
            // A wiped account's storage starts at zero again, whatever it was before.
            let original = if self.any_wiped && self.is_wiped(address) { U256::ZERO } else { value.original };
            if original != value.present {
                diff.slots.push(SlotDiff { address: *address, slot: *slot, original, present: value.present });
            }
        }
        diff
    }

    fn load(&mut self, address: Address) -> Result<&mut LoadedAccount, SnapshotError> {
        match self.maps.accounts.entry(address) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let mut present = self.parent.account(address)?;
                if let Some(info) = &mut present
                    && info.code.is_none()
                {
                    info.code = Some(if info.code_hash == KECCAK_EMPTY {
                        Bytecode::default()
                    } else {
                        self.parent.code(info.code_hash)?
                    });
                }
                let original = present.as_ref().map(AccountState::from);
                Ok(entry.insert(LoadedAccount { original, present, wiped: false, changed: false }))
            }
        }
    }

    /// The account, which was read before it was changed.
    fn loaded(&mut self, address: Address) -> &mut LoadedAccount {
        self.load(address).unwrap_or_else(|error| panic!("account {address} is committed but was never read: {error}"))
    }

    fn is_wiped(&self, address: &Address) -> bool {
        self.maps.accounts.get(address).is_some_and(|account| account.wiped)
    }

    /// Takes away the account's storage: everything loaded reads as zero, and nothing is loaded from the parent again.
    fn wipe_storage(&mut self, address: Address) {
        self.loaded(address).wiped = true;
        self.any_wiped = true;
        for ((owner, _), value) in &mut self.maps.slots {
            if *owner == address {
                value.present = U256::ZERO;
            }
        }
    }

    fn commit_account(&mut self, address: Address, account: Account) {
        if !account.is_touched() {
            return;
        }
        let loaded = self.loaded(address);
        loaded.changed = true;
        if account.is_selfdestructed() || (account.is_empty() && !account.is_created()) {
            let existed = loaded.present.take().is_some();
            if existed || (account.is_selfdestructed() && !loaded.wiped) {
                self.wipe_storage(address);
            }
            return;
        }
        loaded.present = Some(account.info);
        for (slot, value) in account.storage.into_iter().filter(|(_, value)| value.is_changed()) {
            // A written slot was read before, but for those of accounts that the transaction itself created.
            self.maps
                .slots
                .entry((address, slot))
                .or_insert(LoadedSlot { original: U256::ZERO, present: U256::ZERO })
                .present = value.present_value;
        }
    }
}

impl Database for MapState<'_> {
    type Error = SnapshotError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, SnapshotError> {
        Ok(self.load(address)?.present.clone())
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, SnapshotError> {
        // Accounts carry their code, so this is only asked for code whose account is not loaded.
        self.parent.code(code_hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, SnapshotError> {
        if let Some(value) = self.maps.slots.get(&(address, slot)) {
            return Ok(value.present);
        }
        let original = self.parent.storage(address, slot)?;
        let present = if self.any_wiped && self.is_wiped(&address) { U256::ZERO } else { original };
        self.maps.slots.insert((address, slot), LoadedSlot { original, present });
        Ok(present)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, SnapshotError> {
        self.parent.block_hash(number)
    }
}

impl DatabaseCommit for MapState<'_> {
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
