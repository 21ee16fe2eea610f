//! Whether a step of the block did exactly what the supplied list claims at its index.
//!
//! A step (a transaction, or what comes before the first or after the last) is right if every key it accessed is listed, and every
//! change it made stands in the list at its index with the value it left. What the list claims beyond that is found by counting:
//! no two steps have the same index, so each claim is met by one change at most.
//!
//! Whoever makes the last change that the list has of an account or slot adds it to the block's merged change on the way: everything about it is at
//! hand then.

use super::Failure;
use crate::{
    AccountDiff, AccountState, SlotDiff, StateDiff,
    evm::LocalView,
    state::{AccountRef, BlockState, Claims, Listed, Place, SlotRef, Snapshot, Totals},
};
use alloy_primitives::{B256, U256};
use revm::{
    primitives::KECCAK_EMPTY,
    state::{Account, AccountStatus, Bytecode},
};

/// What checkers found in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) totals: Totals,
    /// What changes in the end, unless `wipes`.
    pub(crate) diff: StateDiff,
    /// An account of the parent state was destroyed: what its slots were is then no matter of single changes.
    pub(crate) wipes: bool,
    /// Transactions done without the EVM.
    pub(crate) native: u32,
}

impl Found {
    /// Nothing yet, with room for all changes of a list.
    pub(crate) fn with_room_for(claims: &Claims<'_>) -> Self {
        let diff = StateDiff {
            accounts: Vec::with_capacity(claims.changed_accounts()),
            slots: Vec::with_capacity(claims.changed_slots()),
            contracts: Vec::new(),
        };
        Self { diff, ..Self::default() }
    }

    /// Takes over what a checker found so far.
    pub(crate) fn take_from(&mut self, checker: &mut Checker<'_>) {
        let other = &mut checker.found;
        self.totals += std::mem::take(&mut other.totals);
        self.wipes |= other.wipes;
        self.native += std::mem::take(&mut other.native);
        self.diff.accounts.append(&mut other.diff.accounts);
        self.diff.slots.append(&mut other.diff.slots);
        other.diff.contracts.drain(..).for_each(|contract| self.add_contract(contract));
    }

    fn add_contract(&mut self, contract: (B256, Bytecode)) {
        if !self.diff.contracts.iter().any(|(known, _)| *known == contract.0) {
            self.diff.contracts.push(contract);
        }
    }
}

/// Checks steps and counts what it finds. Every worker has its own.
pub(crate) struct Checker<'b> {
    claims: &'b Claims<'b>,
    state: &'b BlockState,
    snapshot: &'b dyn Snapshot,
    beneficiary: AccountRef,
    beneficiary_listed: Listed,
    beneficiary_place: Place,
    beneficiary_is_counted: bool,
    found: Found,
}

impl std::fmt::Debug for Checker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checker").field("found", &self.found).finish_non_exhaustive()
    }
}

impl<'b> Checker<'b> {
    pub(crate) fn new(
        claims: &'b Claims<'b>,
        state: &'b BlockState,
        snapshot: &'b dyn Snapshot,
        beneficiary: AccountRef,
    ) -> Self {
        Self {
            claims,
            state,
            snapshot,
            beneficiary,
            beneficiary_listed: claims.find(&beneficiary.address),
            beneficiary_place: Place::default(),
            beneficiary_is_counted: false,
            found: Found::default(),
        }
    }

    /// Enough was found to be handed in.
    pub(crate) fn is_full(&self) -> bool {
        self.found.diff.accounts.len() + self.found.diff.slots.len() >= 48
    }

    /// Counts a transaction that the EVM was not needed for.
    pub(crate) fn count_native(&mut self) {
        self.found.native += 1;
    }

    /// Checks the transaction with block access index `index`, which just ran in `view`, with its `fee` in wei.
    pub(crate) fn transaction(&mut self, view: &mut LocalView, fee: U256, index: u32) -> Result<(), Failure> {
        let mut destroys = false;
        for position in &view.used_accounts {
            let record = &mut view.accounts[*position as usize];
            if !record.is_counted {
                self.access(record.entry, record.listed)?;
                record.is_counted = true;
            }
            destroys |= record.account.is_selfdestructed();
        }
        let mut fee = Some(fee);
        for position in &view.used_accounts {
            let record = &view.accounts[*position as usize];
            let is_paid = record.entry.is(self.beneficiary);
            let is_touched = record.account.is_touched();
            if !is_touched && !is_paid {
                continue;
            }
            let fee = if is_paid { fee.take() } else { None };
            let is_destroyed = is_touched && record.account.is_selfdestructed();
            let before = record.before.unwrap_or(AccountState::NEW);
            let mut after = if is_touched { state_of(&record.account) } else { before };
            if is_destroyed {
                // Destroying the beneficiary burns the fee.
                after = AccountState::NEW;
            } else if let Some(fee) = fee {
                after.balance = after.balance.saturating_add(fee);
            }
            if !is_destroyed && after.is_empty() && record.before.is_some() {
                if is_paid || !before.is_empty() {
                    return Err(Failure::Unsuited);
                }
                self.delete_empty(record.entry, index);
                continue;
            }
            self.change(record.entry, (record.listed, record.place), index, &before, &after)?;
            if is_destroyed {
                self.destroyed(record.entry, record.listed, index)?;
            }
        }
        if let Some(fee) = fee {
            self.fee(fee, index)?;
        }
        for position in &view.used_slots {
            let record = &mut view.slots[*position as usize];
            let owner = &view.accounts[record.account as usize];
            if !record.is_counted {
                self.access_slot(&record.entry, record.listed)?;
                record.is_counted = true;
            }
            let after = record.slot.present_value;
            let is_gone = destroys && owner.account.status.contains(AccountStatus::SelfDestructed);
            if record.slot.original_value != after && !is_gone {
                self.change_slot(&record.entry, owner.listed, (record.listed, record.place), index, after)?;
            }
        }
        Ok(())
    }

    /// Pays a fee (wei) to a beneficiary that did not take part otherwise.
    pub(crate) fn fee(&mut self, fee: U256, index: u32) -> Result<(), Failure> {
        let (entry, listed) = (self.beneficiary, self.beneficiary_listed);
        if is_left_empty(entry) {
            return Err(Failure::Unsuited);
        }
        if !self.beneficiary_is_counted {
            self.access(entry, listed)?;
            self.beneficiary_is_counted = true;
        }
        if fee.is_zero() {
            return Ok(());
        }
        let place = self.claims.place(listed, self.beneficiary_place, index);
        self.beneficiary_place = place;
        let before = self.claims.balance_before(listed, &entry, place);
        self.found.totals.changes += 1;
        let after = before.saturating_add(fee);
        if self.claims.balance_at(listed, place, index) != Some(after) {
            return Err(Failure::wrong(format!("the balance of {} is false", entry.address)));
        }
        if !self.claims.changes_after(listed, index) {
            let before = self.claims.account_before(listed, &entry, place).state.unwrap_or(AccountState::NEW);
            self.keep(entry, listed, AccountState { balance: after, ..before });
        }
        Ok(())
    }

    /// Notes the access of an account.
    pub(crate) fn access(&mut self, entry: AccountRef, listed: Listed) -> Result<(), Failure> {
        if is_left_empty(entry) && self.claims.changes_account(listed) {
            // A list cannot tell whether it is still there, and somebody may ask: an authorisation (EIP-7702) is cheaper if it is.
            return Err(Failure::Unsuited);
        }
        if listed == Listed::NOT {
            return Err(Failure::wrong(format!("account {} is missing", entry.address)));
        }
        self.found.totals.accounts += usize::from(entry.marks().access_at(listed));
        Ok(())
    }

    /// Notes the access of a slot.
    pub(crate) fn access_slot(&mut self, entry: &SlotRef, listed: Listed) -> Result<(), Failure> {
        if listed == Listed::NOT {
            return Err(Failure::wrong(format!("slot {} of {} is missing", entry.slot, entry.account.address)));
        }
        self.found.totals.slots += usize::from(entry.marks().access_at(listed));
        Ok(())
    }

    /// Compares an account before and after `index` with the list; `listed` also says where in its changes that index is.
    pub(crate) fn change(
        &mut self,
        entry: AccountRef,
        listed: (Listed, Place),
        index: u32,
        before: &AccountState,
        after: &AccountState,
    ) -> Result<(), Failure> {
        if before == after {
            return Ok(());
        }
        let (listed, place) = listed;
        let what = if before.balance != after.balance
            && self.differs(self.claims.balance_at(listed, place, index) == Some(after.balance))
        {
            "balance"
        } else if before.nonce != after.nonce
            && self.differs(self.claims.nonce_at(listed, place, index) == Some(after.nonce))
        {
            "nonce"
        } else if before.code_hash != after.code_hash
            && self.differs(self.claims.code_at(listed, place, index) == Some(after.code_hash))
        {
            "code"
        } else {
            if !self.claims.changes_after(listed, index) {
                self.keep(entry, listed, *after);
            }
            return Ok(());
        };
        Err(Failure::wrong(format!("the {what} of {} is false", entry.address)))
    }

    /// Counts a change; true when it is not what the list claims.
    fn differs(&mut self, is_claimed: bool) -> bool {
        self.found.totals.changes += 1;
        !is_claimed
    }

    /// Deletes an account without anything, which was touched (EIP-161). The list does not change it, so it is never more than that in this block,
    /// and it does not matter when it went.
    fn delete_empty(&mut self, entry: AccountRef, index: u32) {
        if entry.marks().delete() {
            entry.wipe_storage(index);
            let (address, original) = (entry.address, entry.base);
            self.found.diff.accounts.push(AccountDiff { address, original, present: None, storage_wiped: true });
        }
    }

    /// Adds an account to the block's change, as it is in the end.
    fn keep(&mut self, entry: AccountRef, listed: Listed, last: AccountState) {
        let present = (!last.is_empty()).then_some(last);
        if present == entry.base {
            return;
        }
        let account = AccountDiff { address: entry.address, original: entry.base, present, storage_wiped: false };
        self.found.diff.accounts.push(account);
        let is_new_code = last.code_hash != entry.base.map_or(KECCAK_EMPTY, |base| base.code_hash);
        if is_new_code
            && last.code_hash != KECCAK_EMPTY
            && let Some(code) = self.claims.last_code(listed)
        {
            self.found.add_contract((last.code_hash, code.clone()));
        }
    }

    /// Compares the value that a slot gets at `index` with the list.
    pub(crate) fn change_slot(
        &mut self,
        entry: &SlotRef,
        account: Listed,
        slot: (Listed, u32),
        index: u32,
        after: U256,
    ) -> Result<(), Failure> {
        self.found.totals.changes += 1;
        match self.claims.slot_at(account, slot.0, slot.1, index) {
            Some((claimed, is_last)) if claimed == after => {
                if is_last && after != entry.base {
                    let (address, slot, original) = (entry.account.address, entry.slot, entry.base);
                    self.found.diff.slots.push(SlotDiff { address, slot, original, present: after });
                }
                Ok(())
            }
            _ => {
                let (slot, address) = (entry.slot, entry.account.address);
                Err(Failure::wrong(format!("the write to slot {slot} of {address} is false")))
            }
        }
    }

    /// Compares the slots of an account that was destroyed: the list has to set those to zero that were not, as far as it names them.
    fn destroyed(&mut self, entry: AccountRef, listed: Listed, index: u32) -> Result<(), Failure> {
        entry.wipe_storage(index);
        self.found.wipes |= entry.base.is_some();
        let Some(account) = self.claims.get(listed) else { return Ok(()) };
        let changed = account.storage_changes.iter().map(|changes| changes.slot);
        for slot in changed.chain(account.storage_reads.iter().copied()) {
            let slot_entry = self.state.slot(self.snapshot, entry, slot)?;
            let position = self.claims.find_slot(listed, &slot);
            let place = self.claims.place_slot(listed, position, 0, index);
            let before = self.claims.slot_before(listed, position, place).unwrap_or(slot_entry.base);
            if !before.is_zero() {
                self.change_slot(&slot_entry, listed, (position, place), index, U256::ZERO)?;
            }
        }
        Ok(())
    }
}

/// Whether the parent state has the account without anything in it: a few are left over from before EIP-161, and states made by hand have some.
pub(crate) fn is_left_empty(entry: AccountRef) -> bool {
    entry.base.is_some_and(|base| base.is_empty())
}

fn state_of(account: &Account) -> AccountState {
    let info = &account.info;
    AccountState { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash }
}
