//! What the parts of a block cost, from runs of the engine with its clock on.
//!
//! One thread at its turn gives what a transaction takes there, and what planning, folding and everything else around the transactions takes; one thread
//! that is forced to run everything ahead gives executions ahead, their commits, and planning with predictions; two threads give planning without them and
//! what it adds to a commit that the record lies in another core's cache. Each cost is the first quartile of several
//! runs, which is what it takes when nobody else wants the cores.

use super::{machine_costs::quartile, planning::Class, validate::PAUSE};
use crate::{
    engine::{Learned, spec_of, teach},
    side::SideError,
    workload::Case,
};
use alloy_eip7928::BlockAccessList;
use braid_runtime::{
    AccessHints, Engine, EngineConfig, Mode, Outputs,
    engine::{Learning, SpanKind, Timings, WorkKind},
};
use std::{thread::sleep, time::Instant};

/// Runs before the first that counts.
const WARM_UP: usize = 2;

/// A run of plain transfers that the engine treats as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferRun {
    /// First transaction.
    pub first: usize,
    /// Transactions.
    pub count: usize,
    /// To take it apart (ns).
    pub gather: u64,
    /// To apply it (ns).
    pub apply: u64,
}

/// Costs of a block on one core, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct BlockCosts {
    /// How each transaction runs if nothing holds it back.
    pub classes: Vec<Class>,
    /// Each run and committed at its turn; 0 in runs of transfers.
    pub turns: Vec<u64>,
    /// Before the first transaction.
    pub before: u64,
    /// After the last.
    pub after: u64,
    /// Folding the state.
    pub fold: u64,
    /// Accounts and slots in it.
    pub entries: usize,
    /// Emptying it.
    pub clear: u64,
    /// Everything else.
    pub rest: u64,
    /// Planning a transaction that runs at its turn.
    pub plan_turn: f64,
    /// Runs of plain transfers.
    pub runs: Vec<TransferRun>,
}

/// Costs of running ahead, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct AheadCosts {
    /// Each run ahead.
    pub ahead: Vec<u64>,
    /// Each validated and committed.
    pub commits: Vec<u64>,
    /// Planning one of those that run ahead, with prediction.
    pub plan_predicted: f64,
}

/// Costs of a block with its exact list, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct ExactCosts {
    /// Each run and checked.
    pub each: Vec<u64>,
    /// Before the first and after the last transaction, and everything else.
    pub before: u64,
    /// After the last transaction.
    pub after: u64,
    /// Everything else.
    pub rest: u64,
}

/// An engine whose runs are clocked.
struct Clocked<'a> {
    engine: Engine,
    case: &'a Case,
    list: Option<&'a BlockAccessList>,
}

/// One clocked run: its wall time (ns) and what was noted.
type Noted = (u64, Timings);

impl<'a> Clocked<'a> {
    fn new(
        case: &'a Case,
        config: EngineConfig,
        learned: Option<&Learned>,
        list: Option<&'a BlockAccessList>,
    ) -> Result<Self, SideError> {
        let failed =
            |error: Box<dyn std::error::Error + Send + Sync>| SideError::Transaction { index: 0, source: error };
        let config = EngineConfig { learning: Learning::Off, clock: true, ..config };
        let mut engine = Engine::new(config).map_err(|error| failed(error.to_string().into()))?;
        teach(&mut engine, learned)?;
        Ok(Self { engine, case, list })
    }

    fn run(&mut self, outputs: Outputs) -> Result<Noted, SideError> {
        self.engine.forget_results();
        sleep(PAUSE);
        let (case, spec) = (self.case, spec_of(&self.case.chain));
        let hints = self.list.map_or(AccessHints::Predicted, AccessHints::Exact);
        let started = Instant::now();
        let outcome = self.engine.execute_block(&*case.snapshot, &case.block, &spec, hints, outputs)?;
        let wall = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok((wall, outcome.report.timings.map(|timings| *timings).unwrap_or_default()))
    }

    fn runs(&mut self, count: usize) -> Result<Vec<Noted>, SideError> {
        for _ in 0..WARM_UP {
            self.run(Outputs::default())?;
        }
        (0..count).map(|_| self.run(Outputs::default())).collect()
    }
}

/// Of each transaction, the first quartile of what the runs noted; `None` where nothing was.
fn each(runs: &[Noted], count: usize, of: impl Fn(&Timings) -> Vec<(u32, u64)>) -> Vec<Option<u64>> {
    let mut samples = vec![Vec::with_capacity(runs.len()); count];
    for (_, timings) in runs {
        of(timings).into_iter().for_each(|(position, nanos)| samples[position as usize].push(nanos));
    }
    samples.into_iter().map(|sample| (!sample.is_empty()).then(|| quartile(sample))).collect()
}

fn by_work(kinds: &[WorkKind]) -> impl Fn(&Timings) -> Vec<(u32, u64)> {
    move |timings| {
        let wanted = timings.work.iter().filter(|work| kinds.contains(&work.kind));
        wanted.map(|work| (work.first, work.nanos)).collect()
    }
}

/// First quartile over the runs of the sum of a kind of work.
fn total(runs: &[Noted], kind: WorkKind) -> u64 {
    let of =
        |timings: &Timings| timings.work.iter().filter(|work| work.kind == kind).map(|work| work.nanos).sum::<u64>();
    quartile(runs.iter().map(|(_, timings)| of(timings)).collect())
}

/// Nothing may be missing: where no run noted anything, a typical one stands in.
fn filled(costs: Vec<Option<u64>>) -> Vec<u64> {
    let typical = quartile(costs.iter().flatten().copied().collect());
    costs.into_iter().map(|cost| cost.unwrap_or(typical)).collect()
}

/// Transactions, and nanoseconds of each, that the plans of the runs were for.
fn planning(runs: &[Noted]) -> f64 {
    let count: u32 = runs
        .iter()
        .flat_map(|(_, timings)| &timings.work)
        .filter(|work| work.kind == WorkKind::Plan)
        .map(|work| work.count)
        .max()
        .unwrap_or(0);
    let per = |(_, timings): &Noted| {
        let plans = || timings.work.iter().filter(|work| work.kind == WorkKind::Plan);
        let transactions: u32 = plans().map(|work| work.count).sum();
        plans().map(|work| work.nanos).sum::<u64>() / u64::from(transactions.max(1))
    };
    if count == 0 { 0.0 } else { quartile(runs.iter().map(per).collect()) as f64 }
}

/// Costs on one thread, at the turn.
pub fn block_costs(case: &Case, count: usize) -> Result<BlockCosts, SideError> {
    let transactions = case.block.transactions().len();
    let mut clocked = Clocked::new(case, EngineConfig::default(), None, None)?;
    let runs = clocked.runs(count)?;
    let (_, reported) = clocked.run(Outputs { report: true, ..Outputs::default() })?;
    let mut classes = vec![Class::Ahead; transactions];
    for span in &reported.spans {
        if span.kind == SpanKind::Native {
            classes[span.transaction as usize] = Class::Native;
        }
    }
    for (class, tx) in classes.iter_mut().zip(case.block.transactions()) {
        if alloy_consensus::Transaction::authorization_list(tx).is_some() {
            *class = Class::Ordered;
        }
    }
    let turns = each(&runs, transactions, by_work(&[WorkKind::Turn]));
    let turns: Vec<u64> = turns.into_iter().map(Option::unwrap_or_default).collect();
    let Some((_, last)) = runs.last() else { return Ok(BlockCosts::default()) };
    let transfer_runs: Vec<TransferRun> = last
        .work
        .iter()
        .filter(|work| work.kind == WorkKind::Gather && work.count > 0)
        .map(|gather| {
            let of = |kind| {
                let found = |(_, timings): &Noted| {
                    timings
                        .work
                        .iter()
                        .find(|work| work.kind == kind && work.first == gather.first)
                        .map(|work| work.nanos)
                };
                quartile(runs.iter().filter_map(found).collect())
            };
            TransferRun {
                first: gather.first as usize,
                count: gather.count as usize,
                gather: of(WorkKind::Gather),
                apply: of(WorkKind::Apply),
            }
        })
        .collect();
    let rest = |(wall, timings): &Noted| wall.saturating_sub(timings.work.iter().map(|work| work.nanos).sum());
    Ok(BlockCosts {
        classes,
        turns,
        before: total(&runs, WorkKind::Before),
        after: total(&runs, WorkKind::After),
        fold: total(&runs, WorkKind::Fold),
        entries: last.work.iter().find(|work| work.kind == WorkKind::Fold).map_or(0, |work| work.count as usize),
        clear: total(&runs, WorkKind::Clear),
        rest: quartile(runs.iter().map(rest).collect()),
        plan_turn: planning(&runs),
        runs: transfer_runs,
    })
}

/// Costs of running ahead on one thread, with what was learned.
pub fn ahead_costs(case: &Case, learned: Option<&Learned>, count: usize) -> Result<AheadCosts, SideError> {
    let transactions = case.block.transactions().len();
    let config = EngineConfig { mode: Mode::Forced, ..EngineConfig::default() };
    let runs = Clocked::new(case, config, learned, None)?.runs(count)?;
    Ok(AheadCosts {
        ahead: filled(each(&runs, transactions, by_work(&[WorkKind::Ahead]))),
        commits: filled(each(&runs, transactions, by_work(&[WorkKind::Commit]))),
        plan_predicted: planning(&runs),
    })
}

/// What two threads tell: planning a transaction without prediction (ns), from the first batch, which is planned before the other thread wakes; and
/// how much longer the commit takes of what ran ahead, as a factor.
pub fn two_thread_costs(
    case: &Case,
    learned: Option<&Learned>,
    alone: &AheadCosts,
    count: usize,
) -> Result<(Option<f64>, Option<f64>), SideError> {
    let transactions = case.block.transactions().len();
    let config = EngineConfig { threads: 2, ..EngineConfig::default() };
    let runs = Clocked::new(case, config, learned, None)?.runs(count)?;
    let first = |(_, timings): &Noted| {
        let first = timings.work.iter().filter(|work| work.kind == WorkKind::Plan).min_by_key(|work| work.start_ns)?;
        (first.count > 0).then(|| first.nanos / u64::from(first.count))
    };
    let plans: Vec<u64> = runs.iter().filter_map(first).collect();
    let plan = (!plans.is_empty()).then(|| quartile(plans) as f64);
    let commits = each(&runs, transactions, by_work(&[WorkKind::Commit]));
    let (mut together, mut apart) = (0, 0);
    for (commit, alone) in commits.iter().zip(&alone.commits) {
        if let Some(commit) = commit {
            (together, apart) = (together + commit, apart + alone);
        }
    }
    Ok((plan, (apart > 0).then(|| together as f64 / apart as f64)))
}

/// Costs with the exact list on one thread.
pub fn exact_costs(case: &Case, list: &BlockAccessList, count: usize) -> Result<ExactCosts, SideError> {
    let transactions = case.block.transactions().len();
    let runs = Clocked::new(case, EngineConfig::default(), None, Some(list))?.runs(count)?;
    let spans = |timings: &Timings| -> Vec<(u32, u64)> {
        timings.spans.iter().map(|span| (span.transaction, span.end_ns - span.start_ns)).collect()
    };
    let rest = |(wall, timings): &Noted| {
        let spans: u64 = spans(timings).into_iter().map(|(_, nanos)| nanos).sum();
        wall.saturating_sub(spans + timings.work.iter().map(|work| work.nanos).sum::<u64>())
    };
    Ok(ExactCosts {
        each: filled(each(&runs, transactions, spans)),
        before: total(&runs, WorkKind::Before),
        after: total(&runs, WorkKind::After),
        rest: quartile(runs.iter().map(rest).collect()),
    })
}
