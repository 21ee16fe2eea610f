//! What one transaction accessed, relied on and changed: the unit that is validated and committed.

use crate::{
    AccountState,
    evm::{Journal, Observed},
    state::{AccountRef, SlotRef},
};
use alloy_primitives::{B256, Log, U256};
use revm::{
    primitives::KECCAK_EMPTY,
    state::{AccountStatus, Bytecode},
};

/// An account as one transaction used it.
#[derive(Clone, Debug)]
pub(crate) struct AccountAccess {
    pub(crate) entry: AccountRef,
    /// Version under which `before` was read.
    pub(crate) version: u32,
    pub(crate) observed: Observed,
    pub(crate) status: AccountStatus,
    /// How much lower the balance could have been (wei).
    pub(crate) slack: U256,
    /// State before the transaction: what the execution believed, and after the commit what was true.
    pub(crate) before: Option<AccountState>,
    /// State after the transaction, likewise.
    pub(crate) after: Option<AccountState>,
    pub(crate) new_code: Option<Bytecode>,
}

/// A slot as one transaction used it.
#[derive(Clone, Debug)]
pub(crate) struct SlotAccess {
    pub(crate) entry: SlotRef,
    /// Stamp under which the slot is known to be unchanged; `None`: compare values.
    pub(crate) stamp: Option<u32>,
    /// The slot belongs to an account that the transaction created: it read as zero by rule, not from the state.
    pub(crate) fresh: bool,
    /// The value written was there already: a supplied access list says so.
    pub(crate) was_published: bool,
    pub(crate) before: U256,
    pub(crate) after: U256,
}

impl SlotAccess {
    pub(crate) fn is_written(&self) -> bool {
        self.before != self.after
    }
}

/// The beneficiary around the payment of a fee, after everything else that the transaction did to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeePayment {
    pub(crate) before: Option<AccountState>,
    pub(crate) after: Option<AccountState>,
}

/// Everything an executed transaction leaves behind.
#[derive(Debug, Default)]
pub(crate) struct TransactionRecord {
    pub(crate) accounts: Vec<AccountAccess>,
    pub(crate) slots: Vec<SlotAccess>,
    pub(crate) logs: Vec<Log>,
    pub(crate) success: bool,
    /// Gas used after refunds.
    pub(crate) gas_used: u64,
    /// Fee for the beneficiary (wei).
    pub(crate) fee: U256,
    pub(crate) fee_payment: Option<FeePayment>,
    /// Block access index.
    pub(crate) index: u32,
    /// The execution ahead of the commit came to nothing: the transaction runs when its turn comes.
    pub(crate) abandoned: bool,
}

impl TransactionRecord {
    /// Empties the record and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.accounts.clear();
        self.slots.clear();
        self.logs.clear();
        self.fee_payment = None;
        self.fee = U256::ZERO;
        self.abandoned = false;
    }

    /// Takes over what the journal's view knows about the transaction that just ran.
    pub(crate) fn capture(&mut self, journal: &mut Journal<'_>) {
        self.clear();
        self.fee = journal.fee;
        let view = &mut journal.view;
        self.index = view.index;
        for position in &view.used_accounts {
            let record = &mut view.accounts[*position as usize];
            let info = &record.account.info;
            let touched = record.account.is_touched();
            self.accounts.push(AccountAccess {
                entry: record.entry,
                version: record.version,
                observed: Observed(record.observed.get()),
                status: record.account.status,
                slack: record.slack,
                before: record.before,
                after: if touched {
                    Some(AccountState { balance: info.balance, nonce: info.nonce, code_hash: info.code_hash })
                } else {
                    record.before
                },
                new_code: if record.code_set { info.code.clone() } else { None },
            });
        }
        for position in &view.used_slots {
            let record = &view.slots[*position as usize];
            self.slots.push(SlotAccess {
                entry: record.entry,
                stamp: record.stamp,
                fresh: record.stamp.is_none(),
                was_published: false,
                before: record.slot.original_value,
                after: record.slot.present_value,
            });
        }
        if self.destroys() {
            self.forget_destroyed_slots();
        }
    }

    /// What was written to accounts that the transaction destroyed went with them.
    fn forget_destroyed_slots(&mut self) {
        let Self { accounts, slots, .. } = self;
        for account in accounts.iter().filter(|access| access.status.contains(AccountStatus::SelfDestructed)) {
            for slot in slots.iter_mut().filter(|slot| slot.entry.account.is(account.entry)) {
                slot.after = slot.before;
            }
        }
    }

    /// The transaction destroyed an account.
    pub(crate) fn destroys(&self) -> bool {
        self.accounts.iter().any(|access| access.status.contains(AccountStatus::SelfDestructed))
    }

    /// Publishes the slots that were written, for transactions that run before this one is committed.
    pub(crate) fn publish_slots(&mut self) {
        let index = self.index;
        for access in self.slots.iter_mut().filter(|access| access.is_written()) {
            let (stamp, changed) = access.entry.write(index, access.after);
            access.was_published = !changed;
            // Nothing else changed the slot since it was read, exactly when the stamp moved by this write alone.
            access.stamp = access.stamp.filter(|read| read + u32::from(changed) == stamp).map(|_| stamp);
        }
    }

    /// Looks whether a supplied list has already written what the transaction wrote. Its versions stay: this execution may have been early.
    pub(crate) fn compare_slots(&mut self) {
        let index = self.index;
        for access in self.slots.iter_mut().filter(|access| access.is_written()) {
            access.was_published = access.entry.written_at(index) == Some(access.after);
        }
    }

    /// Takes back what `publish_slots` published.
    pub(crate) fn retract_slots(&self) {
        for access in self.slots.iter().filter(|access| access.is_written()) {
            access.entry.retract(self.index);
        }
    }

    /// Whether everything the execution relied on is true in the committed state. All earlier transactions must be committed.
    pub(crate) fn holds(&self) -> bool {
        self.slots.iter().all(|access| slot_holds(access, self.index)) && self.accounts.iter().all(account_holds)
    }
}

fn slot_holds(access: &SlotAccess, index: u32) -> bool {
    if access.fresh {
        return true;
    }
    if access.stamp == Some(access.entry.stamp()) && access.entry.account.wiped_at() == 0 {
        return true;
    }
    access.entry.read(index).0 == access.before
}

fn is_empty(state: &Option<AccountState>) -> bool {
    state.is_none_or(|state| state.is_empty())
}

fn code_hash(state: &Option<AccountState>) -> B256 {
    state.map_or(KECCAK_EMPTY, |state| state.code_hash)
}

fn account_holds(access: &AccountAccess) -> bool {
    if access.version == access.entry.version() {
        return true;
    }
    let now = access.entry.committed().state;
    let believed = &access.before;
    let balance = |state: &Option<AccountState>| state.map_or(U256::ZERO, |state| state.balance);
    let nonce = |state: &Option<AccountState>| state.map_or(0, |state| state.nonce);
    let (balance_now, balance_believed) = (balance(&now), balance(believed));
    if balance_now != balance_believed {
        let enough = balance_now > balance_believed || balance_believed - balance_now <= access.slack;
        // Near the top of the range an addition that did not overflow could overflow now.
        if access.observed.has(Observed::BALANCE) || !enough || balance_now.bit_len() > 250 {
            return false;
        }
    }
    (!access.observed.has(Observed::NONCE) || nonce(&now) == nonce(believed))
        && (!access.observed.has(Observed::CODE) || code_hash(&now) == code_hash(believed))
        && (!access.observed.has(Observed::EMPTY)
            || (is_empty(&now) == is_empty(believed) && now.is_none() == believed.is_none()))
}
