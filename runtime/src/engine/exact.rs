//! Exact-list mode for blocks whose list cannot tell everything (see [`super::claimed`], which all others take): the block comes with its own
//! access list (EIP-7928), so every transaction can start at once, but is compared with the list in order.
//!
//! [`ExactList`] writes what the list says into the state before anything runs: slot versions, and account values by index. From then on each
//! transaction reads exactly what the ones before it will have left. [`ListCheck`] follows the ordered commit and compares every access and
//! every change with the list. A list is right exactly if nothing was accessed or changed that it does not say, and nothing that it says
//! was missing; the second half is a matter of counting. A list that is found wrong is never believed in part: the block is executed
//! anew without it.

use super::{everybody::everybody, record::TransactionRecord};
use crate::{
    AccountState,
    state::{AccountEntry, AccountRef, BlockState, SeededAccount, Snapshot, SnapshotError},
};
use alloy_eip7928::{AccountChanges, BlockAccessList};
use alloy_primitives::{Address, U256, keccak256};
use parking_lot::Mutex;
use revm::{
    primitives::KECCAK_EMPTY,
    state::{AccountStatus, Bytecode},
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Accounts of a list that a worker takes at a time.
const CHUNK: usize = 16;

/// A supplied list on its way into the state.
#[derive(Debug)]
pub(crate) struct ExactList<'b> {
    list: &'b BlockAccessList,
    next: AtomicUsize,
}

/// What a supplied list has in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    accounts: usize,
    slots: usize,
    changes: usize,
}

impl<'b> ExactList<'b> {
    /// `None` when the list is not in order, or speaks of indices beyond the block's last, `last`.
    pub(crate) fn new(list: &'b BlockAccessList, last: u32) -> Option<Self> {
        let in_order = list.windows(2).all(|pair| pair[0].address < pair[1].address);
        (in_order && list.iter().all(|account| is_in_order(account, last)))
            .then_some(Self { list, next: AtomicUsize::new(0) })
    }

    /// Writes the whole list into the state, on all threads.
    pub(crate) fn seed(
        &self,
        state: &BlockState,
        snapshot: &dyn Snapshot,
        pool: Option<&rayon::ThreadPool>,
    ) -> Result<(), SnapshotError> {
        let failure = Mutex::new(Ok(()));
        everybody(pool.filter(|_| self.list.len() > CHUNK), || {
            if let Err(error) = self.seed_chunks(state, snapshot) {
                *failure.lock() = Err(error);
            }
        });
        failure.into_inner()
    }

    fn seed_chunks(&self, state: &BlockState, snapshot: &dyn Snapshot) -> Result<(), SnapshotError> {
        loop {
            let start = self.next.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(rest) = self.list.get(start..) else { return Ok(()) };
            for account in &rest[..rest.len().min(CHUNK)] {
                seed_account(account, state, snapshot)?;
            }
        }
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals { accounts: self.list.len(), ..Totals::default() };
        for account in self.list {
            totals.slots += account.storage_changes.len() + account.storage_reads.len();
            totals.changes += account.balance_changes.len() + account.nonce_changes.len() + account.code_changes.len();
            totals.changes += account.storage_changes.iter().map(|slot| slot.changes.len()).sum::<usize>();
        }
        totals
    }

    /// Starts the comparison with what really happens.
    pub(crate) fn check(&self) -> ListCheck {
        ListCheck { expected: self.totals(), found: Totals::default(), mismatch: None }
    }
}

fn is_in_order(account: &AccountChanges, last: u32) -> bool {
    fn ascends(mut indices: impl Iterator<Item = u64>, last: u32) -> bool {
        let Some(mut previous) = indices.next() else { return true };
        for index in indices {
            if index <= previous {
                return false;
            }
            previous = index;
        }
        previous <= u64::from(last)
    }
    let slots_ascend = account.storage_changes.windows(2).all(|pair| pair[0].slot < pair[1].slot)
        && account.storage_reads.windows(2).all(|pair| pair[0] < pair[1]);
    slots_ascend
        && ascends(account.balance_changes.iter().map(|change| change.block_access_index.0), last)
        && ascends(account.nonce_changes.iter().map(|change| change.block_access_index.0), last)
        && ascends(account.code_changes.iter().map(|change| change.block_access_index.0), last)
        && account.storage_changes.iter().all(|slot| {
            !slot.changes.is_empty() && ascends(slot.changes.iter().map(|change| change.block_access_index.0), last)
        })
}

fn seed_account(account: &AccountChanges, state: &BlockState, snapshot: &dyn Snapshot) -> Result<(), SnapshotError> {
    // `is_in_order` has checked that indices fit.
    let index = |index: alloy_eip7928::BlockAccessIndex| index.0 as u32;
    let entry = state.account(snapshot, account.address)?;
    entry.marks().list();
    let changes = account.balance_changes.len() + account.nonce_changes.len() + account.code_changes.len();
    if changes > 0 {
        entry.set_seed(SeededAccount {
            balances: account
                .balance_changes
                .iter()
                .map(|change| (index(change.block_access_index), change.post_balance))
                .collect(),
            nonces: account
                .nonce_changes
                .iter()
                .map(|change| (index(change.block_access_index), change.new_nonce))
                .collect(),
            codes: account
                .code_changes
                .iter()
                .map(|change| {
                    let code = Bytecode::new_raw_checked(change.new_code.clone())
                        .unwrap_or_else(|_| Bytecode::new_legacy(change.new_code.clone()));
                    let hash = if change.new_code.is_empty() { KECCAK_EMPTY } else { keccak256(&change.new_code) };
                    (index(change.block_access_index), hash, code)
                })
                .collect(),
        });
    }
    for slot in &account.storage_reads {
        state.slot(snapshot, entry, *slot)?.marks().list();
    }
    for slot in &account.storage_changes {
        let slot_entry = state.slot(snapshot, entry, slot.slot)?;
        slot_entry.marks().list();
        for change in &slot.changes {
            slot_entry.write(index(change.block_access_index), change.new_value);
        }
    }
    Ok(())
}

/// Compares what is committed with the list.
#[derive(Debug)]
pub(crate) struct ListCheck {
    expected: Totals,
    found: Totals,
    mismatch: Option<String>,
}

impl ListCheck {
    /// The first difference found so far.
    pub(crate) fn mismatch(&self) -> Option<&str> {
        self.mismatch.as_deref()
    }

    /// The verdict after the whole block: `None` when the list is right.
    pub(crate) fn finish(self) -> Option<String> {
        self.mismatch.or_else(|| {
            (self.found != self.expected).then(|| format!("it has {:?}, the block {:?}", self.expected, self.found))
        })
    }

    /// Compares a committed transaction.
    pub(crate) fn transaction(&mut self, record: &TransactionRecord, beneficiary: AccountRef, state: &BlockState) {
        let mut fee = record.fee_payment;
        for access in &record.accounts {
            let mut after = access.after;
            if access.entry.is(beneficiary)
                && let Some(payment) = fee.take()
            {
                after = payment.after;
            }
            self.account(&access.entry, record.index, access.before, after);
            if access.status.contains(AccountStatus::SelfDestructed) {
                self.destroyed(access.entry, record.index, state);
            }
        }
        if let Some(payment) = fee {
            self.account(&beneficiary, record.index, payment.before, payment.after);
        }
        for access in &record.slots {
            let marks = access.entry.marks();
            if !marks.is_listed() {
                self.fail(|| format!("slot {} of {} is missing", access.entry.slot, access.entry.account.address));
            }
            self.found.slots += usize::from(marks.access());
            if access.is_written() {
                // `publish_slots` found the listed value there already, or else changed the list's version.
                self.found.changes += 1;
                if !access.was_published {
                    self.fail(|| {
                        format!("the write to slot {} of {} is false", access.entry.slot, access.entry.account.address)
                    });
                }
            }
        }
    }

    /// Compares one account of a commit.
    pub(crate) fn account(
        &mut self,
        entry: &AccountEntry,
        index: u32,
        before: Option<AccountState>,
        after: Option<AccountState>,
    ) {
        let marks = entry.marks();
        if !marks.is_listed() {
            self.fail(|| format!("account {} is missing", entry.address));
        }
        self.found.accounts += usize::from(marks.access());
        if before == after {
            return;
        }
        let (before, after) = (before.unwrap_or(AccountState::NEW), after.unwrap_or(AccountState::NEW));
        let seed = entry.seed();
        if before.balance != after.balance {
            let listed = seed.and_then(|seed| at(&seed.balances, index, |change| change.0)).map(|change| change.1);
            self.change(listed == Some(after.balance), entry.address, "balance");
        }
        if before.nonce != after.nonce {
            let listed = seed.and_then(|seed| at(&seed.nonces, index, |change| change.0)).map(|change| change.1);
            self.change(listed == Some(after.nonce), entry.address, "nonce");
        }
        if before.code_hash != after.code_hash {
            let listed = seed.and_then(|seed| at(&seed.codes, index, |change| change.0)).map(|change| change.1);
            self.change(listed == Some(after.code_hash), entry.address, "code");
        }
    }

    /// Compares the slots of an account that was destroyed: the list has to set those to zero that were not, as far as it names them.
    fn destroyed(&mut self, entry: AccountRef, index: u32, state: &BlockState) {
        state.for_each_slot(|slot| {
            if slot.account.is(entry) && slot.marks().is_listed() && !slot.read(index).0.is_zero() {
                self.found.changes += 1;
                if slot.written_at(index) != Some(U256::ZERO) {
                    self.fail(|| format!("slot {} of destroyed {} keeps its value", slot.slot, entry.address));
                }
            }
        });
    }

    /// Compares a slot that a system call read, or wrote if `written`; `was_listed` tells whether the list had the value.
    pub(crate) fn system_slot(&mut self, slot: &crate::state::SlotRef, written: bool, was_listed: bool) {
        let marks = slot.marks();
        if !marks.is_listed() || (written && !was_listed) {
            self.fail(|| format!("slot {} of {} is false", slot.slot, slot.account.address));
        }
        self.found.slots += usize::from(marks.access());
        self.found.changes += usize::from(written);
    }

    fn change(&mut self, is_listed: bool, address: Address, what: &str) {
        self.found.changes += 1;
        if !is_listed {
            self.fail(|| format!("the {what} of {address} is false"));
        }
    }

    fn fail(&mut self, what: impl FnOnce() -> String) {
        if self.mismatch.is_none() {
            self.mismatch = Some(what());
        }
    }
}

fn at<T>(changes: &[T], index: u32, of: impl Fn(&T) -> u32) -> Option<&T> {
    changes.get(changes.partition_point(|change| of(change) < index)).filter(|change| of(change) == index)
}
