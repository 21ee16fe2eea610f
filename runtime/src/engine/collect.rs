//! Folding the block's state into its outcome: the merged state change, and the exact access list.

use super::{
    everybody::everybody,
    parted_vec::{Part, filled},
    record::TransactionRecord,
};
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
    let (account_counts, slot_counts) = state.counts();
    let entries: usize = account_counts.iter().chain(&slot_counts).sum();
    let pool = pool.filter(|_| entries >= SHARED_FROM);
    let contracts = Mutex::new(Vec::new());
    let next = AtomicUsize::new(0);
    let mut slots = Vec::new();
    let accounts = filled(&account_counts, |account_parts| {
        slots = filled(&slot_counts, |slot_parts| {
            everybody(pool, || {
                loop {
                    let shard = next.fetch_add(1, Ordering::Relaxed);
                    if shard >= SHARDS {
                        return;
                    }
                    let (mut accounts, mut slots) = (account_parts[shard].lock(), slot_parts[shard].lock());
                    state.for_each_account_in(shard, |entry| {
                        if entry.version() != 0 {
                            add_account(entry, &mut accounts, &contracts);
                        }
                    });
                    state.for_each_slot_in(shard, |entry| {
                        slot_change(entry).into_iter().for_each(|change| slots.push(change))
                    });
                }
            });
        });
    });
    let mut contracts = contracts.into_inner();
    contracts.sort_unstable_by_key(|(hash, _)| *hash);
    contracts.dedup_by_key(|(hash, _)| *hash);
    StateDiff { accounts, slots, contracts }
}

/// Forgets the block and keeps the memory. No pointer into the state may be used afterwards.
pub(crate) fn clear(state: &mut BlockState, pool: Option<&ThreadPool>) {
    let (accounts, slots) = state.counts();
    let entries: usize = accounts.iter().chain(&slots).sum();
    // An entry is forgotten in a few nanoseconds.
    let pool = pool.filter(|_| entries >= 10 * SHARED_FROM);
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

fn slot_change(entry: &SlotEntry) -> Option<SlotDiff> {
    if entry.stamp() == 0 {
        return None;
    }
    let wiped = entry.account.wiped_at() != 0 && entry.account.base.is_some();
    let original = if wiped { Default::default() } else { entry.base };
    let present = entry.last();
    (original != present).then(|| SlotDiff { address: entry.account.address, slot: entry.slot, original, present })
}

type Contracts = Mutex<Vec<(B256, Bytecode)>>;

#[inline(always)]
fn add_account(entry: &AccountEntry, accounts: &mut Part<'_, AccountDiff>, contracts: &Contracts) {
    let committed = entry.committed();
    let storage_wiped = entry.wiped_at() != 0 && entry.base.is_some();
    if committed.state == entry.base && !storage_wiped {
        return;
    }
    accounts.push(AccountDiff {
        address: entry.address,
        original: entry.base,
        present: committed.state,
        storage_wiped,
    });
    if let Some(code) = &committed.new_code {
        let code_hash = |state: Option<AccountState>| state.map_or(KECCAK_EMPTY, |state| state.code_hash);
        let new_hash = code_hash(committed.state);
        if new_hash != code_hash(entry.base) {
            contracts.lock().push((new_hash, code.clone()));
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
