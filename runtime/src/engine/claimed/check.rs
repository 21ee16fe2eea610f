//! Whether a step of the block did exactly what the supplied list claims at its index.
//!
//! A step (a transaction, or what comes before the first or after the last) is right if every key it accessed is listed, and every
//! change it made stands in the list at its index with the value it left. What the list claims beyond that is found by counting:
//! no two steps have the same index, so each claim is met by one change at most.

use super::Failure;
use crate::{
    AccountState,
    evm::LocalView,
    state::{AccountRef, BlockState, Claims, Listed, SlotRef, Snapshot, Totals},
};
use alloy_primitives::U256;
use revm::{
    primitives::KECCAK_EMPTY,
    state::{Account, AccountStatus},
};

const NEW: AccountState = AccountState { balance: U256::ZERO, nonce: 0, code_hash: KECCAK_EMPTY };

/// Checks steps and counts what it finds. Every worker has its own.
pub(crate) struct Checker<'b> {
    claims: &'b Claims<'b>,
    state: &'b BlockState,
    snapshot: &'b dyn Snapshot,
    beneficiary: AccountRef,
    beneficiary_listed: Listed,
    beneficiary_is_counted: bool,
    found: Totals,
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
            beneficiary_is_counted: false,
            found: Totals::default(),
        }
    }

    /// What was found of the list so far.
    pub(crate) const fn found(&self) -> Totals {
        self.found
    }

    /// The account that fees go to.
    pub(crate) const fn beneficiary(&self) -> AccountRef {
        self.beneficiary
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
            let before = record.before.unwrap_or(NEW);
            let mut after = if is_touched { state_of(&record.account) } else { before };
            if is_destroyed {
                // Destroying the beneficiary burns the fee.
                after = NEW;
            } else if let Some(fee) = fee {
                after.balance = after.balance.saturating_add(fee);
            }
            if !is_destroyed && after.is_empty() && record.before.is_some() {
                return Err(Failure::Unsuited("an account is removed for being empty"));
            }
            self.change(record.entry, record.listed, index, &before, &after)?;
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
                self.change_slot(&record.entry, owner.listed, record.listed, index, after)?;
            }
        }
        Ok(())
    }

    /// Pays a fee (wei) to a beneficiary that did not take part otherwise.
    pub(crate) fn fee(&mut self, fee: U256, index: u32) -> Result<(), Failure> {
        let (entry, listed) = (self.beneficiary, self.beneficiary_listed);
        if !self.beneficiary_is_counted {
            self.access(entry, listed)?;
            self.beneficiary_is_counted = true;
        }
        if fee.is_zero() {
            return Ok(());
        }
        let before = self.claims.balance_before(listed, &entry, index);
        self.found.changes += 1;
        if self.claims.balance_at(listed, index) != Some(before.saturating_add(fee)) {
            return Err(Failure::wrong(format!("the balance of {} is false", entry.address)));
        }
        Ok(())
    }

    /// Notes the access of an account.
    pub(crate) fn access(&mut self, entry: AccountRef, listed: Listed) -> Result<(), Failure> {
        if entry.base.is_some_and(|base| base.is_empty()) {
            // A list cannot tell whether it is still there.
            return Err(Failure::Unsuited("an empty account exists"));
        }
        if listed == Listed::NOT {
            return Err(Failure::wrong(format!("account {} is missing", entry.address)));
        }
        self.found.accounts += usize::from(entry.marks().access_at(listed));
        Ok(())
    }

    /// Notes the access of a slot.
    pub(crate) fn access_slot(&mut self, entry: &SlotRef, listed: Listed) -> Result<(), Failure> {
        if listed == Listed::NOT {
            return Err(Failure::wrong(format!("slot {} of {} is missing", entry.slot, entry.account.address)));
        }
        self.found.slots += usize::from(entry.marks().access_at(listed));
        Ok(())
    }

    /// Compares an account before and after `index` with the list.
    pub(crate) fn change(
        &mut self,
        entry: AccountRef,
        listed: Listed,
        index: u32,
        before: &AccountState,
        after: &AccountState,
    ) -> Result<(), Failure> {
        let what = if before.balance != after.balance
            && self.differs(self.claims.balance_at(listed, index) == Some(after.balance))
        {
            "balance"
        } else if before.nonce != after.nonce && self.differs(self.claims.nonce_at(listed, index) == Some(after.nonce))
        {
            "nonce"
        } else if before.code_hash != after.code_hash
            && self.differs(self.claims.code_at(listed, index) == Some(after.code_hash))
        {
            "code"
        } else {
            return Ok(());
        };
        Err(Failure::wrong(format!("the {what} of {} is false", entry.address)))
    }

    /// Counts a change; true when it is not what the list claims.
    fn differs(&mut self, is_claimed: bool) -> bool {
        self.found.changes += 1;
        !is_claimed
    }

    /// Compares the value that a slot gets at `index` with the list.
    pub(crate) fn change_slot(
        &mut self,
        entry: &SlotRef,
        account: Listed,
        slot: Listed,
        index: u32,
        after: U256,
    ) -> Result<(), Failure> {
        self.found.changes += 1;
        if self.claims.slot_at(account, slot, index) != Some(after) {
            let (slot, address) = (entry.slot, entry.account.address);
            return Err(Failure::wrong(format!("the write to slot {slot} of {address} is false")));
        }
        Ok(())
    }

    /// Compares the slots of an account that was destroyed: the list has to set those to zero that were not, as far as it names them.
    fn destroyed(&mut self, entry: AccountRef, listed: Listed, index: u32) -> Result<(), Failure> {
        entry.wipe_storage(index);
        let Some(account) = self.claims.get(listed) else { return Ok(()) };
        let changed = account.storage_changes.iter().map(|changes| changes.slot);
        for slot in changed.chain(account.storage_reads.iter().copied()) {
            let slot_entry = self.state.slot(self.snapshot, entry, slot)?;
            let position = self.claims.find_slot(listed, &slot);
            let before = self.claims.slot_before(listed, position, index).unwrap_or(slot_entry.base);
            if !before.is_zero() {
                self.change_slot(&slot_entry, listed, position, index, U256::ZERO)?;
            }
        }
        Ok(())
    }
}

fn state_of(account: &Account) -> AccountState {
    let info = &account.info;
    AccountState { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash }
}
