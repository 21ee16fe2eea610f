//! What each transaction of a block observed and changed, and how long it took: the ground for the bounds on any speed-up.
//!
//! The block is executed twice: once watched, which slows it down, for the accesses; then once more, unwatched, for the times.

use super::{
    observer::{Observations, Observer},
    recorder::Recorder,
    start,
};
use crate::{AccessKey, BlockError, ChainSpec, RecoveredBlock, Transaction, block_checks::check_block};
use alloy_consensus::Transaction as _;
use alloy_evm::{Evm, block::BlockExecutor};
use alloy_primitives::{Address, U256, map::AddressMap};
use revm::{
    DatabaseRef,
    inspector::NoOpInspector,
    state::{AccountInfo, EvmState},
};
use std::time::Instant;

/// Change of a balance that nobody has to look at: additions and subtractions commute as long as there is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceChange {
    /// The account.
    pub address: Address,
    /// What the account gains, in wei.
    pub gained: U256,
    /// What the account loses, in wei.
    pub lost: U256,
    /// What the account must have before the transaction for it to go the same way, in wei.
    pub needed: U256,
}

/// What one transaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionTrace {
    /// Gas used.
    pub gas_used: u64,
    /// Wall time of the execution and of its commit, in nanoseconds.
    pub nanos: u64,
    /// Fields whose value it relied on, sorted. Balances only where their exact value was observed.
    pub reads: Vec<AccessKey>,
    /// Fields that it changed, sorted, without balances.
    pub writes: Vec<AccessKey>,
    /// Balances that it changed or needed, sorted by address.
    pub balances: Vec<BalanceChange>,
}

/// What the transactions of a block did, each on top of the ones before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockTrace {
    /// One for each transaction.
    pub transactions: Vec<TransactionTrace>,
    /// Balances before the first transaction of all accounts that were loaded, in wei.
    pub initial_balances: AddressMap<U256>,
}

/// Executes a block serially, twice, and returns what its transactions did.
pub fn trace<S: DatabaseRef + Sync>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
) -> Result<BlockTrace, BlockError> {
    check_block(block, &spec.at(block.header()))?;
    let mut trace = BlockTrace::default();
    observe(snapshot, block, spec, &mut trace)?;
    measure(snapshot, block, spec, &mut trace)?;
    Ok(trace)
}

/// Runs the block with an [`Observer`].
fn observe<S: DatabaseRef>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    trace: &mut BlockTrace,
) -> Result<(), BlockError> {
    let rules = spec.at(block.header());
    let mut recorder = Recorder::new(snapshot, false);
    let mut current = None;
    let result = (|| {
        let mut executor = start(&mut recorder, block, spec, &rules, Observer::default())?;
        for (index, transaction) in block.transactions_recovered().enumerate() {
            current = Some(index);
            executor.evm.enable_inspector();
            let mut entry = TransactionTrace::default();
            let mut state = EvmState::default();
            executor.execute_transaction_with_result_closure(transaction, |result| {
                entry.gas_used = result.result.result.tx_gas_used();
                state.clone_from(&result.result.state);
            })?;
            let mut observations = executor.evm.inspector_mut().take();
            observations.require(block.senders()[index], upfront_cost(&block.transactions()[index]));
            entry.add_state(&state, &observations);
            for (address, account) in &state {
                trace.initial_balances.entry(*address).or_insert_with(|| account.original_info().balance);
            }
            trace.transactions.push(entry);
        }
        Ok(())
    })();
    recorder.sort_failure(result, current)
}

/// Runs the block as it is, with a clock.
fn measure<S: DatabaseRef>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    trace: &mut BlockTrace,
) -> Result<(), BlockError> {
    let rules = spec.at(block.header());
    let mut recorder = Recorder::new(snapshot, false);
    let mut current = None;
    let result = (|| {
        let mut executor = start(&mut recorder, block, spec, &rules, NoOpInspector {})?;
        for (index, transaction) in block.transactions_recovered().enumerate() {
            current = Some(index);
            let start = Instant::now();
            executor.execute_transaction(transaction)?;
            trace.transactions[index].nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
        Ok(())
    })();
    recorder.sort_failure(result, current)
}

/// The balance that a sender must have for its transaction to be let in.
fn upfront_cost(transaction: &Transaction) -> U256 {
    let product = |price: u128, gas: u64| U256::from(price).saturating_mul(U256::from(gas));
    let blob_gas = transaction.blob_gas_used().unwrap_or_default();
    let blob_fee = product(transaction.max_fee_per_blob_gas().unwrap_or_default(), blob_gas);
    let gas_fee = product(transaction.max_fee_per_gas(), transaction.gas_limit());
    transaction.value().saturating_add(gas_fee).saturating_add(blob_fee)
}

impl TransactionTrace {
    /// Adds what a transaction observed and what it left behind.
    fn add_state(&mut self, state: &EvmState, observations: &Observations) {
        for (&address, account) in state {
            let original = account.original_info();
            let is_destroyed = account.is_selfdestructed();
            let present = if is_destroyed { AccountInfo::default() } else { account.info.clone() };
            // Whoever loads an account may run its code, or find that it has none.
            self.reads.push(AccessKey::Code(address));
            if original.code_hash != present.code_hash {
                self.writes.push(AccessKey::Code(address));
            }
            if original.nonce != present.nonce {
                self.reads.push(AccessKey::Nonce(address));
                self.writes.push(AccessKey::Nonce(address));
            }
            if account.is_created() || observations.lives.contains(&address) {
                self.reads.push(AccessKey::Life(address));
            }
            if original.is_empty() != present.is_empty() || is_destroyed {
                self.writes.push(AccessKey::Life(address));
            }
            if observations.balances.contains(&address) {
                self.reads.push(AccessKey::Balance(address));
            }
            let gained = present.balance.saturating_sub(original.balance);
            let lost = original.balance.saturating_sub(present.balance);
            let needed = observations.needed.get(&address).copied().unwrap_or_default();
            if !(gained.is_zero() && lost.is_zero() && needed.is_zero()) {
                self.balances.push(BalanceChange { address, gained, lost, needed });
            }
            for (slot, value) in &account.storage {
                self.reads.push(AccessKey::Storage(address, *slot));
                if value.is_changed() || is_destroyed {
                    self.writes.push(AccessKey::Storage(address, *slot));
                }
            }
        }
        self.reads.sort_unstable();
        self.writes.sort_unstable();
        self.balances.sort_unstable_by_key(|change| change.address);
    }
}
