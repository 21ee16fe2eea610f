//! Applying one validated transaction to the committed state: revm's `State::commit` rules, with balances as additions.

use super::record::{AccountAccess, FeePayment, TransactionRecord};
use crate::{
    AccountState,
    state::{AccountEntry, AccountRef},
};
use alloy_primitives::U256;
use revm::{
    primitives::{KECCAK_EMPTY, hardfork::SpecId},
    state::AccountStatus,
};

/// What becomes of a touched account whose record is now `state`: EIP-161 deletes it when it is empty; before that an empty account
/// that did not exist comes into being.
pub(crate) fn settle(state: AccountState, spec: SpecId) -> Option<AccountState> {
    (!state.is_empty() || !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)).then_some(state)
}

/// Commits the record's account changes, its storage wipes and its fee; slots must have been published. Leaves in the record what was true before and after.
pub(crate) fn apply(record: &mut TransactionRecord, beneficiary: Option<AccountRef>, spec: SpecId) {
    let TransactionRecord { index, fee, ref mut accounts, ref mut fee_payment, .. } = *record;
    let mut fee_is_settled = false;
    for access in accounts {
        if access.status.contains(AccountStatus::Touched) {
            let is_beneficiary = beneficiary.is_some_and(|beneficiary| beneficiary.is(access.entry));
            // Destroying the beneficiary burns the fee. Otherwise it comes before the account is looked at: it may not be empty then.
            let is_paid = is_beneficiary && !access.status.contains(AccountStatus::SelfDestructed);
            apply_account(access, if is_paid { fee } else { U256::ZERO }, index, spec);
            fee_is_settled |= is_beneficiary;
            if is_paid {
                *fee_payment = Some(FeePayment { before: access.before, after: access.after });
            }
        } else {
            let now = access.entry.committed().state;
            (access.before, access.after) = (now, now);
        }
    }
    if let Some(beneficiary) = beneficiary.filter(|_| !fee_is_settled) {
        *fee_payment = Some(pay_fee(&beneficiary, fee, index, spec));
    }
}

fn apply_account(access: &mut AccountAccess, fee: U256, index: u32, spec: SpecId) {
    let mut committed = access.entry.committed();
    let before = committed.state;
    let after = if access.status.contains(AccountStatus::SelfDestructed) {
        if before.is_none() {
            // Created by this very transaction: its slots must not outlive it.
            access.entry.wipe_storage(index);
        }
        None
    } else {
        let believed = access.before.unwrap_or(AccountState::NEW);
        let wanted = access.after.unwrap_or(AccountState::NEW);
        let mut state = before.unwrap_or(AccountState::NEW);
        state.balance = state.balance.wrapping_add(wanted.balance).wrapping_sub(believed.balance);
        state.balance = state.balance.saturating_add(fee);
        if wanted.nonce != believed.nonce {
            state.nonce = wanted.nonce;
        }
        if wanted.code_hash != believed.code_hash {
            state.code_hash = wanted.code_hash;
        }
        settle(state, spec)
    };
    if after != before {
        if let Some(code) = access.new_code.clone() {
            committed.new_code = Some(code);
        }
        if after.is_none() {
            access.entry.wipe_storage(index);
        }
        if after.is_none_or(|state| state.code_hash == KECCAK_EMPTY) {
            committed.new_code = None;
        }
        committed.state = after;
        access.entry.publish(&mut committed);
    }
    (access.before, access.after) = (before, after);
}

/// Adds `fee` wei to the beneficiary, touching it.
pub(crate) fn pay_fee(beneficiary: &AccountEntry, fee: U256, index: u32, spec: SpecId) -> FeePayment {
    let (before, after) = add_balance(beneficiary, fee, index, spec);
    FeePayment { before, after }
}

/// Adds `amount` wei to an account, touching it. Returns its state before and after.
pub(crate) fn add_balance(
    entry: &AccountEntry,
    amount: U256,
    index: u32,
    spec: SpecId,
) -> (Option<AccountState>, Option<AccountState>) {
    let mut committed = entry.committed();
    let before = committed.state;
    let mut state = before.unwrap_or(AccountState::NEW);
    state.balance = state.balance.saturating_add(amount);
    let after = settle(state, spec);
    if after != before {
        if after.is_none() {
            entry.wipe_storage(index);
        }
        committed.state = after;
        entry.publish(&mut committed);
    }
    (before, after)
}
