//! TrieTests: roots of tries, with plain and with hashed keys, put in at once and one after the other.

use crate::suite::{cases, for_each_file};
use alloy_primitives::keccak256;
use braid_fixtures::suites::trie_test::{NeighbourTest, TrieTest};
use braid_storage::{
    store::{Entry, MemoryStore, Store, Table},
    trie_root,
    witness::root_after_steps,
};
use std::collections::BTreeMap;

/// What is in the trie in the end.
fn entries(test: &TrieTest) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut entries = BTreeMap::new();
    for (key, value) in &test.steps {
        match value {
            Some(value) => drop(entries.insert(key.clone(), value.clone())),
            None => drop(entries.remove(key)),
        }
    }
    entries
}

#[test]
fn every_root() {
    let mut passed = 0;
    for_each_file("ethereum-tests-TrieTests", |file, content| {
        if file.ends_with("nextprev.json") {
            return;
        }
        let has_hashed_keys = file.to_lowercase().contains("secure");
        for (name, test) in cases::<TrieTest>(file, content) {
            let entries = entries(&test);
            if has_hashed_keys {
                let hashed = entries.iter().map(|(key, value)| (keccak256(key), value));
                assert_eq!(trie_root(hashed), test.root, "{file}: {name}");
                // The state tries: in the order of the test, with what is removed in between.
                let steps = || test.steps.iter().map(|(key, value)| (keccak256(key), value.clone()));
                assert_eq!(root_after_steps(steps()).unwrap(), test.root, "{file}: {name}");
                if test.steps.iter().all(|(_, value)| value.is_some()) && entries.len() == test.steps.len() {
                    let backwards = steps().collect::<Vec<_>>().into_iter().rev();
                    assert_eq!(root_after_steps(backwards).unwrap(), test.root, "{file}: {name}, backwards");
                }
            } else {
                assert_eq!(trie_root(&entries), test.root, "{file}: {name}");
            }
            passed += 1;
        }
    });
    println!("{passed} passed");
}

/// What is next to a key is told by the tables under the tries, which are sorted like them.
#[test]
fn neighbours_of_keys() {
    for_each_file("ethereum-tests-TrieTests", |file, content| {
        if !file.ends_with("nextprev.json") {
            return;
        }
        for (name, test) in cases::<NeighbourTest>(file, content) {
            let store = MemoryStore::new();
            let mut transaction = store.begin_write().unwrap();
            for key in &test.keys {
                transaction.put(Table::Metadata, key.as_bytes(), &[]).unwrap();
            }
            transaction.commit().unwrap();
            let reader = store.begin_read().unwrap();
            let mut cursor = reader.cursor(Table::Metadata).unwrap();
            let text = |entry: Option<Entry<'_>>| {
                entry.map(|(key, _)| String::from_utf8(key.into_owned()).unwrap()).unwrap_or_default()
            };
            for (key, before, after) in &test.tests {
                let mut found = text(cursor.seek(key.as_bytes()).unwrap());
                if found == *key {
                    found = text(cursor.next().unwrap());
                }
                assert_eq!(found, *after, "{name}: after {key}");
                let found = match cursor.seek(key.as_bytes()).unwrap() {
                    Some(_) => text(cursor.previous().unwrap()),
                    None => text(cursor.last().unwrap()),
                };
                assert_eq!(found, *before, "{name}: before {key}");
            }
        }
    });
}
