//! A block that is in the chain, executed again: for tracers and for whatever else is not stored.
//!
//! [`Replay`] starts from the state of the parent and does what the block did before its first transaction; then it goes through the
//! transactions one by one, each either unwatched ([`Replay::skip_to`]) or with an inspector ([`Replay::inspect`]). [`replayed`] is the frame around
//! it: it ends with the answer for the client and tries once more when the database moved on in the middle. [`Limits`] bound time and memory, [`error`] says
//! what can go wrong, [`parent`] has the state before a block, also with its tries.

mod calls;
mod error;
mod limits;
mod parent;
#[cfg(test)]
pub(crate) mod suite;

pub(crate) use calls::TracedCalls;
pub(crate) use error::ReplayError;
pub(crate) use limits::Limits;
pub(crate) use parent::{parent_snapshot, recovered};

use crate::{
    Backend, RpcError,
    simulate::{CallBase, CallState},
};
use alloy_evm::{
    EthEvm, Evm, EvmEnv, FromRecoveredTx,
    eth::{EthEvmBuilder, EthEvmContext},
    precompiles::PrecompilesMap,
};
use alloy_primitives::{Address, B256};
use braid_chain::{Chain, ChainBlock, StateView};
use braid_runtime::{Transaction, block_hooks};
use revm::{
    DatabaseCommit, Inspector,
    context::TxEnv,
    context_interface::result::ResultAndState,
    database::{State, WrapDatabaseRef},
    state::EvmState,
};
use std::sync::Arc;

/// The state in the middle of a block.
pub(crate) type ReplayState = State<WrapDatabaseRef<StateView>>;

/// Runs something that executes, and once more if the state that it reads was outdated in the middle.
pub(crate) fn replayed<T>(mut run: impl FnMut() -> Result<T, ReplayError>) -> Result<T, RpcError> {
    let result = match run() {
        Err(error) if error.is_outdated() => run(),
        result => result,
    };
    result.map_err(RpcError::from)
}

/// What came of a transaction.
pub(crate) struct Transacted<I> {
    /// The transaction as the EVM saw it.
    pub(crate) environment: TxEnv,
    /// Its outcome, which is not committed yet.
    pub(crate) outcome: ResultAndState,
    /// The inspector that watched.
    pub(crate) inspector: I,
}

/// A block that is executed again, transaction by transaction.
#[derive(Debug)]
pub(crate) struct Replay {
    block: Arc<ChainBlock>,
    senders: Vec<Address>,
    environment: EvmEnv,
    state: ReplayState,
    limits: Limits,
    next: usize,
}

impl Replay {
    /// Stands before the first transaction of a block.
    ///
    /// # Errors
    /// [`ReplayError::Genesis`] for the first block of a chain; whatever keeps the parent's state from being read.
    pub(crate) fn new(chain: &Chain, block: &Arc<ChainBlock>, limits: Limits) -> Result<Self, ReplayError> {
        let spec = chain.spec();
        let environment = spec.evm_env(block.header());
        let state = parent::state(chain, block)?;
        let mut state = State::builder().with_database(WrapDatabaseRef(state)).build();
        block_hooks::pre_execution(&mut state, environment.clone(), &recovered(chain, block)?, spec)?;
        let senders = chain.block_senders(block)?.to_vec();
        Ok(Self { block: Arc::clone(block), senders, environment, state, limits, next: 0 })
    }

    /// Stands before the transaction with an index.
    pub(crate) fn at(
        chain: &Chain,
        block: &Arc<ChainBlock>,
        index: usize,
        limits: Limits,
    ) -> Result<Self, ReplayError> {
        let mut replay = Self::new(chain, block, limits)?;
        replay.skip_to(index)?;
        Ok(replay)
    }

    /// Executes the transactions before the one with an index, as far as they were not yet.
    pub(crate) fn skip_to(&mut self, index: usize) -> Result<(), ReplayError> {
        let end = index.min(self.block.transactions().len());
        if self.next < end {
            execute(&mut self.state, &self.environment, &self.block, &self.senders, self.next..end, self.limits)?;
            self.next = end;
        }
        Ok(())
    }

    /// The next transaction with its hash, if there is one.
    pub(crate) fn next(&self) -> Option<(usize, &Transaction)> {
        Some((self.next, self.block.transactions().get(self.next)?))
    }

    /// Executes the next transaction with an inspector; [`Self::commit`] then makes its changes count.
    pub(crate) fn inspect<I>(&mut self, inspector: I) -> Result<Transacted<I>, ReplayError>
    where
        I: for<'a> Inspector<EthEvmContext<&'a mut ReplayState>>,
    {
        let (Some(transaction), Some(sender)) = (self.block.transactions().get(self.next), self.senders.get(self.next))
        else {
            return Err(ReplayError::NoTransaction(self.next));
        };
        let transaction = TxEnv::from_recovered_tx(transaction, *sender);
        let environment = self.environment.clone();
        inspect(&mut self.state, environment, transaction, inspector, self.limits, self.next)
    }

    /// Makes the changes of the last inspected transaction count, so that the next one follows.
    pub(crate) fn commit(&mut self, changes: EvmState) {
        self.state.commit(changes);
        self.next += 1;
    }

    /// The state before the next transaction.
    pub(crate) const fn state_mut(&mut self) -> &mut ReplayState {
        &mut self.state
    }

    /// The environment of the EVM in the block.
    pub(crate) const fn environment(&self) -> &EvmEnv {
        &self.environment
    }
}

/// Executes a transaction with an inspector, within limits. `index` is for the error.
fn inspect<I>(
    state: &mut ReplayState,
    environment: EvmEnv,
    transaction: TxEnv,
    inspector: I,
    limits: Limits,
    index: usize,
) -> Result<Transacted<I>, ReplayError>
where
    I: for<'a> Inspector<EthEvmContext<&'a mut ReplayState>>,
{
    limits.check()?;
    let watched = (limits.watch(), inspector);
    let mut evm: EthEvm<_, _, PrecompilesMap> =
        EthEvmBuilder::new(state, environment).activate_inspector(watched).build();
    let outcome = evm.transact_raw(transaction.clone());
    let (watch, inspector) = evm.into_inner().inspector;
    if let Some(stopped) = watch.stopped() {
        return Err(stopped);
    }
    let outcome = outcome.map_err(|error| ReplayError::from_evm(error, index))?;
    Ok(Transacted { environment: transaction, outcome, inspector })
}

/// Executes the transactions of a block from one index to another, unwatched.
fn execute<D>(
    state: D,
    environment: &EvmEnv,
    block: &ChainBlock,
    senders: &[Address],
    range: std::ops::Range<usize>,
    limits: Limits,
) -> Result<(), ReplayError>
where
    D: alloy_evm::Database<Error: Into<ReplayError>> + DatabaseCommit,
{
    let mut evm = EthEvmBuilder::new(state, environment.clone()).build();
    for index in range {
        limits.check()?;
        let transaction = TxEnv::from_recovered_tx(&block.transactions()[index], senders[index]);
        evm.transact_commit(transaction).map_err(|error| ReplayError::from_evm(error, index))?;
    }
    Ok(())
}

/// The state before the transaction with an index, for calls: they lay their overrides above it.
pub(crate) fn call_state(
    chain: &Chain,
    block: &ChainBlock,
    index: usize,
    limits: Limits,
) -> Result<CallState, ReplayError> {
    let mut state = CallState::new(CallBase(parent::state(chain, block)?));
    let environment = chain.spec().evm_env(block.header());
    block_hooks::pre_execution(&mut state, environment.clone(), &recovered(chain, block)?, chain.spec())?;
    let end = index.min(block.transactions().len());
    execute(&mut state, &environment, block, chain.block_senders(block)?, 0..end, limits)?;
    Ok(state)
}

impl Backend {
    /// The block that has a transaction, and its index.
    ///
    /// # Errors
    /// -32000 `transaction not found`.
    pub(crate) fn traced_transaction(&self, hash: &B256) -> Result<(Arc<ChainBlock>, usize), RpcError> {
        let place = self.chain().find_transaction(hash)?.ok_or_else(|| RpcError::server("transaction not found"))?;
        Ok((place.block, place.index))
    }

    /// Executes a block again with an inspector for each transaction, and hands each outcome to `finish` before it is committed.
    pub(crate) fn inspect_block<I, T>(
        &self,
        block: &Arc<ChainBlock>,
        limits: Limits,
        inspector: impl Fn() -> Result<I, RpcError>,
        mut finish: impl FnMut(usize, Transacted<I>, &mut ReplayState, &EvmEnv) -> Result<(T, EvmState), ReplayError>,
    ) -> Result<Vec<T>, ReplayError>
    where
        I: for<'a> Inspector<EthEvmContext<&'a mut ReplayState>>,
    {
        let mut replay = Replay::new(self.chain(), block, limits)?;
        let mut results = Vec::with_capacity(block.transactions().len());
        while let Some((index, _)) = replay.next() {
            let transacted = replay.inspect(inspector()?)?;
            let environment = replay.environment.clone();
            let (result, changes) = finish(index, transacted, &mut replay.state, &environment)?;
            replay.commit(changes);
            results.push(result);
        }
        Ok(results)
    }
}
