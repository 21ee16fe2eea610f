//! Folding the block's state into its outcome: the merged state change, and the exact access list.

use super::{everybody::everybody, record::TransactionRecord};
use crate::{
    AccountDiff, AccountState, SlotDiff, StateDiff,
    access_list::AccessListBuilder,
    state::{AccountEntry, AccountRef, BlockState, SHARDS, SlotEntry},
};
use alloy_primitives::{Address, B256, map::AddressMap};
use parking_lot::Mutex;
use rayon::ThreadPool;
use revm::{
    primitives::{KECCAK_EMPTY, hardfork::SpecId},
    state::{Account, AccountInfo, Bytecode, EvmStorageSlot, TransactionId},
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Accounts and slots from which on other threads help: waking one takes as long as folding some thousand entries.
const SHARED_FROM: usize = 2_000;

/// The merged change of everything committed.
pub(crate) fn state_diff(state: &BlockState, pool: Option<&ThreadPool>) -> StateDiff {
    let (accounts, slots) = state.len();
    let pool = pool.filter(|_| accounts + slots >= SHARED_FROM);
    let threads = 1 + pool.map_or(0, ThreadPool::current_num_threads);
    let next = AtomicUsize::new(0);
    let parts = Mutex::new(Vec::with_capacity(threads));
    everybody(pool, || {
        let mut diff = StateDiff::default();
        // The first one has room for all, since the others are appended to it.
        let is_first = next.load(Ordering::Relaxed) == 0;
        let share = |entries: usize| if is_first { entries } else { entries / threads + entries / 16 };
        diff.accounts.reserve(share(accounts));
        diff.slots.reserve(share(slots));
        loop {
            let shard = next.fetch_add(1, Ordering::Relaxed);
            if shard >= SHARDS {
                break;
            }
            state.for_each_account(shard, |entry| add_account(&mut diff, entry));
            state.for_each_slot_in(shard, |entry| add_slot(&mut diff, entry));
        }
        parts.lock().push(diff);
    });
    let mut parts = parts.into_inner();
    parts.sort_unstable_by_key(|part| part.accounts.capacity() + part.slots.capacity());
    let mut diff = parts.pop().unwrap_or_default();
    for mut part in parts {
        diff.accounts.append(&mut part.accounts);
        diff.slots.append(&mut part.slots);
        part.contracts.into_iter().for_each(|(hash, code)| add_contract(&mut diff, hash, &code));
    }
    diff
}

/// Forgets the block and keeps the memory. No pointer into the state may be used afterwards.
pub(crate) fn clear(state: &mut BlockState, pool: Option<&ThreadPool>) {
    let (accounts, slots) = state.len();
    let pool = pool.filter(|_| accounts + slots >= SHARED_FROM);
    let parts = Mutex::new(state.parts());
    everybody(pool, || {
        loop {
            let part = parts.lock().next();
            match part {
                Some(part) => part.clear(),
                None => return,
            }
        }
    });
}

fn add_slot(diff: &mut StateDiff, entry: &SlotEntry) {
    if entry.stamp() == 0 {
        return;
    }
    let wiped = entry.account.wiped_at() != 0 && entry.account.base.is_some();
    let original = if wiped { Default::default() } else { entry.base };
    let present = entry.last();
    if original != present {
        diff.slots.push(SlotDiff { address: entry.account.address, slot: entry.slot, original, present });
    }
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
        add_contract(diff, code_hash(committed.state), code);
    }
}

fn add_contract(diff: &mut StateDiff, hash: B256, code: &Bytecode) {
    if !diff.contracts.iter().any(|(known, _)| *known == hash) {
        diff.contracts.push((hash, code.clone()));
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
