//! Executing a block whose access list (EIP-7928) was supplied: every transaction at once, in no order.
//!
//! The proof is an induction. Let every step of the block run on what the list claims for the time before it, and let every step
//! be found to do exactly what the list claims at its index: no key accessed that is not listed, no change that is not listed, every change with the
//! value listed. Then what the first step read was the parent state, which is true; so what it left is true, and that is what the
//! list claims for the time before the second; and so on. Hence nothing has to be compared in order, and each worker checks a transaction ([`check`])
//! as soon as it has run it ([`run`]; plain transfers do not need the EVM: [`transfer`]). [`step`] does the same for what comes before the first and after
//! the last transaction. Whether the list claims something beyond what happened is a matter of counting. The block's merged change is then what
//! the list says ([`diff`]).
//!
//! What a list cannot say is whether an account exists that has neither balance nor nonce nor code. Before Spurious Dragon that
//! makes a difference, and later where such an account is left over from then and the block changes it: these blocks go the way of [`super::exact`].
//! One that is left over and only touched (a precompile, mostly) is deleted, and nobody can tell when.

mod check;
mod diff;
mod run;
mod step;
mod transfer;

use super::{
    Doubt, Engine, Mode, blob_gas_used,
    block_context::{BlockContext, Kept},
    ledger::Counters,
    native::{self},
    plan::PlanSummary,
    read_ahead::ReadAhead,
    report::{ScheduleReport, WorkKind},
    slots::TransactionSlot,
    timeline::{self, Timeline},
};
use crate::{
    BlockOutcome, ChainSpec, Outputs, Receipt, RecoveredBlock, block_hooks,
    evm::WorkerMemory,
    state::{BlockState, Claims, Snapshot, SnapshotError},
};
use alloy_consensus::Transaction as _;
use alloy_eip7928::BlockAccessList;
use check::Checker;
use revm::{DatabaseRef, context::Cfg, primitives::hardfork::SpecId};
use run::{Executed, Shared};
use std::{sync::OnceLock, time::Instant};
use step::Step;

/// Why a block was not executed on its list.
pub(super) enum Failure {
    /// The list may be right, but cannot tell enough.
    Unsuited,
    /// The list is wrong, or the block is, or something happened that cannot be explained.
    Doubt(Doubt),
}

impl Failure {
    fn wrong(what: String) -> Self {
        Self::Doubt(Doubt(format!("the supplied access list is wrong: {what}")))
    }

    fn doubt(what: impl Into<String>) -> Self {
        Self::Doubt(Doubt(what.into()))
    }

    /// The same, for the transaction at `position`.
    fn at(self, position: usize) -> Self {
        match self {
            Self::Doubt(Doubt(what)) => Self::Doubt(Doubt(format!("transaction {position}: {what}"))),
            Self::Unsuited => Self::Unsuited,
        }
    }
}

impl From<Doubt> for Failure {
    fn from(doubt: Doubt) -> Self {
        Self::Doubt(doubt)
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        Self::Doubt(error.into())
    }
}

/// Whether the state of blocks of this fork can be told by a list.
pub(super) const fn is_suited(spec: SpecId) -> bool {
    spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
}

impl Engine {
    /// Executes a block on its own access list.
    pub(super) fn execute_claimed<S: DatabaseRef + Sync>(
        &mut self,
        parent: &S,
        state: &BlockState,
        block: &RecoveredBlock,
        spec: &ChainSpec,
        list: &BlockAccessList,
        outputs: Outputs,
    ) -> Result<BlockOutcome, Failure> {
        let snapshot: &dyn Snapshot = parent;
        let env = spec.evm_env(block.header());
        let spec_id = *env.spec_id();
        let count = block.transactions().len();
        let last = count as u32 + 1;
        let threads = self.config.threads.max(1);
        // A block that is still being built does not know yet.
        let limits = || block.transactions().iter().map(|tx| tx.gas_limit()).fold(0, u64::saturating_add);
        let gas_used = Some(block.header().gas_used).filter(|used| *used > 0).unwrap_or_else(limits);
        let nanos = self.pace.nanos(gas_used);
        self.memories.resize_with(threads.max(self.memories.len()), || None);
        let mut slots = std::mem::take(&mut self.slots);
        if outputs.report {
            slots.resize_with(count.max(slots.len()), TransactionSlot::default);
            slots.iter().for_each(TransactionSlot::forget_record);
        }
        let mut memories = std::mem::take(&mut self.memories);
        let kept = Kept {
            hashes: self.hashes.clone(),
            paths: self.paths.clone(),
            precompile_cache: self.precompile_cache.clone(),
            slots,
            records: &self.records,
            pace: self.pace,
            lessons: &self.lessons,
        };
        let pays = nanos >= self.config.min_parallel_nanos || self.config.mode == Mode::Forced;
        let pool = self.pool.as_ref().filter(|_| count > 1 && pays);

        // All of this is made while the other threads wake up.
        let (claims, context, shared) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let prepare = || -> Result<Shared<'_>, Failure> {
            let wrong = || Failure::doubt("the supplied access list is not in order");
            let claims = claims.get_or_init(|| Claims::new(list, last)).as_ref().ok_or_else(wrong)?;
            let beneficiary = state.account(snapshot, env.block_env.beneficiary)?;
            let context = context.get_or_init(|| BlockContext {
                keep_records: outputs.report,
                timeline: (outputs.report || self.config.clock).then(|| Timeline::start(outputs.report)),
                is_exact: true,
                ..BlockContext::new(snapshot, state, block, &env, beneficiary, kept)
            });
            Ok(Shared::new(context, claims, threads))
        };
        let (started, prepared) = (Instant::now(), OnceLock::new());
        let before = |shared: &Shared<'_>| {
            let mut step = Step::new(snapshot, state, shared.claims, 0, spec_id);
            block_hooks::pre_execution(&mut step, env.clone(), block, spec).map_err(Doubt::from)?;
            let mut checker = shared.checker();
            step.finish(&mut checker)?;
            shared.take_from(&mut checker);
            let _ = prepared.set(started.elapsed());
            Ok(())
        };
        let started = Instant::now();
        let run = || run_all(&shared, pool, &mut memories, prepare, before);
        match &self.readers {
            Some(readers) => ReadAhead::of_list(snapshot, state, list).during(readers, run),
            None => run(),
        }
        let time = started.elapsed();
        let began = Instant::now();
        self.memories = memories;
        let (executed, mut found) =
            shared.into_inner().unwrap_or_else(|| unreachable!("set by `run_all`"))?.finish()?;
        let (Some(Some(claims)), Some(context)) = (claims.get(), context.into_inner()) else {
            unreachable!("`prepare` was successful")
        };
        let gas: u64 = executed.iter().map(|executed| executed.gas_used).sum();
        self.pace.measured(gas - native::TRANSFER_GAS * u64::from(found.native), time, pool.is_some());
        let longest = executed.iter().map(|executed| executed.gas_used).max().unwrap_or(0);
        let receipts = receipts(executed, block, context.cfg.tx_gas_limit_cap(), env.block_env.gas_limit)?;

        let mut step = Step::new(snapshot, state, claims, last, spec_id);
        let requests =
            block_hooks::post_execution(&mut step, env.clone(), block, spec, &receipts).map_err(Doubt::from)?;
        let mut checker = Checker::new(claims, state, snapshot, context.beneficiary);
        step.finish(&mut checker)?;
        found.take_from(&mut checker);
        if found.totals != claims.totals() {
            return Err(Failure::wrong(format!("it has {:?}, the block {:?}", claims.totals(), found.totals)));
        }
        let diff = if found.wipes { diff::state_diff(state, claims) } else { found.diff };
        let counters = Counters { native: found.native, ahead: count as u32 - found.native, ..Counters::default() };
        let plan =
            PlanSummary { groups: counters.ahead, critical_path_gas: longest, total_gas: gas, ..Default::default() };
        let BlockContext { slots, timeline, .. } = context;
        // Without a report there are no records to look at.
        let recorded = if outputs.report { count } else { 0 };
        let mut timings = timeline.map(|timeline| Box::new(timeline.finish(&slots[..recorded], block)));
        if let Some(timings) = &mut timings {
            timings.work.push(timeline::apart(WorkKind::Before, count, prepared.get().copied().unwrap_or_default()));
            timings.work.push(timeline::apart(WorkKind::After, count, began.elapsed()));
        }
        self.slots = slots;
        Ok(BlockOutcome {
            receipts,
            gas_used: gas,
            blob_gas_used: blob_gas_used(block, spec_id),
            requests,
            bundle: outputs.bundle.then(|| diff.to_bundle(parent)).transpose().map_err(SnapshotError::new)?,
            diff,
            access_list: outputs.access_list.then(|| list.clone()),
            report: ScheduleReport { timings, ..ScheduleReport::new(threads, counters, plan) },
        })
    }
}

/// Prepares the block, then runs all transactions and, on this thread, what comes `before` them.
fn run_all<'b>(
    shared: &OnceLock<Result<Shared<'b>, Failure>>,
    pool: Option<&rayon::ThreadPool>,
    memories: &mut [Option<WorkerMemory>],
    prepare: impl FnOnce() -> Result<Shared<'b>, Failure>,
    before: impl FnOnce(&Shared<'b>) -> Result<(), Failure>,
) {
    let Some((own, others)) = memories.split_first_mut() else { return };
    let run_here = || {
        let guard = ReleaseOnPanic(shared);
        let Ok(shared) = shared.get_or_init(prepare) else { return };
        drop(guard);
        if let Err(failure) = before(shared) {
            shared.fail(failure);
        }
        run_worker(shared, own);
    };
    match pool {
        None => run_here(),
        Some(pool) => pool.in_place_scope(|scope| {
            for memory in others.iter_mut().take(pool.current_num_threads()) {
                scope.spawn(move |_| {
                    if let Ok(shared) = shared.wait() {
                        run_worker(shared, memory);
                    }
                });
            }
            run_here();
        }),
    }
}

/// Lets the other threads go if the one that prepares panics.
struct ReleaseOnPanic<'a, 'b>(&'a OnceLock<Result<Shared<'b>, Failure>>);

impl Drop for ReleaseOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.set(Err(Failure::Unsuited));
        }
    }
}

fn run_worker(shared: &Shared<'_>, memory: &mut Option<WorkerMemory>) {
    let own = memory.take().unwrap_or_else(|| shared.new_memory());
    *memory = Some(run::work(shared, own));
}

/// The receipts, if every transaction fitted into the block when its turn came.
fn receipts(
    executed: Vec<Executed>,
    block: &RecoveredBlock,
    cap: u64,
    gas_limit: u64,
) -> Result<Vec<Receipt>, Failure> {
    let mut cumulative_gas_used = 0_u64;
    let mut receipts = Vec::with_capacity(executed.len());
    for (position, (executed, tx)) in executed.into_iter().zip(block.transactions()).enumerate() {
        if gas_limit.checked_sub(cumulative_gas_used).is_none_or(|available| tx.gas_limit().min(cap) > available) {
            return Err(Failure::doubt(format!("transaction {position} does not fit into the block")));
        }
        cumulative_gas_used += executed.gas_used;
        receipts.push(Receipt {
            tx_type: tx.tx_type(),
            success: executed.success,
            cumulative_gas_used,
            logs: executed.logs,
        });
    }
    Ok(receipts)
}
