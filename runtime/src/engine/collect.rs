//! Folding the block's state into its outcome: the merged state change, and the exact access list.

use super::record::TransactionRecord;
use crate::{
    AccountDiff, AccountState, SlotDiff, StateDiff,
    access_list::AccessListBuilder,
    state::{AccountEntry, AccountRef, BlockState},
};
use alloy_primitives::{Address, map::AddressMap};
use revm::{
    primitives::{KECCAK_EMPTY, hardfork::SpecId},
    state::{Account, AccountInfo, EvmStorageSlot, TransactionId},
};

/// The merged change of everything committed.
pub(crate) fn state_diff(state: &BlockState) -> StateDiff {
    let (accounts, slots) = state.len();
    let mut diff =
        StateDiff { accounts: Vec::with_capacity(accounts), slots: Vec::with_capacity(slots), contracts: Vec::new() };
    state.for_each_account(|entry| add_account(&mut diff, entry));
    state.for_each_slot(|entry| {
        if entry.stamp() == 0 {
            return;
        }
        let wiped = entry.account.wiped_at() != 0 && entry.account.base.is_some();
        let original = if wiped { Default::default() } else { entry.base };
        let present = entry.last();
        if original != present {
            diff.slots.push(SlotDiff { address: entry.account.address, slot: entry.slot, original, present });
        }
    });
    diff
}

fn add_account(diff: &mut StateDiff, entry: &AccountEntry) {
    if entry.version() == 0 {
        return;
    }
    let committed = entry.committed();
    let storage_wiped = entry.wiped_at() != 0 && entry.base.is_some();
    if committed.state == entry.base && !storage_wiped {
        return;
    }
    diff.accounts.push(AccountDiff {
        address: entry.address,
        original: entry.base,
        present: committed.state,
        storage_wiped,
    });
    let code_hash = |state: Option<AccountState>| state.map_or(KECCAK_EMPTY, |state| state.code_hash);
    if let Some(code) = &committed.new_code
        && code_hash(committed.state) != code_hash(entry.base)
    {
        let hash = code_hash(committed.state);
        if !diff.contracts.iter().any(|(known, _)| *known == hash) {
            diff.contracts.push((hash, code.clone()));
        }
    }
}

/// Adds a committed transaction to the access list.
pub(crate) fn list_accesses(
    list: &mut AccessListBuilder,
    record: &TransactionRecord,
    beneficiary: AccountRef,
    spec: SpecId,
) {
    let mut accounts = AddressMap::<Account>::default();
    for access in &record.accounts {
        let mut account = account_before(access.before);
        account.status = access.status;
        account.info = info(access.after, access.new_code.clone());
        accounts.insert(access.entry.address, account);
    }
    for access in &record.slots {
        let account = accounts.entry(access.entry.account.address).or_default();
        let slot = EvmStorageSlot::new_changed(access.before, access.after, TransactionId::ZERO);
        account.storage.insert(access.entry.slot, slot);
    }
    if let Some(payment) = record.fee_payment {
        let account = accounts.entry(beneficiary.address).or_insert_with(|| account_before(payment.before));
        let paid = info(payment.after, account.info.code.take());
        account.info = paid;
        account.mark_touch();
    }
    for (address, account) in &mut accounts {
        // Before Spurious Dragon a touched empty account stays.
        if !spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
            && account.is_empty()
            && !account.is_selfdestructed()
            && !account.is_created()
        {
            account.unmark_touch();
        }
        list.record(u64::from(record.index), *address as Address, account);
    }
}

fn info(state: Option<AccountState>, code: Option<revm::state::Bytecode>) -> AccountInfo {
    match state {
        Some(state) => AccountInfo {
            balance: state.balance,
            nonce: state.nonce,
            code_hash: state.code_hash,
            code,
            account_id: None,
        },
        None => AccountInfo::default(),
    }
}

fn account_before(state: Option<AccountState>) -> Account {
    match state {
        Some(_) => Account::from(info(state, None)),
        None => Account::new_not_existing(TransactionId::ZERO),
    }
}
