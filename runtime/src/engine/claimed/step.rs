//! The state for what a block does before its first and after its last transaction, by a supplied list.
//!
//! Reads are answered by what was committed in this step, else by the list as it stands before the step's index. Several commits may
//! belong to one index (a system call each, then the withdrawals), so changes are collected and compared with the list at the end.

use super::{
    Failure,
    check::{Checker, is_left_empty},
};
use crate::{
    AccountState,
    engine::{apply::settle, ordered_database::account_info},
    state::{AccountRef, BlockState, Claims, Listed, Place, SlotRef, Snapshot, SnapshotError},
};
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, HashMap},
};
use revm::{
    Database, DatabaseCommit,
    primitives::hardfork::SpecId,
    state::{Account, AccountInfo, Bytecode},
};
use std::fmt;

struct SteppedAccount {
    entry: AccountRef,
    listed: Listed,
    place: Place,
    before: Option<AccountState>,
    after: Option<AccountState>,
    /// Code that is not that of the parent state.
    new_code: Option<Bytecode>,
    is_committed: bool,
}

struct SteppedSlot {
    entry: SlotRef,
    owner: Listed,
    listed: Listed,
    place: u32,
    before: U256,
    after: U256,
}

/// Reads and commits at one block access index.
pub(crate) struct Step<'b> {
    snapshot: &'b dyn Snapshot,
    state: &'b BlockState,
    claims: &'b Claims<'b>,
    index: u32,
    spec: SpecId,
    accounts: AddressMap<SteppedAccount>,
    slots: HashMap<(Address, U256), SteppedSlot>,
    /// A read that failed inside a commit, which cannot report it.
    failure: Option<SnapshotError>,
    is_unsuited: bool,
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<'b> Step<'b> {
    pub(crate) fn new(
        snapshot: &'b dyn Snapshot,
        state: &'b BlockState,
        claims: &'b Claims<'b>,
        index: u32,
        spec: SpecId,
    ) -> Self {
        Self {
            snapshot,
            state,
            claims,
            index,
            spec,
            accounts: AddressMap::default(),
            slots: HashMap::default(),
            failure: None,
            is_unsuited: false,
        }
    }

    /// Compares everything that was committed with the list.
    pub(crate) fn finish(self, checker: &mut Checker<'_>) -> Result<(), Failure> {
        if let Some(error) = self.failure {
            return Err(error.into());
        }
        if self.is_unsuited {
            return Err(Failure::Unsuited);
        }
        for account in self.accounts.values().filter(|account| account.is_committed) {
            if is_left_empty(account.entry) {
                return Err(Failure::Unsuited);
            }
            checker.access(account.entry, account.listed)?;
            let (before, after) =
                (account.before.unwrap_or(AccountState::NEW), account.after.unwrap_or(AccountState::NEW));
            checker.change(account.entry, (account.listed, account.place), self.index, &before, &after)?;
        }
        for slot in self.slots.values() {
            checker.access_slot(&slot.entry, slot.listed)?;
            if slot.before != slot.after {
                checker.change_slot(&slot.entry, slot.owner, (slot.listed, slot.place), self.index, slot.after)?;
            }
        }
        Ok(())
    }

    fn account(&mut self, address: Address) -> Result<&mut SteppedAccount, SnapshotError> {
        use alloy_primitives::map::Entry;
        match self.accounts.entry(address) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(vacant) => {
                let entry = self.state.account(self.snapshot, address)?;
                let listed = self.claims.find(&address);
                let place = self.claims.place(listed, Place::default(), self.index);
                let claimed = self.claims.account_before(listed, &entry, place);
                Ok(vacant.insert(SteppedAccount {
                    entry,
                    listed,
                    place,
                    before: claimed.state,
                    after: claimed.state,
                    new_code: claimed.new_code,
                    is_committed: false,
                }))
            }
        }
    }

    fn commit_account(&mut self, address: Address, account: Account) -> Result<(), SnapshotError> {
        let (snapshot, state, claims, index, spec) = (self.snapshot, self.state, self.claims, self.index, self.spec);
        let stepped = self.account(address)?;
        stepped.is_committed = true;
        let (entry, owner) = (stepped.entry, stepped.listed);
        let is_destroyed = account.is_touched() && account.is_selfdestructed();
        if account.is_touched() && !is_destroyed {
            stepped.after = settle(AccountState::from(&account.info), spec);
            if stepped.after.map(|state| state.code_hash) != stepped.before.map(|state| state.code_hash) {
                stepped.new_code = account.info.code;
            }
        }
        self.is_unsuited |= is_destroyed;
        for (slot, value) in account.storage {
            let slot_entry = state.slot(snapshot, entry, slot)?;
            let stepped = self.slots.entry((address, slot)).or_insert_with(|| {
                let listed = claims.find_slot(owner, &slot);
                let place = claims.place_slot(owner, listed, 0, index);
                let before = claims.slot_before(owner, listed, place).unwrap_or(slot_entry.base);
                SteppedSlot { entry: slot_entry, owner, listed, place, before, after: before }
            });
            if account.status.contains(revm::state::AccountStatus::Touched) && value.is_changed() {
                stepped.after = value.present_value;
            }
        }
        Ok(())
    }
}

impl Database for Step<'_> {
    type Error = SnapshotError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, SnapshotError> {
        let account = self.account(address)?;
        let Some(state) = account.after else { return Ok(None) };
        Ok(Some(account_info(state, account.new_code.as_ref(), &account.entry)))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, SnapshotError> {
        self.snapshot.code(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, SnapshotError> {
        if let Some(stepped) = self.slots.get(&(address, slot)) {
            return Ok(stepped.after);
        }
        let account = self.account(address)?;
        let (entry, owner) = (account.entry, account.listed);
        let base = self.state.slot(self.snapshot, entry, slot)?.base;
        let listed = self.claims.find_slot(owner, &slot);
        let place = self.claims.place_slot(owner, listed, 0, self.index);
        Ok(self.claims.slot_before(owner, listed, place).unwrap_or(base))
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, SnapshotError> {
        self.snapshot.block_hash(number)
    }
}

impl DatabaseCommit for Step<'_> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        for (address, account) in changes {
            if let Err(error) = self.commit_account(address, account) {
                self.failure.get_or_insert(error);
            }
        }
    }
}
