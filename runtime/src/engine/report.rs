//! What happened inside: which path a block took, and how its schedule went.

use super::{ledger::Counters, plan::PlanSummary};

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
}

impl ScheduleReport {
    pub(crate) fn new(threads: usize, counters: Counters, plan: PlanSummary) -> Self {
        Self {
            path: Path::Parallel,
            threads,
            native: counters.native,
            ordered: counters.ordered,
            ahead: counters.ahead,
            re_executions: counters.retried + counters.abandoned,
            groups: plan.groups,
            critical_path_gas: plan.critical_path_gas,
            planned_gas: plan.total_gas,
            unknown: plan.unknown,
        }
    }
}
