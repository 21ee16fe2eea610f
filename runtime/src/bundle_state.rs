//! From a [`StateDiff`] to revm's [`BundleState`] with reverts, and the normal form in which bundles are compared.
//!
//! [`StateDiff::to_bundle`] makes what revm's `State` would have made of the block, with two exceptions where revm keeps
//! traces of the way on which a state was reached:
//! * an account that was deleted twice has the status `DestroyedAgain`, one that was deleted once `Destroyed`;
//! * an account that did not exist, was created, deleted and created again in the block has the status `DestroyedChanged`,
//!   one that was created once `InMemoryChange`.
//!
//! Nobody who applies or reverts a bundle can tell these apart: both pairs differ only in what revm's cache knows about the
//! storage of the account while the block runs. [`normalize`] maps the first of each pair to the second, drops the entry for
//! empty code (which revm lists or not depending on how the account was loaded), and leaves everything else alone. So
//! `normalize(bundle of State) == diff.to_bundle(parent)` for every block.

use crate::{AccountDiff, AccountState, SlotDiff, StateDiff};
use alloy_primitives::{Address, KECCAK256_EMPTY, map::AddressMap};
use revm::{
    DatabaseRef,
    database::{
        AccountRevert, AccountStatus, BundleAccount, BundleState, RevertToSlot,
        states::{
            StorageSlot, StorageWithOriginalValues,
            reverts::{AccountInfoRevert, Reverts},
        },
    },
    state::AccountInfo,
};

impl StateDiff {
    /// The diff as the bundle of one block, with its reverts, in normal form.
    ///
    /// `parent` is the state that the diff applies to; it is asked for the records of accounts of which only slots changed.
    ///
    /// # Panics
    /// If the diff is not canonical: a slot without owner, an account that was deleted without having its storage wiped.
    pub fn to_bundle<S: DatabaseRef>(&self, parent: &S) -> Result<BundleState, S::Error> {
        let mut slots = AddressMap::<Vec<&SlotDiff>>::default();
        for slot in &self.slots {
            slots.entry(slot.address).or_default().push(slot);
        }
        let mut builder = Builder::default();
        for account in &self.accounts {
            builder.add(account, &slots.remove(&account.address).unwrap_or_default());
        }
        for (address, slots) in slots {
            let info = parent.basic_ref(address)?;
            assert!(info.is_some(), "slots of account {address} changed, which does not exist");
            let state = info.as_ref().map(AccountState::from);
            builder.add(&AccountDiff { address, original: state, present: state, storage_wiped: false }, &slots);
        }
        let mut bundle = builder.bundle;
        bundle.contracts.extend(self.contracts.iter().cloned());
        bundle.reverts = Reverts::new(vec![builder.reverts]);
        Ok(bundle)
    }
}

#[derive(Default)]
struct Builder {
    bundle: BundleState,
    reverts: Vec<(Address, AccountRevert)>,
}

impl Builder {
    fn add(&mut self, account: &AccountDiff, slots: &[&SlotDiff]) {
        let AccountDiff { address, original, present, storage_wiped } = *account;
        let status = match (original, present) {
            (None, Some(_)) => AccountStatus::InMemoryChange,
            (Some(_), None) => {
                assert!(storage_wiped, "deleted account {address} keeps its storage");
                AccountStatus::Destroyed
            }
            (Some(_), Some(_)) if storage_wiped => AccountStatus::DestroyedChanged,
            // Without nonce and code there can be no storage below, so revm holds the account to be all in memory.
            (Some(old), Some(_)) if old.nonce == 0 && old.code_hash == KECCAK256_EMPTY => AccountStatus::InMemoryChange,
            (Some(_), Some(_)) => AccountStatus::Changed,
            (None, None) => return,
        };
        let previous_status = match original {
            None => AccountStatus::LoadedNotExisting,
            Some(state) if state.is_empty() => AccountStatus::LoadedEmptyEIP161,
            Some(_) => AccountStatus::Loaded,
        };
        let info_revert = match original {
            None => AccountInfoRevert::DeleteIt,
            Some(_) if original == present => AccountInfoRevert::DoNothing,
            Some(state) => AccountInfoRevert::RevertTo(info(state)),
        };
        let revert_slot = |slot: &SlotDiff| {
            // What a wiped slot held is found in the state that the wipe is undone in.
            let value = if storage_wiped { RevertToSlot::Destroyed } else { RevertToSlot::Some(slot.original) };
            (slot.slot, value)
        };
        let revert = AccountRevert {
            account: info_revert,
            storage: slots.iter().map(|slot| revert_slot(slot)).collect(),
            previous_status,
            wipe_storage: storage_wiped,
        };
        let storage = slots
            .iter()
            .map(|slot| (slot.slot, StorageSlot::new_changed(slot.original, slot.present)))
            .collect::<StorageWithOriginalValues>();
        let account = BundleAccount::new(original.map(info), present.map(info), storage, status);
        self.bundle.state_size += account.size_hint();
        self.bundle.reverts_size += revert.size_hint();
        self.bundle.state.insert(address, account);
        self.reverts.push((address, revert));
    }
}

fn info(state: AccountState) -> AccountInfo {
    let AccountState { balance, nonce, code_hash } = state;
    AccountInfo { balance, nonce, code_hash, code: None, ..Default::default() }
}

/// The normal form of the bundle of one block; see the module for what it forgets.
pub fn normalize(bundle: &BundleState) -> BundleState {
    let mut normal = bundle.clone();
    normal.contracts.remove(&KECCAK256_EMPTY);
    for account in normal.state.values_mut() {
        account.status = match (&account.original_info, &account.info, account.status) {
            (_, None, AccountStatus::DestroyedAgain) => AccountStatus::Destroyed,
            (None, Some(_), AccountStatus::DestroyedChanged) => AccountStatus::InMemoryChange,
            (_, _, status) => status,
        };
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;
    use alloy_primitives::keccak256;
    use proptest::prelude::*;
    use revm::{
        Database, DatabaseCommit,
        database::{CacheDB, EmptyDB, State, WrapDatabaseRef, states::bundle_state::BundleRetention},
        state::{Account, Bytecode, EvmStorageSlot, TransactionId},
    };

    /// What a transaction does to one account.
    #[derive(Clone, Copy, Debug)]
    enum Action {
        SetBalance(u64),
        BumpNonce,
        WriteSlot(u64, u64),
        Create(u64),
        Destroy,
        Touch,
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            (0..3_u64).prop_map(Action::SetBalance),
            Just(Action::BumpNonce),
            (0..3_u64, 0..3_u64).prop_map(|(slot, value)| Action::WriteSlot(slot, value)),
            (0..3_u64).prop_map(Action::Create),
            Just(Action::Destroy),
            Just(Action::Touch),
        ]
    }

    fn address(index: u8) -> Address {
        Address::with_last_byte(index)
    }

    /// A contract with storage, an account with code and no storage, two plain accounts, an empty one; others do not exist.
    fn parent() -> CacheDB<EmptyDB> {
        let mut parent = CacheDB::new(EmptyDB::new());
        let code = Bytecode::new_raw(vec![0x5f].into());
        let contract = AccountInfo { nonce: 1, ..AccountInfo::from_bytecode(code) };
        parent.insert_account_info(address(0), contract.clone().with_balance(U256::from(2)));
        for slot in 0..2_u64 {
            parent.insert_account_storage(address(0), U256::from(slot), U256::from(slot + 1)).unwrap();
        }
        parent.insert_account_info(address(1), contract);
        parent.insert_account_info(address(2), AccountInfo::from_balance(U256::from(2)));
        parent.insert_account_info(address(3), AccountInfo { nonce: 2, ..Default::default() });
        parent.insert_account_info(address(4), AccountInfo::default());
        parent
    }

    /// Commits the effect of one action as the journal of the EVM would hand it over.
    fn act<D: Database>(state: &mut State<D>, address: Address, action: Action) {
        let info = state.basic(address).unwrap();
        let exists = info.is_some();
        let mut account = match info {
            Some(info) => Account::from(info),
            None => Account::new_not_existing(TransactionId::ZERO),
        };
        let has_code = account.info.code_hash != KECCAK256_EMPTY;
        let mut write = |account: &mut Account, slot: u64, value: u64| {
            let slot = U256::from(slot);
            let original = if account.is_created() { U256::ZERO } else { state.storage(address, slot).unwrap() };
            let value = EvmStorageSlot::new_changed(original, U256::from(value), TransactionId::ZERO);
            account.storage.insert(slot, value);
        };
        match action {
            Action::SetBalance(balance) => account.info.balance = U256::from(balance),
            Action::BumpNonce => account.info.nonce += 1,
            Action::WriteSlot(slot, value) if has_code => write(&mut account, slot, value),
            Action::Create(seed) if !has_code && account.info.nonce == 0 => {
                let code = Bytecode::new_raw(vec![0x60, seed as u8].into());
                account.info.nonce = 1;
                account.info.code_hash = keccak256(code.original_bytes());
                account.info.code = Some(code);
                account.mark_created();
                write(&mut account, seed, seed);
            }
            Action::Destroy if exists && has_code => {
                account.info.balance = U256::ZERO;
                account.mark_selfdestruct();
            }
            _ => {}
        }
        account.mark_touch();
        state.commit(AddressMap::from_iter([(address, account)]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn diffs_give_back_the_bundle_of_state(actions in prop::collection::vec((0..7_u8, action()), 1..25)) {
            let parent = parent();
            let mut state =
                State::builder().with_database(WrapDatabaseRef(&parent)).with_bundle_update().build();
            for (index, action) in actions {
                act(&mut state, address(index), action);
            }
            state.merge_transitions(BundleRetention::Reverts);
            let bundle = state.take_bundle();
            let diff = StateDiff::from_bundle(&bundle);
            let rebuilt = diff.to_bundle(&parent).unwrap();
            prop_assert_eq!(&rebuilt, &normalize(&bundle));
            prop_assert_eq!(&normalize(&rebuilt), &rebuilt);
            prop_assert_eq!(StateDiff::from_bundle(&rebuilt), diff);
        }
    }

    #[test]
    fn every_status_of_one_block() {
        use Action::{Create, Destroy, SetBalance, Touch, WriteSlot};
        let status = |index: u8, actions: &[Action]| {
            let parent = parent();
            let mut state = State::builder().with_database(WrapDatabaseRef(&parent)).with_bundle_update().build();
            for action in actions {
                act(&mut state, address(index), *action);
            }
            state.merge_transitions(BundleRetention::Reverts);
            let bundle = StateDiff::from_bundle(&state.take_bundle()).to_bundle(&parent).unwrap();
            bundle.state.get(&address(index)).map(|account| account.status)
        };
        assert_eq!(status(0, &[WriteSlot(0, 0)]), Some(AccountStatus::Changed));
        assert_eq!(status(0, &[WriteSlot(0, 1)]), None);
        assert_eq!(status(0, &[Destroy]), Some(AccountStatus::Destroyed));
        assert_eq!(status(0, &[Destroy, Create(1)]), Some(AccountStatus::DestroyedChanged));
        assert_eq!(status(0, &[Destroy, Create(1), Destroy]), Some(AccountStatus::Destroyed));
        assert_eq!(status(2, &[SetBalance(1)]), Some(AccountStatus::InMemoryChange));
        assert_eq!(status(3, &[SetBalance(1)]), Some(AccountStatus::Changed));
        assert_eq!(status(4, &[Touch]), Some(AccountStatus::Destroyed));
        assert_eq!(status(5, &[Touch]), None);
        assert_eq!(status(5, &[SetBalance(1)]), Some(AccountStatus::InMemoryChange));
        assert_eq!(status(5, &[Create(1), Destroy]), None);
        assert_eq!(status(5, &[Create(1), Destroy, Create(2)]), Some(AccountStatus::InMemoryChange));
    }

    #[test]
    fn empty_code_is_not_listed() {
        let diff = StateDiff {
            accounts: vec![AccountDiff {
                address: address(9),
                original: None,
                present: Some(AccountState { balance: U256::from(1), nonce: 0, code_hash: KECCAK256_EMPTY }),
                storage_wiped: false,
            }],
            ..Default::default()
        };
        let bundle = diff.to_bundle(&parent()).unwrap();
        assert!(bundle.contracts.is_empty());
        let mut with_empty = bundle.clone();
        with_empty.contracts.insert(KECCAK256_EMPTY, Bytecode::default());
        assert_eq!(normalize(&with_empty), bundle);
    }
}
