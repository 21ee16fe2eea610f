//! Running all transactions at once.
//!
//! Nobody waits for anybody: each worker takes the next transactions, runs each on what the list claims before it, and checks it at once.
//! The first failure stops all.

use super::{
    Failure,
    check::{Checker, Found},
    transfer::Transfers,
};
use crate::{
    engine::{block_context::BlockContext, record::TransactionRecord, report::SpanKind, timeline::Timeline},
    evm::{self, LeanEvm, WorkerMemory},
    state::Claims,
};
use alloy_consensus::Transaction as _;
use alloy_evm::FromRecoveredTx;
use alloy_primitives::Log;
use parking_lot::Mutex;
use revm::{
    context::{TxEnv, result::EVMError},
    context_interface::result::ExecutionResult,
};
use std::{
    cmp::Reverse,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Transactions that a worker takes at a time, at most.
const MOST: usize = 8;

/// What is left of a transaction that was found right.
#[derive(Debug)]
pub(crate) struct Executed {
    pub(crate) success: bool,
    pub(crate) gas_used: u64,
    pub(crate) logs: Vec<Log>,
}

/// What the workers share.
pub(crate) struct Shared<'b> {
    block: &'b BlockContext<'b>,
    pub(crate) claims: &'b Claims<'b>,
    threads: usize,
    /// The order in which transactions are taken: long ones first, lest one of them comes last and everybody else waits for it.
    order: Vec<u32>,
    /// So many of them are long enough to be taken one by one.
    long: usize,
    next: AtomicUsize,
    is_stopped: AtomicBool,
    failure: Mutex<Option<Failure>>,
    executed: Vec<OnceLock<Executed>>,
    found: Mutex<Found>,
}

impl std::fmt::Debug for Shared<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("transactions", &self.order.len()).finish_non_exhaustive()
    }
}

impl<'b> Shared<'b> {
    pub(crate) fn new(block: &'b BlockContext<'b>, claims: &'b Claims<'b>, threads: usize) -> Self {
        let transactions = block.block.transactions();
        let gas_limit = |position: u32| transactions[position as usize].gas_limit();
        let mut order: Vec<u32> = (0..transactions.len() as u32).collect();
        let mut long = 0;
        if threads > 1 {
            // Gas limits are bounds only, but the best there is to know which transactions may be long. Their magnitude is enough.
            order.sort_by_key(|position| Reverse(gas_limit(*position).checked_ilog2()));
            let is_long = block.block.header().gas_used / (32 * threads as u64);
            long = order.partition_point(|position| gas_limit(*position) >= 1 << is_long.max(1).ilog2());
        }
        Self {
            block,
            claims,
            threads,
            order,
            long,
            next: AtomicUsize::new(0),
            is_stopped: AtomicBool::new(false),
            failure: Mutex::default(),
            executed: (0..transactions.len()).map(|_| OnceLock::new()).collect(),
            found: Mutex::new(Found::with_room_for(claims)),
        }
    }

    /// The transactions' results in block order and what was found of the list, after all workers have left.
    pub(crate) fn finish(self) -> Result<(Vec<Executed>, Found), Failure> {
        if let Some(failure) = self.failure.into_inner() {
            return Err(failure);
        }
        let count = self.executed.len();
        let executed: Vec<_> = self.executed.into_iter().filter_map(OnceLock::into_inner).collect();
        if executed.len() != count {
            return Err(Failure::doubt(format!("{} of {count} transactions ran", executed.len())));
        }
        Ok((executed, self.found.into_inner()))
    }

    /// Memory for a worker that has none yet.
    pub(crate) fn new_memory(&self) -> WorkerMemory {
        WorkerMemory::new(self.block.hashes.clone(), self.block.paths.clone())
    }

    /// A checker for one worker.
    pub(crate) fn checker(&self) -> Checker<'b> {
        Checker::new(self.claims, self.block.state, self.block.snapshot, self.block.beneficiary)
    }

    /// Takes over what a checker found so far.
    pub(crate) fn take_from(&self, checker: &mut Checker<'_>) {
        self.found.lock().take_from(checker);
    }

    /// Stops everybody.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut first = self.failure.lock();
        // That the list does not suit explains any other failure.
        if first.is_none() || matches!(failure, Failure::Unsuited) {
            *first = Some(failure);
        }
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// The next transactions to run, as places in the order.
    fn take(&self) -> Option<std::ops::Range<usize>> {
        let count = self.order.len();
        let seen = self.next.load(Ordering::Relaxed);
        let wanted =
            if seen < self.long { 1 } else { (count.saturating_sub(seen) / (8 * self.threads)).clamp(1, MOST) };
        let start = self.next.fetch_add(wanted, Ordering::Relaxed);
        (start < count).then(|| start..count.min(start + wanted))
    }
}

/// Works until all transactions are taken. Gives the memory back for the next block.
pub(crate) fn work<'b>(shared: &Shared<'b>, memory: WorkerMemory) -> WorkerMemory {
    let block = shared.block;
    let mut evm = block.evm(memory);
    evm.ctx.journaled_state.claims = Some(shared.claims);
    let mut checker = shared.checker();
    let mut transfers = Transfers::new(block, shared.claims);
    'block: while let Some(places) = shared.take() {
        for place in places {
            if shared.is_stopped.load(Ordering::Relaxed) {
                break 'block;
            }
            let position = shared.order[place] as usize;
            if let Err(failure) = run(shared, &mut evm, &mut transfers, &mut checker, position) {
                shared.fail(failure.at(position));
                break 'block;
            }
            if checker.is_full() {
                shared.take_from(&mut checker);
            }
        }
    }
    shared.take_from(&mut checker);
    evm.ctx.journaled_state.into_memory()
}

/// Runs and checks one transaction.
fn run<'b>(
    shared: &Shared<'b>,
    evm: &mut LeanEvm<'b>,
    transfers: &mut Transfers<'b>,
    checker: &mut Checker<'b>,
    position: usize,
) -> Result<(), Failure> {
    let block = shared.block;
    let started = block.timeline.as_ref().map(Timeline::now);
    let note = |kind| {
        if let (Some(timeline), Some(started)) = (&block.timeline, started) {
            timeline.ran(position, started, kind);
        }
    };
    if transfers.run(checker, position)? {
        note(SpanKind::Native);
        checker.count_native();
        let gas_used = crate::engine::native::TRANSFER_GAS;
        let _ = shared.executed[position].set(Executed { success: true, gas_used, logs: Vec::new() });
        return Ok(());
    }
    let env = TxEnv::from_recovered_tx(&block.block.transactions()[position], block.block.senders()[position]);
    let index = position as u32 + 1;
    let result = evm::run(evm, env, index, false).map_err(|error| match error {
        EVMError::Database(error) => Failure::from(error),
        error => Failure::doubt(error.to_string()),
    })?;
    let journal = &mut evm.ctx.journaled_state;
    checker.transaction(&mut journal.view, journal.fee, index)?;
    let (success, gas_used) = (result.is_success(), result.tx_gas_used());
    if block.keep_records {
        let mut record = Box::<TransactionRecord>::default();
        record.capture(journal);
        (record.success, record.gas_used) = (success, gas_used);
        block.slots[position].put_record(record);
    }
    let logs = match result {
        ExecutionResult::Success { logs, .. }
        | ExecutionResult::Revert { logs, .. }
        | ExecutionResult::Halt { logs, .. } => logs,
    };
    let _ = shared.executed[position].set(Executed { success, gas_used, logs });
    note(SpanKind::Ahead);
    Ok(())
}
