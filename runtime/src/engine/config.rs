//! How the engine runs. Everything that may change speed is here, nothing here may change results.

use alloy_eip7928::BlockAccessList;

/// Which path executes a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Stock revm, one transaction after the other: the oracle that everything else is compared with.
    Serial,
    /// The engine decides, transaction by transaction, what may run ahead of the commit.
    #[default]
    Parallel,
    /// Everything that can run ahead does, whether it pays or not: for tests.
    Forced,
}

/// When the engine learns from what it executes.
///
/// Learning from one transaction costs about as much as executing it, so it pays off over many blocks, not within one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Learning {
    /// Never.
    Off,
    /// Transactions that teach something are recorded; [`Engine::learn`](super::Engine::learn) learns from them whenever the caller has
    /// time.
    #[default]
    BetweenBlocks,
    /// As soon as the next transactions are planned.
    WithinBlocks,
}

/// Configuration of an [`Engine`](super::Engine).
#[derive(Clone, Debug, PartialEq)]
pub struct EngineConfig {
    /// Threads that execute, the caller's included; at least one.
    pub threads: usize,
    /// Which path executes a block.
    pub mode: Mode,
    /// Least speed-up that the plan of a batch must promise before anything in it runs ahead of the commit.
    pub min_parallelism: f64,
    /// Least estimated time of what can run ahead in a block, in nanoseconds, before other threads are woken for it: waking one takes some
    /// 50,000 ns.
    pub min_parallel_nanos: u64,
    /// Transactions planned at a time, at most.
    pub batch: usize,
    /// Unknown transactions after which a batch ends if the engine learns within blocks, so that what they teach serves the next one.
    pub unknown_per_batch: usize,
    /// Threads from which on all predicted dependencies order the transactions. Below, a transaction can only miss what runs beside it, which is
    /// cheaper to run again now and then than to foretell each time; only slots in which transactions often meet are foretold.
    pub predict_from_threads: usize,
    /// Order calls of contracts that nothing is known about as if they met in some slot. Without it such transactions start at once, and the
    /// few that did meet run again: on few threads that is quicker, since a transaction can only miss what runs beside it.
    pub order_unknown: bool,
    /// Part of the executions ahead that may turn out wrong before the engine holds back.
    pub max_retry_share: f64,
    /// When the engine learns.
    pub learning: Learning,
    /// Calls of a function by transactions that the interpreter runs before it is recorded, to be replayed without the interpreter from then on
    /// ([`crate::paths`]); zero for never. A recording takes as long as some twenty executions, so it pays for functions that will be
    /// called that often again.
    pub record_after: u32,
    /// Transactions recorded for learning in one block, at most.
    pub lessons_per_block: usize,
    /// Note when each part of a block ran, in every block: [`ScheduleReport::timings`](super::ScheduleReport::timings) then has spans and work, but
    /// nothing about predictions unless a report was asked for. It costs some 50 ns a transaction.
    pub clock: bool,
    /// Bytes of the shared cache of precompile results; zero turns it off.
    pub precompile_cache_bytes: usize,
    /// Threads that read ahead what transactions will touch, beside those that execute; zero for none. For parent states on a disk: a reader
    /// spends its time waiting, so there may be many more of them than cores. A state in memory gains nothing from it.
    pub readers: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            threads: 1,
            mode: Mode::default(),
            min_parallelism: 1.15,
            min_parallel_nanos: 300_000,
            batch: 256,
            unknown_per_batch: 16,
            predict_from_threads: 3,
            order_unknown: false,
            max_retry_share: 0.3,
            learning: Learning::default(),
            record_after: 24,
            lessons_per_block: 128,
            clock: false,
            precompile_cache_bytes: 16 << 20,
            readers: 0,
        }
    }
}

impl EngineConfig {
    /// Whether there is anything to be learned for: with one thread and nobody who reads ahead nothing is ever foretold.
    pub fn uses_predictions(&self) -> bool {
        self.threads > 1 || self.readers > 0 || self.predicts()
    }

    /// Runs of a function before it is recorded, if there are paths at all. Whoever forces everything wants to see them.
    pub(crate) fn record_after(&self) -> Option<u32> {
        let runs = if self.mode == Mode::Forced { self.record_after.min(1) } else { self.record_after };
        (runs > 0).then_some(runs)
    }

    /// Whether the planner predicts everything that transactions access, not only where they often meet.
    pub(crate) fn predicts(&self) -> bool {
        self.threads >= self.predict_from_threads || self.mode == Mode::Forced
    }
}

/// What is known about a block's accesses before it runs.
#[derive(Clone, Copy, Debug, Default)]
pub enum AccessHints<'a> {
    /// Nothing but what the predictor says.
    #[default]
    Predicted,
    /// The block's own access list (EIP-7928). It is checked: a list that is false in any point is reported as
    /// [`InvalidBlock::AccessList`](crate::error::InvalidBlock).
    Exact(&'a BlockAccessList),
}
