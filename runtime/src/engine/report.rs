//! What happened inside: which path a block took, and how its schedule went.

use super::{ledger::Counters, plan::PlanSummary};
use crate::{AccessKey, predict::PredictionScore};
use alloy_primitives::{Address, U256};

/// Which path decided the outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Path {
    /// Stock revm, as asked for or because the fork needs it.
    #[default]
    Serial,
    /// The engine.
    Parallel,
    /// The engine met something that it could not explain, and stock revm decided.
    Fallback(String),
}

/// How the schedule of a block went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleReport {
    /// Which path decided the outcome.
    pub path: Path,
    /// Threads at work.
    pub threads: usize,
    /// Plain transfers done without the EVM.
    pub native: u32,
    /// Executions along a recorded path ([`crate::paths`]), without the interpreter. One that was found wrong and repeated counts twice.
    pub replayed: u32,
    /// Transactions that ran on the EVM at their turn only.
    pub ordered: u32,
    /// Transactions that ran ahead of their turn and were found valid.
    pub ahead: u32,
    /// Transactions that ran ahead of their turn and had to run again.
    pub re_executions: u32,
    /// Independent starting points among the transactions that ran ahead.
    pub groups: u32,
    /// Predicted gas of the longest chain.
    pub critical_path_gas: u64,
    /// Predicted gas of everything that could run ahead.
    pub planned_gas: u64,
    /// Transactions for which nothing was predicted.
    pub unknown: u32,
    /// When each transaction ran and how good the prediction was, if [`Outputs::report`](crate::Outputs::report) asked for it.
    pub timings: Option<Box<Timings>>,
}

/// Why a worker ran a transaction when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// On the EVM, ahead of its turn.
    Ahead,
    /// On the EVM at its turn, after an execution ahead that came to nothing.
    Retry,
    /// On the EVM at its turn.
    Ordered,
    /// At its turn, without the EVM.
    Native,
}

/// One execution of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The thread: 0 is the caller's own.
    pub worker: u32,
    /// Index of the transaction in the block.
    pub transaction: u32,
    /// Start, in nanoseconds since the first transaction could start.
    pub start_ns: u64,
    /// End, likewise.
    pub end_ns: u64,
    /// Why it ran.
    pub kind: SpanKind,
}

/// What a thread did, apart from what [`Span`]s tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkKind {
    /// The list was made ready and the system calls before the first transaction were run.
    Before,
    /// A batch of transactions was planned.
    Plan,
    /// A transaction was run ahead of its turn, and its slots published.
    Ahead,
    /// A transaction that had run ahead was found valid and committed.
    Commit,
    /// A transaction was run and committed at its turn.
    Turn,
    /// The same, after an execution ahead that came to nothing.
    Retry,
    /// Accounts of plain transfers were looked up.
    Gather,
    /// Plain transfers were applied, account by account.
    Apply,
    /// System calls after the last transaction, rewards, withdrawals; what is left of an exact list is checked.
    After,
    /// The merged state change was made.
    Fold,
    /// The state was emptied for the next block.
    Clear,
}

/// A stretch of work of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// What was done.
    pub kind: WorkKind,
    /// The thread: 0 is the caller's own.
    pub worker: u32,
    /// Index of the first transaction that it was for.
    pub first: u32,
    /// Number of transactions that it was for; accounts and slots where the state was folded.
    pub count: u32,
    /// Start, in nanoseconds since the first transaction could start; 0 for what comes before and after all transactions.
    pub start_ns: u64,
    /// How long it took (ns).
    pub nanos: u64,
}

/// A storage slot that several transactions of the block used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HotSlot {
    /// Owner of the slot.
    pub address: Address,
    /// Slot number.
    pub slot: U256,
    /// Transactions that touched it.
    pub transactions: u32,
    /// Transactions that changed it.
    pub writers: u32,
    /// Transactions that touched it after another one had changed it.
    pub conflicts: u32,
}

/// A transaction of which other slots were predicted than it touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misprediction {
    /// Index of the transaction in the block.
    pub transaction: u32,
    /// Its recipient; `None` for a creation.
    pub to: Option<Address>,
    /// Whether there was a template for it. Without one nothing could be predicted.
    pub known: bool,
    /// Touched, not predicted.
    pub missed: Vec<AccessKey>,
    /// Predicted, not touched.
    pub superfluous: Vec<AccessKey>,
}

/// The timeline of a block, and its predictions held against what was really accessed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the start of the first worker until all transactions were committed, in nanoseconds.
    pub wall_ns: u64,
    /// Every execution, by worker and start.
    pub spans: Vec<Span>,
    /// What the threads did, in the order in which it was finished.
    pub work: Vec<Work>,
    /// The most contended slots, most contended first.
    pub hot_slots: Vec<HotSlot>,
    /// Transactions for which the predictor was asked. Plain transfers, creations of accounts by authorisation (EIP-7702) and whatever
    /// runs at its turn anyway need no prediction.
    pub predicted: u32,
    /// All predictions as they were when the transactions were planned, before the block's own transactions could teach anything about themselves.
    pub score: PredictionScore,
    /// Transactions with a wrong prediction, in block order.
    pub mispredictions: Vec<Misprediction>,
}

impl ScheduleReport {
    pub(crate) fn new(threads: usize, counters: Counters, plan: PlanSummary) -> Self {
        Self {
            path: Path::Parallel,
            threads,
            native: counters.native,
            replayed: 0,
            ordered: counters.ordered,
            ahead: counters.ahead,
            re_executions: counters.retried + counters.abandoned,
            groups: plan.groups,
            critical_path_gas: plan.critical_path_gas,
            planned_gas: plan.total_gas,
            unknown: plan.unknown,
            timings: None,
        }
    }
}
