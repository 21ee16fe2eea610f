//! The sparse trie against a full rebuild, over random states and changes.

use super::*;
use crate::{AccountChange, AccountRecord, SlotChange, full_root};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, KECCAK_EMPTY, Nibbles, TrieAccount, proof::ProofRetainer};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

type Slots = BTreeMap<U256, U256>;
type State = BTreeMap<Address, (AccountRecord, Slots)>;

/// What one generated block does.
#[derive(Clone, Debug, Default)]
struct Change {
    accounts: BTreeMap<Address, (Option<AccountRecord>, bool)>,
    slots: BTreeMap<(Address, U256), U256>,
}

fn root_of(state: &State) -> B256 {
    full_root::state_root(
        state.iter().map(|(address, (record, slots))| (*address, *record, slots.iter().map(|(k, v)| (*k, *v)))),
    )
}

/// The trie nodes on the paths to `targets`, made by another implementation than the one under test.
fn proof_nodes(leaves: BTreeMap<B256, Vec<u8>>, targets: &BTreeSet<B256>) -> Vec<Bytes> {
    let retainer = ProofRetainer::from_iter(targets.iter().map(Nibbles::unpack));
    let mut builder = HashBuilder::default().with_proof_retainer(retainer);
    for (key, value) in leaves {
        builder.add_leaf(Nibbles::unpack(key), &value);
    }
    let _ = builder.root();
    builder.take_proof_nodes().into_inner().into_values().collect()
}

/// Witness of `state` for these addresses and slots.
fn witness(state: &State, touched: &BTreeMap<Address, BTreeSet<U256>>) -> WitnessState {
    let mut nodes = Vec::new();
    let mut leaves = BTreeMap::new();
    for (address, (record, slots)) in state {
        let storage_root = full_root::storage_root(slots.iter().map(|(k, v)| (*k, *v)));
        let account = TrieAccount::new(record.nonce, record.balance, storage_root, record.code_hash);
        leaves.insert(keccak256(address), alloy_rlp::encode(account));
        if let Some(wanted) = touched.get(address) {
            let leaves =
                slots.iter().map(|(slot, value)| (keccak256(B256::from(*slot)), alloy_rlp::encode(value))).collect();
            let wanted = wanted.iter().map(|slot| keccak256(B256::from(*slot))).collect();
            nodes.extend(proof_nodes(leaves, &wanted));
        }
    }
    nodes.extend(proof_nodes(leaves, &touched.keys().map(keccak256).collect()));
    WitnessState::new(root_of(state), nodes)
}

fn everything(state: &State) -> BTreeMap<Address, BTreeSet<U256>> {
    state.iter().map(|(address, (_, slots))| (*address, slots.keys().copied().collect())).collect()
}

fn touched(change: &Change) -> BTreeMap<Address, BTreeSet<U256>> {
    let mut touched: BTreeMap<Address, BTreeSet<U256>> = BTreeMap::new();
    for address in change.accounts.keys() {
        touched.entry(*address).or_default();
    }
    for (address, slot) in change.slots.keys() {
        touched.entry(*address).or_default().insert(*slot);
    }
    touched
}

fn apply(mut state: State, change: &Change) -> State {
    for (address, (record, wiped)) in &change.accounts {
        match record {
            Some(record) => {
                let entry = state.entry(*address).or_insert_with(|| (*record, Slots::new()));
                entry.0 = *record;
                if *wiped {
                    entry.1.clear();
                }
            }
            None => drop(state.remove(address)),
        }
    }
    for ((address, slot), value) in &change.slots {
        if let Some((_, slots)) = state.get_mut(address) {
            if value.is_zero() {
                slots.remove(slot);
            } else {
                slots.insert(*slot, *value);
            }
        }
    }
    state
}

fn root_after(witness: &WitnessState, change: &Change) -> Result<B256, WitnessError> {
    witness.root_after(
        change.accounts.iter().map(|(address, (present, storage_wiped))| AccountChange {
            address: *address,
            present: *present,
            storage_wiped: *storage_wiped,
        }),
        change.slots.iter().map(|((address, slot), present)| SlotChange {
            address: *address,
            slot: *slot,
            present: *present,
        }),
    )
}

fn address() -> impl Strategy<Value = Address> {
    (0u8..24).prop_map(Address::repeat_byte)
}

fn record() -> impl Strategy<Value = AccountRecord> {
    (0u64..3, 0u64..3, any::<bool>()).prop_map(|(nonce, balance, code)| AccountRecord {
        nonce,
        balance: U256::from(balance),
        code_hash: if code { B256::repeat_byte(7) } else { KECCAK_EMPTY },
    })
}

fn value() -> impl Strategy<Value = U256> {
    prop_oneof![Just(U256::ZERO), (1u64..1000).prop_map(U256::from), Just(U256::MAX)]
}

fn state() -> impl Strategy<Value = State> {
    let slots = prop::collection::btree_map((0u64..20).prop_map(U256::from), value(), 0..12);
    prop::collection::btree_map(address(), (record(), slots), 0..20).prop_map(|mut state| {
        for (_, slots) in state.values_mut() {
            slots.retain(|_, value| !value.is_zero());
        }
        state
    })
}

/// A change that writes slots only where an account is left.
fn change(state: &State) -> impl Strategy<Value = Change> + use<> {
    let existing: BTreeSet<Address> = state.keys().copied().collect();
    let accounts =
        prop::collection::btree_map(address(), (prop::option::weighted(0.6, record()), any::<bool>()), 0..12);
    let slots = prop::collection::btree_map((address(), (0u64..20).prop_map(U256::from)), value(), 0..24);
    (accounts, slots).prop_map(move |(accounts, mut slots)| {
        slots.retain(|(address, _), _| match accounts.get(address) {
            Some((present, _)) => present.is_some(),
            None => existing.contains(address),
        });
        Change { accounts, slots }
    })
}

fn state_and_change() -> impl Strategy<Value = (State, Change)> {
    state().prop_flat_map(|state| {
        let change = change(&state);
        (Just(state), change)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn root_equals_a_full_rebuild((state, change) in state_and_change()) {
        let witness = witness(&state, &everything(&state));
        prop_assert_eq!(root_after(&witness, &Change::default()), Ok(root_of(&state)));
        prop_assert_eq!(root_after(&witness, &change), Ok(root_of(&apply(state, &change))));
    }

    #[test]
    fn a_partial_witness_gives_the_right_root_or_names_what_it_lacks((state, change) in state_and_change()) {
        match root_after(&witness(&state, &touched(&change)), &change) {
            Ok(root) => prop_assert_eq!(root, root_of(&apply(state, &change))),
            // Every path is proved, so only a sibling can be lacking.
            Err(error) => prop_assert!(matches!(error, WitnessError::MissingSibling { .. }), "{}", error),
        }
    }

    #[test]
    fn reads_prove_presence_and_absence(state in state(), asked in prop::collection::btree_set(address(), 1..8)) {
        let touched = asked.iter().map(|address| (*address, (0..20).map(U256::from).collect())).collect();
        let witness = witness(&state, &touched);
        for address in 0..24 {
            let address = Address::repeat_byte(address);
            let expected = state.get(&address);
            match witness.account(address) {
                Ok(None) => prop_assert!(expected.is_none(), "{}", address),
                Ok(Some(account)) => {
                    let (record, slots) = expected.expect("present in the witness only");
                    prop_assert_eq!(account.nonce, record.nonce);
                    prop_assert_eq!(account.balance, record.balance);
                    prop_assert_eq!(account.code_hash, record.code_hash);
                    if asked.contains(&address) {
                        for slot in (0..20).map(U256::from) {
                            let value = witness.slot(address, account.storage_root, slot);
                            prop_assert_eq!(value, Ok(slots.get(&slot).copied().unwrap_or_default()));
                        }
                    }
                }
                Err(error) => {
                    prop_assert!(!asked.contains(&address), "{}", error);
                    let missing = matches!(error, WitnessError::MissingNode { trie: Trie::Accounts, .. });
                    prop_assert!(missing, "{}", error);
                }
            }
        }
    }

    #[test]
    fn visits_meet_every_known_leaf_once(state in state()) {
        let witness = witness(&state, &everything(&state));
        let mut accounts = BTreeMap::new();
        witness.visit_accounts(|key, account| assert!(accounts.insert(key, account).is_none())).unwrap();
        prop_assert_eq!(accounts.len(), state.len());
        for (address, (_, slots)) in &state {
            let key = keccak256(address);
            let mut found = BTreeMap::new();
            witness
                .visit_slots(key, accounts[&key].storage_root, |slot, value| {
                    assert!(found.insert(slot, value).is_none());
                })
                .unwrap();
            let expected: BTreeMap<_, _> =
                slots.iter().map(|(slot, value)| (keccak256(B256::from(*slot)), *value)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

fn small_state(accounts: u8) -> State {
    (0..accounts)
        .map(|byte| {
            let record = AccountRecord { nonce: 1, balance: U256::from(byte), code_hash: KECCAK_EMPTY };
            (Address::repeat_byte(byte), (record, Slots::from([(U256::ZERO, U256::from(9))])))
        })
        .collect()
}

#[test]
fn an_empty_state_takes_its_first_account() {
    let after = small_state(1);
    let (record, _) = after[&Address::ZERO];
    let witness = WitnessState::new(EMPTY_ROOT_HASH, []);
    let change = Change {
        accounts: BTreeMap::from([(Address::ZERO, (Some(record), false))]),
        slots: BTreeMap::from([((Address::ZERO, U256::ZERO), U256::from(9))]),
    };
    assert_eq!(witness.account(Address::ZERO), Ok(None));
    assert_eq!(root_after(&witness, &change), Ok(root_of(&after)));
}

#[test]
fn an_unknown_root_is_a_missing_node_at_the_empty_path() {
    let root = B256::repeat_byte(3);
    let witness = WitnessState::new(root, []);
    let expected = WitnessError::MissingNode { trie: Trie::Accounts, path: Nibbles::new(), hash: root };
    assert_eq!(witness.account(Address::ZERO), Err(expected.clone()));
    assert!(expected.to_string().contains("account trie: node 0x0303"), "{expected}");
}

#[test]
fn slots_of_an_account_that_does_not_exist_are_refused() {
    let state = small_state(4);
    let witness = witness(&state, &everything(&state));
    let address = Address::repeat_byte(99);
    let change = Change { slots: BTreeMap::from([((address, U256::ZERO), U256::from(1))]), ..Change::default() };
    assert_eq!(root_after(&witness, &change), Err(WitnessError::SlotsWithoutAccount(address)));
}

#[test]
fn a_removal_beside_an_unknown_sibling_is_named() {
    let two = small_state(2);
    let gone = Address::repeat_byte(0);
    let touched = BTreeMap::from([(gone, BTreeSet::new())]);
    let change = Change { accounts: BTreeMap::from([(gone, (None, false))]), ..Change::default() };
    let result = root_after(&witness(&two, &touched), &change);
    assert!(matches!(result, Err(WitnessError::MissingSibling { trie: Trie::Accounts, .. })), "{result:?}");
}

#[test]
fn nodes_that_refer_to_one_node_many_times_do_not_keep_a_walk_busy() {
    use alloy_trie::{
        TrieMask,
        nodes::{BranchNode, LeafNode, RlpNode},
    };
    let mut nodes = Vec::new();
    let mut push = |bytes: Vec<u8>| {
        let reference = RlpNode::from_rlp(&bytes);
        nodes.push(Bytes::from(bytes));
        reference
    };
    let leaf = LeafNode::new(Nibbles::unpack([0x11; 16]), vec![7; 40]);
    let mut reference = push(alloy_rlp::encode(leaf));
    for _ in 0..32 {
        let branch = BranchNode::new(vec![reference.clone(); 16], TrieMask::new(u16::MAX));
        reference = push(alloy_rlp::encode(branch));
    }
    let witness = WitnessState::new(reference.as_hash().unwrap(), nodes);
    let result = witness.visit_slots(B256::ZERO, witness.root(), |_, _| {});
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn bytes_that_are_no_node_are_malformed() {
    for bytes in [&[0xc0][..], &[0x80], &[0xc2, 0x20, 0x01], b"hello", &[0xc3, 0x00, 0x80, 0x80]] {
        let bytes = Bytes::copy_from_slice(bytes);
        let witness = WitnessState::new(keccak256(&bytes), [bytes.clone()]);
        let result = witness.account(Address::ZERO);
        let empty_root = keccak256(&bytes) == EMPTY_ROOT_HASH;
        assert!(empty_root || matches!(result, Err(WitnessError::MalformedNode { .. })), "{bytes}: {result:?}");
    }
}
