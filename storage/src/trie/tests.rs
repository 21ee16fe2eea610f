//! Random batches of changes against a full rebuild by another implementation.

use super::{
    proof,
    source::TrieSource,
    test_trie::TestTrie,
    update::{Siblings, update, update_with_siblings},
};
use crate::WitnessState;
use alloy_primitives::{B256, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, proof::verify_proof};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Batch = BTreeMap<B256, Option<U256>>;

/// Keys that share prefixes of any length: a few nibbles at the front, in the middle and at the end, zeros between.
fn key() -> impl Strategy<Value = B256> {
    let crowded = (0u8..4, 0u8..4, 0u8..3, 0u8..4).prop_map(|(front, middle, place, end)| {
        let mut key = B256::ZERO;
        key[0] = front << 4;
        key[1 + 10 * usize::from(place)] |= middle;
        key[31] |= end << 4 | end;
        key
    });
    prop_oneof![3 => crowded, 1 => (0u64..200).prop_map(|seed| keccak256(seed.to_be_bytes()))]
}

fn value() -> impl Strategy<Value = Option<U256>> {
    prop_oneof![
        2 => Just(None),
        2 => (1u64..4).prop_map(|value| Some(U256::from(value))),
        1 => any::<[u8; 32]>().prop_map(|bytes| Some(U256::from_be_bytes(bytes) | U256::from(1))),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    prop::collection::btree_map(key(), value(), 0..40)
}

/// Checks that exactly what a build from nothing would store is stored.
fn assert_minimal(trie: &TestTrie) {
    let leaves: Batch = trie.leaves.iter().map(|(key, value)| (*key, Some(*value))).collect();
    let mut fresh = TestTrie::default();
    let updated = update(&fresh, &fresh.changes(&leaves, true)).unwrap();
    fresh.apply(&leaves, updated);
    assert_eq!(fresh.root, trie.root);
    assert_eq!(fresh.nodes, trie.nodes, "stored nodes differ from those of a fresh build");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_batch_gives_the_root_of_a_full_rebuild(batches in prop::collection::vec(batch(), 1..6), blind in any::<bool>()) {
        let mut trie = TestTrie::default();
        for batch in &batches {
            let updated = update(&trie, &trie.changes(batch, blind)).unwrap();
            trie.apply(batch, updated);
            prop_assert_eq!(trie.root, trie.expected_root());
            assert_minimal(&trie);
        }
    }

    #[test]
    fn paths_prove_presence_and_absence(batch in batch(), asked in prop::collection::vec(key(), 1..20)) {
        let mut trie = TestTrie::default();
        let updated = update(&trie, &trie.changes(&batch, false)).unwrap();
        trie.apply(&batch, updated);
        for key in asked.into_iter().chain(trie.leaves.keys().copied()) {
            let path = proof::walk(&trie, key).unwrap();
            prop_assert_eq!(path.value, trie.leaves.get(&key).copied());
            proof::visit(&trie, key).unwrap();
            let expected = path.value.map(alloy_rlp::encode);
            verify_proof(trie.root, Nibbles::unpack(key), expected, &path.nodes).unwrap();
        }
    }

    #[test]
    fn paths_and_siblings_are_all_that_a_verifier_needs(first in batch(), second in batch()) {
        // The verifier takes slot numbers and hashes them, so the keys are those hashes here.
        let hashed = |batch: &Batch| -> Batch { batch.iter().map(|(key, value)| (keccak256(key), *value)).collect() };
        let mut trie = TestTrie::default();
        let before = hashed(&first);
        let updated = update(&trie, &trie.changes(&before, false)).unwrap();
        trie.apply(&before, updated);
        let change = hashed(&second);
        let siblings = Siblings::default();
        let updated = update_with_siblings(&trie, &trie.changes(&change, false), &siblings).unwrap();
        let mut nodes = siblings.into_inner();
        for key in change.keys() {
            nodes.extend(proof::walk(&trie, *key).unwrap().nodes);
        }
        let witness = WitnessState::new(trie.root, nodes);
        prop_assert_eq!(witness.trie_root_after(&change), Ok(updated.root));
    }
}

#[test]
fn many_changes_are_done_in_parallel_with_the_same_result() {
    let batch = |seeds: std::ops::Range<u64>, value: u64| -> Batch {
        seeds.map(|seed| (keccak256(seed.to_be_bytes()), (value != 0).then_some(U256::from(value + seed)))).collect()
    };
    let mut trie = TestTrie::default();
    for changes in [batch(0..5000, 1), batch(2500..7000, 9), batch(100..6900, 0), batch(0..7000, 0)] {
        let updated = update(&trie, &trie.changes(&changes, false)).unwrap();
        trie.apply(&changes, updated);
        assert_eq!(trie.root, trie.expected_root());
    }
    assert_eq!(trie.root(), EMPTY_ROOT_HASH);
    assert!(trie.nodes.is_empty());
}

#[test]
fn a_change_writes_only_the_branches_on_its_path() {
    let mut trie = TestTrie::default();
    let all: Batch = (0u64..2000).map(|seed| (keccak256(seed.to_be_bytes()), Some(U256::from(seed + 1)))).collect();
    let updated = update(&trie, &trie.changes(&all, false)).unwrap();
    trie.apply(&all, updated);
    let key = keccak256(7u64.to_be_bytes());
    let one = Batch::from([(key, Some(U256::from(99)))]);
    let updated = update(&trie, &trie.changes(&one, false)).unwrap();
    assert!(updated.nodes.len() <= 6, "{} nodes", updated.nodes.len());
    assert!(updated.nodes.iter().all(|(path, node)| node.is_some() && Nibbles::unpack(key).starts_with(path)));
    let same = Batch::from([(key, Some(U256::from(8)))]);
    assert!(update(&trie, &trie.changes(&same, false)).unwrap().nodes.is_empty(), "the same value writes nothing");
}

#[test]
fn a_missing_or_malformed_node_is_named() {
    let mut trie = TestTrie::default();
    let all: Batch = (0u64..300).map(|seed| (keccak256(seed.to_be_bytes()), Some(U256::from(seed + 1)))).collect();
    let updated = update(&trie, &trie.changes(&all, false)).unwrap();
    trie.apply(&all, updated);
    let key = keccak256(7u64.to_be_bytes());
    let one = Batch::from([(key, None)]);
    let path = Nibbles::unpack(key).slice(..1);
    let mut cut = trie.clone();
    cut.nodes.remove(&path);
    let error = update(&cut, &cut.changes(&one, false)).unwrap_err().to_string();
    assert!(error.contains("account trie") && error.contains("missing"), "{error}");
    let mut bent = trie.clone();
    bent.nodes.insert(path, vec![0xff; 9].into());
    let error = update(&bent, &bent.changes(&one, false)).unwrap_err().to_string();
    assert!(error.contains("malformed"), "{error}");
}
