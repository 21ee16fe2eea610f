//! The state after a change.
//!
//! Hash the keys, update the storage tries that change, in groups, then the account trie with the new storage roots. All
//! three steps run in parallel.

use super::{
    tries::{AccountTrie, StateTries, StorageTrie},
    update::{Nodes, StateUpdate, StorageUpdate},
};
use crate::{
    AccountChange, AccountRecord, BlockChange, SlotChange, StorageError,
    encoding::HashedAccount,
    keccak::hash_keys,
    trie::update::{Change, NodeChanges, Siblings, update, update_all, update_with_siblings},
};
use alloy_primitives::{
    Address, B256, U256,
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

    let mut changed: Vec<Changed> =
        by_address.into_iter().map(|(address, one)| Changed { key: B256::ZERO, address, one }).collect();
    changed.par_chunks_mut(KEYS_AT_ONCE).for_each(|chunk| {
        let keys = hash_keys(chunk.iter().map(|changed| changed.address));
        chunk.iter_mut().zip(keys).for_each(|(changed, key)| changed.key = key);
    });
    let groups = grouped(changed);
    let mut results = groups
        .into_par_iter()
        .map(|group| group_after(tries, &group, siblings))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
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

/// Accounts whose keys are hashed in one go.
const KEYS_AT_ONCE: usize = 256;
/// Changed slots of a group of accounts, or accounts without changed slots, after which the next group begins.
const GROUP: usize = 64;

/// A changed account under its hashed address.
#[derive(Debug)]
struct Changed {
    key: B256,
    address: Address,
    one: OneAccount,
}

/// Accounts that one task looks after: enough small ones that their nodes fill the lanes of the hash function, large ones alone.
fn grouped(mut changed: Vec<Changed>) -> Vec<Vec<Changed>> {
    // The largest tasks have to begin first.
    changed.sort_unstable_by_key(|changed| std::cmp::Reverse(changed.one.slots.len()));
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let mut weight = 0;
    for one in changed {
        weight += one.one.slots.len().max(1);
        group.push(one);
        if weight >= GROUP {
            groups.push(std::mem::take(&mut group));
            weight = 0;
        }
    }
    groups.push(group);
    groups
}

/// A storage trie with the changes in it, and what becomes of its account.
struct ChangedStorage<'a> {
    key: B256,
    existed: bool,
    record: AccountRecord,
    wiped: bool,
    trie: StorageTrie<'a>,
    changes: Vec<Change<U256>>,
}

fn group_after(
    tries: &dyn StateTries,
    group: &[Changed],
    siblings: Option<&Siblings>,
) -> Result<Vec<OneResult>, StorageError> {
    let mut results = Vec::with_capacity(group.len());
    let mut storages = Vec::new();
    let mut keys = hash_slots(group).into_iter();
    for Changed { key, address, one } in group {
        let key = *key;
        let slot_keys = keys.by_ref().take(one.slots.len());
        let before = tries.hashed_account(key)?;
        let had_storage = before.is_some_and(|account| account.storage_root != EMPTY_ROOT_HASH);
        let leaf = |value| Change { key, value, existed: before.is_some() };
        let record = match (one.account, before) {
            (Some(AccountChange { present: Some(record), .. }), _) => record,
            (Some(AccountChange { present: None, .. }), _) => {
                slot_keys.for_each(drop);
                let wiped = had_storage.then(|| StorageUpdate { wiped: true, ..Default::default() });
                results.push((leaf(None), wiped));
                continue;
            }
            (None, Some(account)) => account.record,
            (None, None) => return Err(StorageError::SlotsWithoutAccount(*address)),
        };
        let wiped = had_storage && one.account.is_some_and(|account| account.storage_wiped);
        let root = match before {
            Some(account) if !wiped => account.storage_root,
            _ => EMPTY_ROOT_HASH,
        };
        if one.slots.is_empty() && !wiped {
            results.push((leaf(Some(HashedAccount { record, storage_root: root })), None));
            continue;
        }
        let changes = slot_changes(tries, &one.slots, slot_keys, root);
        let trie = StorageTrie { tries, account: key, root };
        storages.push(ChangedStorage { key, existed: before.is_some(), record, wiped, trie, changes });
    }
    let work: Vec<_> = storages.iter().map(|storage| (&storage.trie, &storage.changes[..])).collect();
    let updated = match siblings {
        None => update_all(&work)?,
        Some(siblings) => work
            .iter()
            .map(|(trie, changes)| update_with_siblings(*trie, changes, siblings))
            .collect::<Result<_, _>>()?,
    };
    for (storage, updated) in storages.iter().zip(updated) {
        let ChangedStorage { key, existed, record, wiped, changes, .. } = storage;
        let update = StorageUpdate {
            wiped: *wiped,
            slots: changes.iter().map(|change| (change.key, change.value.unwrap_or_default())).collect(),
            nodes: collect(updated.nodes),
        };
        let value = Some(HashedAccount { record: *record, storage_root: updated.root });
        results.push((Change { key: *key, value, existed: *existed }, Some(update)));
    }
    Ok(results)
}

/// The hashed keys of all slots of a group, in its order.
fn hash_slots(group: &[Changed]) -> Vec<B256> {
    let slots: Vec<_> = group.iter().flat_map(|changed| &changed.one.slots).collect();
    let hash = |slots: &[&SlotChange]| hash_keys(slots.iter().map(|slot| slot.slot.to_be_bytes::<32>()));
    if slots.len() <= KEYS_AT_ONCE {
        return hash(&slots);
    }
    slots.par_chunks(KEYS_AT_ONCE).flat_map_iter(hash).collect()
}

/// Slots by hashed key, sorted.
fn slot_changes(
    tries: &dyn StateTries,
    slots: &[SlotChange],
    keys: impl Iterator<Item = B256>,
    root: B256,
) -> Vec<Change<U256>> {
    let changes = slots.iter().zip(keys).map(|(slot, key)| Change {
        key,
        value: (!slot.present.is_zero()).then_some(slot.present),
        existed: root != EMPTY_ROOT_HASH && tries.slot_is_known_to_exist(slot.address, slot.slot),
    });
    let mut changes: Vec<_> = changes.collect();
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
