//! Whole states, in maps: random blocks against a full rebuild. Shared with the tests of the database.

use super::{
    proof::{prove, witness},
    root::state_after,
    tries::StateTries,
    update::StateUpdate,
};
use crate::{
    AccountChange, AccountRecord, BlockChange, SlotChange, StorageError, WitnessState, encoding::HashedAccount,
    full_root, trie::source::NodeBytes,
};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, Nibbles, TrieAccount, proof::verify_proof};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Accounts and slots as a person would write them down.
pub(crate) type PlainState = BTreeMap<Address, (AccountRecord, BTreeMap<U256, U256>)>;

pub(crate) fn root_of(state: &PlainState) -> B256 {
    full_root::state_root(
        state.iter().map(|(address, (record, slots))| (*address, *record, slots.iter().map(|(k, v)| (*k, *v)))),
    )
}

/// What one account does in a block.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Set(AccountRecord),
    Remove,
    /// Removed and created again in one block.
    Recreate(AccountRecord),
    SlotsOnly,
}

pub(crate) type Actions = BTreeMap<Address, (Action, BTreeMap<U256, U256>)>;

/// Applies actions to a plain state and gives the change that describes them.
pub(crate) fn apply(state: &mut PlainState, actions: &Actions) -> BlockChange {
    let mut change = BlockChange::default();
    for (address, (action, slots)) in actions {
        let before = state.get(address).cloned();
        let mut account = |present, storage_wiped| {
            change.accounts.push(AccountChange { address: *address, present, storage_wiped });
        };
        match (action, before) {
            (Action::Remove, Some(_)) => {
                state.remove(address);
                account(None, true);
                continue;
            }
            (Action::Remove | Action::SlotsOnly, None) => continue,
            (Action::SlotsOnly, Some(_)) => {}
            (Action::Recreate(record), before) => {
                account(Some(*record), before.is_some());
                state.insert(*address, (*record, BTreeMap::new()));
            }
            (Action::Set(record), before) => {
                account(Some(*record), false);
                let slots = before.map(|(_, slots)| slots).unwrap_or_default();
                state.insert(*address, (*record, slots));
            }
        }
        let (_, stored) = state.get_mut(address).expect("it was inserted or was there");
        for (slot, present) in slots {
            change.slots.push(SlotChange { address: *address, slot: *slot, present: *present });
            match present.is_zero() {
                true => stored.remove(slot),
                false => stored.insert(*slot, *present),
            };
        }
    }
    change
}

fn record() -> impl Strategy<Value = AccountRecord> {
    (0u64..3, 0u64..3, any::<bool>()).prop_map(|(nonce, balance, code)| AccountRecord {
        nonce,
        balance: U256::from(balance),
        code_hash: if code { keccak256([0x60, 0x01]) } else { KECCAK_EMPTY },
    })
}

pub(crate) fn actions() -> impl Strategy<Value = Actions> {
    let action = prop_oneof![
        4 => record().prop_map(Action::Set),
        2 => Just(Action::Remove),
        1 => record().prop_map(Action::Recreate),
        3 => Just(Action::SlotsOnly),
    ];
    let slots = prop::collection::btree_map((0u64..12).prop_map(U256::from), (0u64..4).prop_map(U256::from), 0..8);
    prop::collection::btree_map((0u8..12).prop_map(Address::repeat_byte), (action, slots), 0..8)
}

/// Tries of a state, in maps.
#[derive(Clone, Debug)]
pub(crate) struct MapTries {
    root: B256,
    accounts: BTreeMap<B256, HashedAccount>,
    slots: BTreeMap<(B256, B256), U256>,
    account_nodes: BTreeMap<Nibbles, NodeBytes>,
    storage_nodes: BTreeMap<(B256, Nibbles), NodeBytes>,
}

impl Default for MapTries {
    fn default() -> Self {
        Self {
            root: EMPTY_ROOT_HASH,
            accounts: BTreeMap::new(),
            slots: BTreeMap::new(),
            account_nodes: BTreeMap::new(),
            storage_nodes: BTreeMap::new(),
        }
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

impl MapTries {
    pub(crate) fn apply(&mut self, update: &StateUpdate) {
        self.root = update.root;
        for (key, account) in &update.accounts {
            set(&mut self.accounts, *key, *account);
        }
        for (path, node) in &update.account_nodes {
            set(&mut self.account_nodes, *path, node.clone());
        }
        for (account, storage) in &update.storages {
            if storage.wiped {
                self.slots.retain(|(owner, _), _| owner != account);
                self.storage_nodes.retain(|(owner, _), _| owner != account);
            }
            for (slot, value) in &storage.slots {
                set(&mut self.slots, (*account, *slot), (!value.is_zero()).then_some(*value));
            }
            for (path, node) in &storage.nodes {
                set(&mut self.storage_nodes, (*account, *path), node.clone());
            }
        }
    }
}

impl StateTries for MapTries {
    fn state_root(&self) -> B256 {
        self.root
    }

    fn hashed_account(&self, key: B256) -> Result<Option<HashedAccount>, StorageError> {
        Ok(self.accounts.get(&key).copied())
    }

    fn account_under(&self, prefix: &Nibbles) -> Result<Option<(B256, HashedAccount)>, StorageError> {
        let mut accounts = self.accounts.iter();
        Ok(accounts.find(|(key, _)| Nibbles::unpack(key).starts_with(prefix)).map(|(key, account)| (*key, *account)))
    }

    fn slot_under(&self, account: B256, prefix: &Nibbles) -> Result<Option<(B256, U256)>, StorageError> {
        let mut slots = self.slots.range((account, B256::ZERO)..=(account, B256::repeat_byte(0xff)));
        Ok(slots
            .find(|((_, slot), _)| Nibbles::unpack(slot).starts_with(prefix))
            .map(|((_, slot), value)| (*slot, *value)))
    }

    fn account_node(&self, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        Ok(self.account_nodes.get(path).cloned())
    }

    fn storage_node(&self, account: B256, path: &Nibbles) -> Result<Option<NodeBytes>, StorageError> {
        Ok(self.storage_nodes.get(&(account, *path)).cloned())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_block_gives_the_root_of_a_full_rebuild(blocks in prop::collection::vec(actions(), 1..8)) {
        let mut state = PlainState::new();
        let mut tries = MapTries::default();
        let mut together: Option<StateUpdate> = None;
        for actions in &blocks {
            let change = apply(&mut state, actions);
            let update = state_after(&tries, &change).unwrap();
            prop_assert_eq!(update.state_root(), root_of(&state));
            tries.apply(&update);
            match &mut together {
                Some(together) => together.extend(&update),
                None => together = Some(update),
            }
        }
        let mut at_once = MapTries::default();
        at_once.apply(&together.expect("there is a block"));
        prop_assert_eq!(format!("{at_once:?}"), format!("{tries:?}"), "updates joined into one do the same");
    }

    #[test]
    fn proofs_verify(blocks in prop::collection::vec(actions(), 1..4), asked in prop::collection::vec((0u8..16, 0u64..16), 1..12)) {
        let (mut state, mut tries) = (PlainState::new(), MapTries::default());
        for actions in &blocks {
            let change = apply(&mut state, actions);
            let update = state_after(&tries, &change).unwrap();
            tries.apply(&update);
        }
        for (address, slot) in asked {
            let (address, slot) = (Address::repeat_byte(address), U256::from(slot));
            let proof = prove(&tries, address, &[slot]).unwrap();
            prop_assert_eq!(proof.account, state.get(&address).map(|(record, _)| *record));
            let leaf = proof.account.map(|record| {
                alloy_rlp::encode(TrieAccount::new(record.nonce, record.balance, proof.storage_root, record.code_hash))
            });
            verify_proof(tries.root, Nibbles::unpack(keccak256(address)), leaf, &proof.nodes).unwrap();
            let value = state.get(&address).and_then(|(_, slots)| slots.get(&slot).copied()).unwrap_or_default();
            prop_assert_eq!(proof.slots[0].value, value);
            let key = Nibbles::unpack(keccak256(slot.to_be_bytes::<32>()));
            let leaf = (!value.is_zero()).then(|| alloy_rlp::encode(value));
            verify_proof(proof.storage_root, key, leaf, &proof.slots[0].nodes).unwrap();
        }
    }

    #[test]
    fn a_witness_gives_the_root_after_the_block(blocks in prop::collection::vec(actions(), 1..4), last in actions()) {
        let (mut state, mut tries) = (PlainState::new(), MapTries::default());
        for actions in &blocks {
            let change = apply(&mut state, actions);
            let update = state_after(&tries, &change).unwrap();
            tries.apply(&update);
        }
        let change = apply(&mut state, &last);
        let read = (Address::repeat_byte(3), vec![U256::from(5)]);
        let witness = witness(&tries, &[read], &change).unwrap();
        let partial = WitnessState::new(tries.root, witness.nodes);
        prop_assert_eq!(partial.root_after(change.accounts, change.slots), Ok(root_of(&state)));
        prop_assert!(partial.account(Address::repeat_byte(3)).is_ok());
    }
}

#[test]
fn slots_of_an_account_that_does_not_exist_are_refused() {
    let slot = SlotChange { address: Address::ZERO, slot: U256::ZERO, present: U256::from(1) };
    let change = BlockChange { slots: vec![slot], ..Default::default() };
    let error = state_after(&MapTries::default(), &change).unwrap_err();
    assert!(matches!(error, StorageError::SlotsWithoutAccount(Address::ZERO)), "{error}");
}
