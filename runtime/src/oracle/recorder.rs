//! revm's `State` over a snapshot, with the access list and the causes of failed reads kept on the side.

use crate::{
    BlockError, StateDiff,
    access_list::AccessListBuilder,
    watched::{ReadFailed, Watched},
};
use alloy_eip7928::BlockAccessList;
use alloy_evm::block::BlockExecutionError;
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    context::DBErrorMarker,
    database::{BundleState, State, TransitionState, WrapDatabaseRef, states::bundle_state::BundleRetention},
    state::{Account, AccountId, AccountInfo, Bytecode},
};
use std::fmt;

type Inner<'a, S> = State<Watched<WrapDatabaseRef<&'a S>>>;

/// The database of the oracle.
pub(super) struct Recorder<'a, S: DatabaseRef> {
    state: Inner<'a, S>,
    access_list: Option<AccessListBuilder>,
    /// Block access index (EIP-7928) that commits belong to.
    index: u64,
}

/// A read failed; the cause is in the recorder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(super) struct RecorderError(#[from] revm::database_interface::bal::EvmDatabaseError<ReadFailed>);

impl DBErrorMarker for RecorderError {}

impl<'a, S: DatabaseRef> Recorder<'a, S> {
    pub(super) fn new(snapshot: &'a S, with_access_list: bool) -> Self {
        let database = Watched::new(WrapDatabaseRef(snapshot));
        let state = State::builder().with_database(database).with_bundle_update().build();
        Self { state, access_list: with_access_list.then(AccessListBuilder::default), index: 0 }
    }

    pub(super) const fn set_index(&mut self, index: u64) {
        self.index = index;
    }

    /// Sorts the error of an execution on this database. `current` is the transaction it stopped at, if any.
    pub(super) fn sort_failure<T>(
        &mut self,
        result: Result<T, BlockExecutionError>,
        current: Option<usize>,
    ) -> Result<T, BlockError> {
        match (result, self.state.database.take_failure()) {
            (_, Some(cause)) => Err(BlockError::Database(cause)),
            (Err(error), None) => Err(BlockError::from_alloy(error, current)),
            (Ok(value), None) => Ok(value),
        }
    }

    pub(super) fn take_access_list(&mut self, snapshot: &S) -> Result<Option<BlockAccessList>, S::Error> {
        self.access_list.take().map(|builder| builder.finish(snapshot)).transpose()
    }

    pub(super) fn into_bundle(mut self, retention: BundleRetention) -> BundleState {
        self.state.merge_transitions(retention);
        self.state.take_bundle()
    }

    /// What was committed since the last call.
    pub(super) fn take_step(&mut self) -> StateDiff {
        let mut diff = StateDiff::default();
        let transitions = self.state.transition_state.as_mut().map(TransitionState::take).unwrap_or_default();
        for (address, account) in transitions.transitions {
            super::steps::add(&mut diff, address, account);
        }
        diff
    }

    fn record(&mut self, address: Address, account: &Account) {
        if let Some(access_list) = &mut self.access_list {
            access_list.record(self.index, address, account);
        }
    }
}

impl<S: DatabaseRef> fmt::Debug for Recorder<'_, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<S: DatabaseRef> Database for Recorder<'_, S> {
    type Error = RecorderError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, RecorderError> {
        Ok(self.state.basic(address)?)
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, RecorderError> {
        Ok(self.state.code_by_hash(code_hash)?)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, RecorderError> {
        Ok(Database::storage(&mut self.state, address, slot)?)
    }

    fn storage_by_account_id(&mut self, address: Address, id: AccountId, slot: U256) -> Result<U256, RecorderError> {
        Ok(self.state.storage_by_account_id(address, id, slot)?)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, RecorderError> {
        Ok(self.state.block_hash(number)?)
    }
}

impl<S: DatabaseRef> DatabaseCommit for Recorder<'_, S> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        for (address, account) in &changes {
            self.record(*address, account);
        }
        self.state.commit(changes);
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        let changes = changes.collect::<AddressMap<_>>();
        self.commit(changes);
    }
}
