//! What a verification finds: every entry that is gone or changed, in any table.

use super::model::{Model, genesis, simple};
use crate::{
    Database, DatabaseOptions, StorageError, VerifyOptions,
    state::tests::{Action, Actions},
    store::{MemoryStore, Store, Table},
};
use alloy_primitives::{Address, U256, keccak256};
use alloy_trie::KECCAK_EMPTY;
use std::sync::Arc;

const OPTIONS: VerifyOptions = VerifyOptions { threads: 2, receipts_from: Some(1) };

/// A chain that has entries in every table.
fn database() -> (Arc<MemoryStore>, Database) {
    let store = Arc::new(MemoryStore::new());
    let database = Database::create_in(store.clone(), &genesis(), DatabaseOptions::default()).unwrap();
    let mut model = Model::new();
    for nonce in 1..6 {
        let mut actions = simple(nonce as u8 % 3, nonce);
        for address in 20u8..60 {
            let code_hash = if address == 20 { keccak256([0x60, 0x01]) } else { KECCAK_EMPTY };
            let record = crate::AccountRecord { nonce, balance: U256::from(address), code_hash };
            let slots = (0..8).map(|slot| (U256::from(slot), U256::from(nonce + slot))).collect();
            actions.extend(Actions::from([(Address::repeat_byte(address), (Action::Set(record), slots))]));
        }
        model.execute_on(&database, &actions);
        database.append(model.from(nonce)).unwrap();
    }
    (store, database)
}

fn entries(store: &MemoryStore, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let transaction = store.begin_read().unwrap();
    let mut entries = Vec::new();
    crate::store::for_each_with_prefix(&*transaction, table, &[], |key, value| {
        entries.push((key.to_vec(), value.to_vec()));
    })
    .unwrap();
    entries
}

fn set(store: &MemoryStore, table: Table, key: &[u8], value: Option<&[u8]>) {
    let mut transaction = store.begin_write().unwrap();
    match value {
        Some(value) => transaction.put(table, key, value).unwrap(),
        None => assert!(transaction.delete(table, key).unwrap()),
    }
    transaction.commit().unwrap();
}

#[test]
fn every_missing_or_changed_entry_is_found() {
    let (store, database) = database();
    let report = database.verify_with(OPTIONS, |_| {}).unwrap();
    assert_eq!((report.head.number, report.blocks), (5, 6));
    for table in Table::ALL {
        let entries = entries(&store, *table);
        assert!(!entries.is_empty(), "{table} has entries");
        // What the values before a change were is known from nowhere else, and the metadata are checked when a database is
        // opened.
        let is_checked = !matches!(table, Table::AccountChanges | Table::StorageChanges | Table::Metadata);
        for (key, value) in entries.iter().step_by(entries.len().div_ceil(24)) {
            if *table != Table::Metadata {
                set(&store, *table, key, None);
                assert!(database.verify_with(OPTIONS, |_| {}).is_err(), "{table}: {key:02x?} is gone");
            }
            if is_checked && !value.is_empty() {
                let mut changed = value.clone();
                *changed.last_mut().unwrap() ^= 1;
                set(&store, *table, key, Some(&changed));
                assert!(database.verify_with(OPTIONS, |_| {}).is_err(), "{table}: {key:02x?} has changed");
            }
            set(&store, *table, key, Some(value));
        }
    }
    assert_eq!(database.verify_with(OPTIONS, |_| {}).unwrap(), report, "everything is as before");
}

#[test]
fn a_wrong_total_difficulty_is_found() {
    let (store, database) = database();
    set(&store, Table::Metadata, crate::encoding::key::metadata::TOTAL_DIFFICULTY, Some(&[7]));
    let error = database.verify(|_| {}).unwrap_err();
    assert!(matches!(error, StorageError::TablesDisagree { table: Table::Metadata, .. }), "{error}");
}

#[test]
fn receipts_are_checked_from_the_block_on_that_is_named() {
    let (store, database) = database();
    let receipts = entries(&store, Table::Receipts);
    let (key, value) = &receipts[3];
    let other = &receipts[2].1;
    assert_ne!(value, other);
    set(&store, Table::Receipts, key, Some(other));
    for (receipts_from, found) in [(None, false), (Some(4), false), (Some(3), true), (Some(0), true)] {
        let options = VerifyOptions { threads: 1, receipts_from };
        assert_eq!(database.verify_with(options, |_| {}).is_err(), found, "from {receipts_from:?}");
    }
}
