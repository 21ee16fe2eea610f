//! The state after a change.
//!
//! Hash the keys, update every storage trie that changes, each on its own, then the account trie with the new storage
//! roots. All three steps run in parallel.

use super::{
    tries::{AccountTrie, StateTries, StorageTrie},
    update::{Nodes, StateUpdate, StorageUpdate},
};
use crate::{
    AccountChange, BlockChange, SlotChange, StorageError,
    encoding::HashedAccount,
    trie::update::{Change, NodeChanges, Siblings, update, update_with_siblings},
};
use alloy_primitives::{
    Address, B256, U256, keccak256,
    map::{AddressMap, HashMap},
};
use alloy_trie::EMPTY_ROOT_HASH;
use rayon::prelude::*;

/// What changes in one account.
#[derive(Debug, Default)]
struct OneAccount {
    account: Option<AccountChange>,
    slots: Vec<SlotChange>,
}

/// The state after a change.
pub(crate) fn state_after(tries: &dyn StateTries, change: &BlockChange) -> Result<StateUpdate, StorageError> {
    compute(tries, change, None)
}

/// The same, and collects what a stateless verifier needs beside the paths to the changed keys.
pub(crate) fn state_after_with_siblings(
    tries: &dyn StateTries,
    change: &BlockChange,
    siblings: &Siblings,
) -> Result<StateUpdate, StorageError> {
    compute(tries, change, Some(siblings))
}

fn compute(
    tries: &dyn StateTries,
    change: &BlockChange,
    siblings: Option<&Siblings>,
) -> Result<StateUpdate, StorageError> {
    let mut by_address: AddressMap<OneAccount> =
        HashMap::with_capacity_and_hasher(change.accounts.len(), Default::default());
    for account in &change.accounts {
        by_address.entry(account.address).or_default().account = Some(*account);
    }
    for slot in &change.slots {
        by_address.entry(slot.address).or_default().slots.push(*slot);
    }

    let by_address: Vec<_> = by_address.into_iter().collect();
    let mut results = by_address
        .into_par_iter()
        .map(|(address, one)| one_account(tries, address, &one, siblings))
        .collect::<Result<Vec<_>, _>>()?;
    results.par_sort_unstable_by_key(|(leaf, _)| leaf.key);

    let mut result = StateUpdate::default();
    let mut leaves = Vec::with_capacity(results.len());
    for (leaf, storage) in results {
        result.accounts.push((leaf.key, leaf.value));
        if let Some(storage) = storage {
            result.storages.insert(leaf.key, storage);
        }
        leaves.push(leaf);
    }
    let trie = AccountTrie(tries);
    let updated = match siblings {
        None => update(&trie, &leaves)?,
        Some(siblings) => update_with_siblings(&trie, &leaves, siblings)?,
    };
    result.root = updated.root;
    result.account_nodes = collect(updated.nodes);
    Ok(result)
}

type OneResult = (Change<HashedAccount>, Option<StorageUpdate>);

fn one_account(
    tries: &dyn StateTries,
    address: Address,
    one: &OneAccount,
    siblings: Option<&Siblings>,
) -> Result<OneResult, StorageError> {
    let key = keccak256(address);
    let before = tries.hashed_account(key)?;
    let had_storage = before.is_some_and(|account| account.storage_root != EMPTY_ROOT_HASH);
    let leaf = |value| Change { key, value, existed: before.is_some() };
    let record = match (one.account, before) {
        (Some(AccountChange { present: Some(record), .. }), _) => record,
        (Some(AccountChange { present: None, .. }), _) => {
            let wiped = had_storage.then(|| StorageUpdate { wiped: true, ..Default::default() });
            return Ok((leaf(None), wiped));
        }
        (None, Some(account)) => account.record,
        (None, None) => return Err(StorageError::SlotsWithoutAccount(address)),
    };
    let wiped = had_storage && one.account.is_some_and(|account| account.storage_wiped);
    let root = match before {
        Some(account) if !wiped => account.storage_root,
        _ => EMPTY_ROOT_HASH,
    };
    if one.slots.is_empty() && !wiped {
        return Ok((leaf(Some(HashedAccount { record, storage_root: root })), None));
    }
    let changes = slot_changes(tries, &one.slots, root);
    let trie = StorageTrie { tries, account: key, root };
    let updated = match siblings {
        None => update(&trie, &changes)?,
        Some(siblings) => update_with_siblings(&trie, &changes, siblings)?,
    };
    let storage = StorageUpdate {
        wiped,
        slots: changes.iter().map(|change| (change.key, change.value.unwrap_or_default())).collect(),
        nodes: collect(updated.nodes),
    };
    Ok((leaf(Some(HashedAccount { record, storage_root: updated.root })), Some(storage)))
}

/// Slots by hashed key, sorted.
fn slot_changes(tries: &dyn StateTries, slots: &[SlotChange], root: B256) -> Vec<Change<U256>> {
    let hashed = |slot: &SlotChange| Change {
        key: keccak256(slot.slot.to_be_bytes::<32>()),
        value: (!slot.present.is_zero()).then_some(slot.present),
        existed: root != EMPTY_ROOT_HASH && tries.slot_is_known_to_exist(slot.address, slot.slot),
    };
    let mut changes: Vec<_> =
        if slots.len() < 256 { slots.iter().map(hashed).collect() } else { slots.par_iter().map(hashed).collect() };
    changes.sort_by_key(|change| change.key);
    // Of a slot that is listed twice the last value counts, as it does in a layer.
    changes.dedup_by(|later, earlier| {
        let same = later.key == earlier.key;
        if same {
            *earlier = *later;
        }
        same
    });
    changes
}

fn collect(nodes: NodeChanges) -> Nodes {
    nodes.into_iter().collect()
}
