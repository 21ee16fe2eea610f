//! The parallel engine.
//!
//! Read [`Engine::execute_block`] first. One block goes this way: system calls; then every thread runs [`worker`]'s loop, in which transactions are planned
//! ([`plan`]), run ahead of their turn when that pays, and committed in order ([`ledger`]); then rewards, withdrawals and requests; then the committed
//! state is folded into the outcome ([`collect`]). What a transaction leaves behind is a [`record`]; whether it may count is decided by
//! [`record::TransactionRecord::holds`] alone, when all transactions before it are final. Everything else (predictions, edges, priorities) only decides
//! how soon that happens.
//!
//! A block that comes with its own access list goes another way, without any order: [`claimed`].
//!
//! If anything happens that cannot be explained (a transaction that looks invalid, a read that fails, a broken invariant), the block is executed
//! anew by the serial oracle, and its word counts.

mod apply;
mod block_context;
mod claimed;
mod collect;
mod config;
mod everybody;
mod exact;
mod ledger;
mod lessons;
mod native;
mod ordered_database;
mod pace;
mod parted_vec;
mod plan;
mod queue;
mod read_ahead;
mod record;
mod records;
mod reliability;
mod report;
mod slots;
mod step;
mod stretches;
mod timeline;
mod transfer_block;
mod transfer_run;
mod worker;

pub use config::{AccessHints, EngineConfig, Learning, Mode};
pub use report::{HotSlot, Misprediction, Path, ScheduleReport, Span, SpanKind, Timings, Work, WorkKind};

use crate::{
    BlockError, BlockOutcome, ChainSpec, InvalidBlock, Outputs, RecoveredBlock,
    access_list::AccessListBuilder,
    block_hooks,
    evm::WorkerMemory,
    oracle,
    paths::Paths,
    predict::{Predictor, PredictorConfig, SharedHashes},
    state::{BlockState, Snapshot, SnapshotError},
};
use block_context::{BlockContext, Kept};
use braid_precompiles::{PrecompileCache, PrecompileCacheConfig};
use claimed::Failure;
use exact::{ExactList, ListCheck};
use ledger::Stop;
use lessons::Lessons;
use ordered_database::OrderedDatabase;
use pace::Pace;
use parking_lot::RwLock;
use plan::Planner;
use read_ahead::{ReadAhead, ReaderMemories};
use records::RecordPool;
use revm::{DatabaseRef, primitives::hardfork::SpecId};
use slots::TransactionSlot;
use std::{sync::Arc, time::Instant};
use stretches::TransferMemory;
use timeline::Timeline;
use worker::Shared;

/// Executes blocks. It keeps threads, memory and what it has learned from block to block; none of that changes results.
pub struct Engine {
    config: EngineConfig,
    pool: Option<rayon::ThreadPool>,
    /// Threads that read ahead.
    readers: Option<rayon::ThreadPool>,
    reader_memories: ReaderMemories,
    predictor: RwLock<Predictor>,
    state: Option<BlockState>,
    /// One for each thread; making one costs more than a small block does.
    memories: Vec<Option<WorkerMemory>>,
    slots: Vec<TransactionSlot>,
    records: RecordPool,
    transfers: TransferMemory,
    pace: Pace,
    lessons: Lessons,
    /// Hashes that the planner has computed for its predictions.
    hashes: Option<Arc<SharedHashes>>,
    paths: Option<Arc<Paths>>,
    /// The paths that the engine was given.
    given_paths: Paths,
    planner: Option<Planner>,
    precompile_cache: Option<Arc<PrecompileCache>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The engine could not start its threads.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} worker threads")]
pub struct EngineError {
    threads: usize,
    source: rayon::ThreadPoolBuildError,
}

impl Engine {
    /// An engine with its own threads and an empty predictor.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let start = |threads: usize, name: &'static str| {
            let builder = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(move |index| format!("braid-{name}-{index}"));
            let started = (threads > 0).then(|| builder.build()).transpose();
            started.map_err(|source| EngineError { threads, source })
        };
        let pool = start(config.threads.saturating_sub(1), "worker")?;
        let readers = start(config.readers, "reader")?;
        Ok(Self {
            pool,
            readers,
            reader_memories: ReaderMemories::default(),
            predictor: RwLock::new(Predictor::new(PredictorConfig::default())),
            state: None,
            memories: Vec::new(),
            paths: config.record_after().map(|after| Arc::new(Paths::new(after))),
            given_paths: Paths::default(),
            hashes: (config.predicts() || config.readers > 0).then(Arc::default),
            planner: None,
            precompile_cache: new_precompile_cache(&config),
            config,
            slots: Vec::new(),
            records: RecordPool::default(),
            transfers: TransferMemory::default(),
            pace: Pace::default(),
            lessons: Lessons::default(),
        })
    }

    /// The configuration.
    pub const fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// What was learned so far.
    pub fn predictor(&mut self) -> &mut Predictor {
        self.predictor.get_mut()
    }

    /// Replaces what was learned, and drops recordings that were not learned from yet, and all paths.
    pub fn set_predictor(&mut self, predictor: Predictor) {
        self.predictor = RwLock::new(predictor);
        self.lessons.clear();
        self.set_paths(Paths::default());
    }

    /// The paths that were recorded so far; `None` when the engine records none.
    pub fn paths(&self) -> Option<&Paths> {
        self.paths.as_deref()
    }

    /// Replaces the paths. An engine without paths stays without.
    pub fn set_paths(&mut self, paths: Paths) {
        self.given_paths = paths;
        self.reset_paths();
    }

    /// Goes back to the paths that were given.
    fn reset_paths(&mut self) {
        if let Some(record_after) = self.config.record_after() {
            let paths = Arc::new(self.given_paths.clone().recording_after(record_after));
            for memory in self.memories.iter_mut().flatten() {
                memory.paths.replace(Arc::clone(&paths));
            }
            self.paths = Some(paths);
        }
    }

    /// Learns from the transactions that were recorded since the last time ([`Learning::BetweenBlocks`]). Call it when there is time: it takes
    /// about as long as executing them did. Recordings of more than a few blocks are not kept.
    pub fn learn(&mut self) {
        self.lessons.learn(self.predictor.get_mut());
    }

    /// Forgets all results of precompiles and hash functions and the paths that were recorded since some were given, so that a repeated run of a
    /// block finds none of its own, and drops recordings that were not learned from yet.
    pub fn forget_results(&mut self) {
        self.lessons.clear();
        self.reset_paths();
        if self.precompile_cache.as_ref().is_some_and(|cache| cache.stats().entries > 0) {
            self.precompile_cache = new_precompile_cache(&self.config);
        }
        if let Some(hashes) = &self.hashes {
            hashes.clear();
        }
        self.memories.iter_mut().flatten().for_each(|memory| memory.keccak.clear());
        self.reader_memories.forget_hashes();
        if let Some(planner) = &mut self.planner {
            planner.forget_hashes();
        }
    }

    /// Executes a block on its parent state. The outcome is that of serial execution, whatever the configuration.
    ///
    /// # Errors
    /// [`BlockError::Invalid`] is always the verdict of the serial oracle. Any other error says nothing about the block.
    pub fn execute_block<S: DatabaseRef + Sync>(
        &mut self,
        snapshot: &S,
        block: &RecoveredBlock,
        spec: &ChainSpec,
        hints: AccessHints<'_>,
        outputs: Outputs,
    ) -> Result<BlockOutcome, BlockError> {
        let is_new_fork = spec.spec_id(block.header()).is_enabled_in(SpecId::AMSTERDAM);
        if self.config.mode == Mode::Serial || is_new_fork {
            return ask_oracle(snapshot, block, spec, hints, outputs, "it is not what the block does");
        }
        if self.lessons.len() > 4 * self.config.lessons_per_block {
            self.lessons.clear();
        }
        let mut state = self.state.take().unwrap_or_default();
        let claimed = match hints {
            AccessHints::Exact(list) if claimed::is_suited(spec.spec_id(block.header())) => {
                self.execute_claimed(snapshot, &state, block, spec, list, outputs)
            }
            _ => Err(Failure::Unsuited),
        };
        let outcome = match claimed {
            Ok(outcome) => Ok(outcome),
            Err(Failure::Doubt(doubt)) => Err(doubt),
            Err(Failure::Unsuited) => {
                collect::clear(&mut state, self.pool.as_ref());
                self.execute_parallel(snapshot, &state, block, spec, hints, outputs)
            }
        };
        let began = Instant::now();
        collect::clear(&mut state, self.pool.as_ref());
        self.state = Some(state);
        let mut outcome = outcome;
        if let Ok(outcome) = &mut outcome {
            outcome.report.replayed = self.paths.as_ref().map_or(0, |paths| paths.take_replayed());
        }
        if let Ok(BlockOutcome { report: ScheduleReport { timings: Some(timings), .. }, .. }) = &mut outcome {
            timings.work.push(timeline::apart(WorkKind::Clear, 0, began.elapsed()));
        }
        match outcome {
            Ok(outcome) => Ok(outcome),
            Err(Doubt(reason)) => {
                let mut outcome = ask_oracle(snapshot, block, spec, hints, outputs, &reason)?;
                outcome.report.path = Path::Fallback(reason);
                Ok(outcome)
            }
        }
    }

    fn execute_parallel<S: DatabaseRef + Sync>(
        &mut self,
        parent: &S,
        state: &BlockState,
        block: &RecoveredBlock,
        spec: &ChainSpec,
        hints: AccessHints<'_>,
        outputs: Outputs,
    ) -> Result<BlockOutcome, Doubt> {
        let snapshot: &dyn Snapshot = parent;
        let began = Instant::now();
        let env = spec.evm_env(block.header());
        let spec_id = *env.spec_id();
        let mut list = (outputs.access_list && !is_exact(hints)).then(AccessListBuilder::default);
        let mut failure = None;
        let last = block.transactions().len() as u32 + 1;
        let exact = match hints {
            AccessHints::Predicted => None,
            AccessHints::Exact(supplied) => {
                let wrong = || Doubt("the supplied access list is not in order".to_owned());
                Some(ExactList::new(supplied, last).ok_or_else(wrong)?)
            }
        };
        let mut hooks =
            |index, list: Option<&mut AccessListBuilder>, check: Option<&mut ListCheck>, run: &mut SystemStep<'_>| {
                let database =
                    OrderedDatabase { snapshot, state, index, spec: spec_id, list, check, failure: &mut failure };
                let result = run(database);
                match failure.take() {
                    Some(error) => Err(Doubt::from(error)),
                    None => result.map_err(Doubt::from),
                }
            };
        let mut check = exact.as_ref().map(ExactList::check);
        if let Some(exact) = &exact {
            // The system calls come first and read through the list too, so it has to be in the state before them.
            exact.seed(state, snapshot, self.pool.as_ref()).map_err(|error| Doubt(error.to_string()))?;
        }
        hooks(0, list.as_mut(), check.as_mut(), &mut |db| block_hooks::pre_execution(db, env.clone(), block, spec))?;

        let transactions = block.transactions().len();
        let threads = self.config.threads.max(1);
        self.memories.resize_with(threads.max(self.memories.len()), || None);
        let beneficiary = state.account(snapshot, env.block_env.beneficiary).map_err(Doubt::from)?;
        let keep_records = outputs.access_list || outputs.report || exact.is_some();
        let slots = std::mem::take(&mut self.slots);
        if keep_records {
            slots.iter().for_each(TransactionSlot::forget_record);
        }
        let kept = Kept {
            hashes: self.hashes.clone(),
            paths: self.paths.clone(),
            precompile_cache: self.precompile_cache.clone(),
            slots,
            records: &self.records,
            pace: self.pace,
            lessons: &self.lessons,
        };
        let before = began.elapsed();
        let mut shared = Shared::new(
            BlockContext {
                keep_records,
                takes_runs: !keep_records && self.config.mode != Mode::Forced,
                timeline: (outputs.report || self.config.clock).then(|| Timeline::start(outputs.report)),
                is_exact: exact.is_some(),
                ..BlockContext::new(snapshot, state, block, &env, beneficiary, kept)
            },
            &self.config,
            &self.predictor,
            self.planner.take().unwrap_or_else(|| Planner::new(self.hashes.clone())),
            check,
        );
        // A list that was supplied has been read already.
        let ahead =
            self.readers.as_ref().filter(|_| exact.is_none()).map(|readers| {
                (readers, ReadAhead::of_block(&mut shared.block, &self.predictor, &self.reader_memories))
            });
        let mut execute =
            || stretches::execute(&mut shared, self.pool.as_ref(), &mut self.transfers, &mut self.memories);
        match &ahead {
            Some((readers, ahead)) => ahead.during(readers, execute),
            None => execute(),
        }
        self.pace = shared.block.pace;
        let (slots, timeline, mut ledger, mut planner) = shared.finish();
        let plan = planner.summary;
        planner.clear();
        self.planner = Some(planner);
        if let Some(stop) = ledger.stop {
            self.slots = slots;
            return Err(match stop {
                Stop::Doubt(reason) => Doubt(reason),
                Stop::Database(error) => Doubt::from(error),
            });
        }
        if ledger.next != transactions {
            return Err(Doubt(format!("the commit ended at {} of {transactions}", ledger.next)));
        }
        if let Some(list) = &mut list {
            for slot in &slots[..transactions] {
                slot.with_record(|record| collect::list_accesses(list, record, beneficiary, spec_id));
            }
        }
        // Without a report slots may have records of another block, which point into a state that is gone.
        let recorded = if outputs.report { transactions } else { 0 };
        let mut timings = timeline.map(|timeline| Box::new(timeline.finish(&slots[..recorded], block)));
        self.slots = slots;
        let began = Instant::now();

        let mut requests = Default::default();
        let receipts = std::mem::take(&mut ledger.receipts);
        hooks(last, list.as_mut(), ledger.check.as_mut(), &mut |db| {
            requests = block_hooks::post_execution(db, env.clone(), block, spec, &receipts)?;
            Ok(())
        })?;
        if let Some(mismatch) = ledger.check.and_then(ListCheck::finish) {
            return Err(Doubt(format!("the supplied access list is wrong: {mismatch}")));
        }
        let after = began.elapsed();
        let mut diff = collect::state_diff(state, self.pool.as_ref());
        if !ledger.settled.is_empty() {
            ledger.settled.append(&mut diff.accounts);
            diff.accounts = ledger.settled;
        }
        if let Some(timings) = &mut timings {
            let (accounts, slots) = state.counts();
            let entries = accounts.iter().chain(&slots).sum();
            timings.work.extend([
                timeline::apart(WorkKind::Before, 0, before),
                timeline::apart(WorkKind::After, 0, after),
                timeline::apart(WorkKind::Fold, entries, began.elapsed() - after),
            ]);
        }
        let access_list = match hints {
            AccessHints::Exact(supplied) => outputs.access_list.then(|| supplied.clone()),
            AccessHints::Predicted => list
                .map(|list| list.finish(parent))
                .transpose()
                .map_err(|error| Doubt::from(SnapshotError::new(error)))?,
        };
        Ok(BlockOutcome {
            receipts,
            gas_used: ledger.gas_used,
            blob_gas_used: blob_gas_used(block, spec_id),
            requests,
            bundle: outputs
                .bundle
                .then(|| diff.to_bundle(parent))
                .transpose()
                .map_err(|error| Doubt::from(SnapshotError::new(error)))?,
            diff,
            access_list,
            report: ScheduleReport { timings, ..ScheduleReport::new(threads, ledger.counters, plan) },
        })
    }
}

fn new_precompile_cache(config: &EngineConfig) -> Option<Arc<PrecompileCache>> {
    let capacity_bytes = config.precompile_cache_bytes;
    let bounds = PrecompileCacheConfig { capacity_bytes, ..Default::default() };
    (capacity_bytes > 0).then(|| Arc::new(PrecompileCache::new(bounds)))
}

/// Blob gas of the block's transactions (EIP-4844).
fn blob_gas_used(block: &RecoveredBlock, spec: SpecId) -> u64 {
    if !spec.is_enabled_in(SpecId::CANCUN) {
        return 0;
    }
    block.transactions().iter().filter_map(alloy_consensus::Transaction::blob_gas_used).sum()
}

/// A step before the first or after the last transaction.
type SystemStep<'a> = dyn FnMut(OrderedDatabase<'_>) -> Result<(), BlockError> + 'a;

/// Executes the block serially. A supplied list has to be what serial execution accessed; `reason` tells why one that is not was doubted.
fn ask_oracle<S: DatabaseRef + Sync>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    hints: AccessHints<'_>,
    outputs: Outputs,
    reason: &str,
) -> Result<BlockOutcome, BlockError> {
    let wanted = Outputs { access_list: outputs.access_list || is_exact(hints), ..outputs };
    let mut outcome = oracle::execute_serial(snapshot, block, spec, wanted)?;
    if let AccessHints::Exact(list) = hints
        && outcome.access_list.as_ref() != Some(list)
    {
        return Err(InvalidBlock::AccessList(reason.to_owned()).into());
    }
    if !outputs.access_list {
        outcome.access_list = None;
    }
    Ok(outcome)
}

const fn is_exact(hints: AccessHints<'_>) -> bool {
    matches!(hints, AccessHints::Exact(_))
}

/// Why the engine did not bring the block to an end, in words. The oracle decides then. That goes for failed reads too: the engine may
/// have asked the parent state for something that the block does not need.
struct Doubt(String);

impl From<SnapshotError> for Doubt {
    fn from(error: SnapshotError) -> Self {
        Self(error.to_string())
    }
}

impl From<BlockError> for Doubt {
    fn from(error: BlockError) -> Self {
        Self(error.to_string())
    }
}
