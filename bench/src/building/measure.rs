//! What blocks of a pool are like: their longest chains, what they earn, who waits, and how long they take.

use super::{BuildingError, Drained, Policy, Pool, PoolKind, PoolSize, drain};
use crate::{
    baseline::{Bundle, Map},
    digest::Digest,
    engine::{EngineSide, Knowledge, Preparation, learn, trace},
    figures::Spread,
    harness::{MeasureError, compare},
    side::Side,
    workload::Case,
};
use alloy_primitives::U256;
use braid_runtime::bounds::{Bounds, Cost};
use serde::Serialize;

/// Cores for which bounds are given.
pub(super) const CORES: [usize; 3] = [2, 8, 16];
/// Threads with which blocks are timed.
const THREADS: usize = 2;

/// One block.
#[derive(Clone, Debug, Serialize)]
pub struct BlockLine {
    /// Transactions.
    pub transactions: usize,
    /// Gas used.
    pub gas: u64,
    /// Gas of the longest chain.
    pub critical_path: u64,
    /// Tips, in gwei.
    pub tips: f64,
    /// Transactions that made way.
    pub passed_over: usize,
    /// Transactions that are elsewhere than by fees alone.
    pub moved: usize,
    /// Executions until it was found.
    pub passes: u32,
    /// Candidates that ordering looked at.
    pub candidates: usize,
    /// Time that this took, in microseconds.
    pub ordering_us: f64,
}

/// The engine on all blocks of a pool, one after the other.
#[derive(Clone, Debug, Serialize)]
pub struct Timed {
    /// What it knew.
    pub knowledge: Knowledge,
    /// Serial revm / engine, in ABBA pairs.
    pub ratio: Spread,
    /// Milliseconds of serial revm, median.
    pub serial_ms: f64,
    /// Milliseconds of the engine, median.
    pub engine_ms: f64,
    /// Transactions executed again.
    pub re_executions: u64,
}

/// A pool, built by one policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyFigures {
    /// The policy.
    pub name: &'static str,
    /// The blocks.
    pub blocks: Vec<BlockLine>,
    /// Conflict bounds for `CORES` over all blocks, by gas.
    pub b0: Vec<f64>,
    /// List schedules for `CORES`, by gas.
    pub b1: Vec<f64>,
    /// Blocks that contended and other transactions wait, mean; and the longest wait of any.
    pub delay: (f64, f64, usize),
    /// Execution at two threads.
    pub timed: Vec<Timed>,
}

impl PolicyFigures {
    /// Tips of all blocks, in gwei.
    pub fn tips(&self) -> f64 {
        self.blocks.iter().map(|block| block.tips).sum()
    }

    /// Gas of the longest chains of all blocks.
    pub fn critical_path(&self) -> u64 {
        self.blocks.iter().map(|block| block.critical_path).sum()
    }
}

/// A pool, built by every policy.
#[derive(Clone, Debug, Serialize)]
pub struct PoolFigures {
    /// The pool.
    pub name: &'static str,
    /// What waits in it.
    pub contents: &'static str,
    /// Transactions.
    pub transactions: usize,
    /// By policy.
    pub policies: Vec<PolicyFigures>,
}

fn gwei(wei: U256) -> f64 {
    wei.saturating_to::<u128>() as f64 / 1e9
}

fn mean(values: impl Iterator<Item = usize>) -> f64 {
    let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

/// Speed-up over all blocks, by what of the bounds a block's time is.
fn over(bounds: &[Bounds], speed_up: impl Fn(&Bounds) -> f64) -> f64 {
    let serial: f64 = bounds.iter().map(|bounds| bounds.serial as f64).sum();
    let time: f64 = bounds.iter().map(|bounds| bounds.serial as f64 / speed_up(bounds)).sum();
    if time > 0.0 { serial / time } else { 1.0 }
}

fn expected(cases: &[Case]) -> Result<Vec<(Digest, u64)>, BuildingError> {
    let one = |(position, case): (usize, &Case)| {
        let execution = Bundle.execute(position, case)?;
        Ok((execution.digest(), case.block.header().gas_used))
    };
    cases.iter().enumerate().map(one).collect()
}

fn timed(drained: &Drained, pairs: usize, knowledge: Knowledge) -> Result<Timed, BuildingError> {
    let cases = &drained.cases;
    let learned = match knowledge {
        Knowledge::Warm => Some(learn(&drained.lesson, 1)?),
        Knowledge::Cold | Knowledge::Exact => None,
    };
    let preparation = Preparation { learned, ..Preparation::default() };
    let mut engine =
        EngineSide::new(THREADS, knowledge, vec![preparation; cases.len()]).map_err(MeasureError::Start)?;
    let comparison = compare(&mut Map::keeping_results(), &mut engine, cases, &expected(cases)?, pairs)?;
    Ok(Timed {
        knowledge,
        ratio: comparison.ratio,
        serial_ms: comparison.a_ms,
        engine_ms: comparison.b_ms,
        re_executions: engine.reports.iter().map(|report| u64::from(report.re_executions)).sum(),
    })
}

fn look_at(policy: &Policy, drained: &Drained, pairs: usize) -> Result<PolicyFigures, BuildingError> {
    let traces = drained.cases.iter().map(trace).collect::<Result<Vec<_>, _>>()?;
    let of = |cores: usize| traces.iter().map(|trace| trace.bounds(Cost::Gas, cores)).collect::<Vec<_>>();
    let blocks = (drained.cases.iter().zip(&drained.built).zip(of(1)))
        .map(|((case, built), bounds)| {
            let arrangement = built.arrangement.unwrap_or_default();
            BlockLine {
                transactions: case.block.senders().len(),
                gas: bounds.serial,
                critical_path: bounds.critical_path,
                tips: gwei(built.tips),
                passed_over: arrangement.passed_over,
                moved: arrangement.moved,
                passes: built.passes,
                candidates: arrangement.candidates,
                ordering_us: arrangement.nanos as f64 / 1e3,
            }
        })
        .collect();
    let delay = |hot: bool| mean(drained.delays.iter().filter(|(_, is_hot)| *is_hot == hot).map(|(blocks, _)| *blocks));
    let longest = drained.delays.iter().map(|(blocks, _)| *blocks).max().unwrap_or_default();
    let timed = if pairs == 0 {
        Vec::new()
    } else {
        [Knowledge::Warm, Knowledge::Cold]
            .map(|knowledge| timed(drained, pairs, knowledge))
            .into_iter()
            .collect::<Result<_, _>>()?
    };
    Ok(PolicyFigures {
        name: policy.name,
        blocks,
        b0: CORES.map(|cores| over(&of(cores), |bounds| bounds.b0)).to_vec(),
        b1: CORES.map(|cores| over(&of(cores), |bounds| bounds.b1)).to_vec(),
        delay: (delay(true), delay(false), longest),
        timed,
    })
}

/// Builds a pool by every policy and looks at the blocks. Without `pairs` nothing is timed.
pub fn measure(
    kind: &PoolKind,
    size: &PoolSize,
    policies: &[Policy],
    pairs: usize,
    progress: &mut dyn FnMut(&str),
) -> Result<PoolFigures, BuildingError> {
    progress("making the pool");
    let pool: Pool = kind.build(size)?;
    let mut figures = Vec::new();
    for policy in policies {
        progress(policy.name);
        let drained = drain(&pool, size, policy)?;
        if drained.delays.len() != pool.waiting.len() {
            return Err(BuildingError::Wrong(format!("{}: transactions got lost", policy.name)));
        }
        figures.push(look_at(policy, &drained, pairs)?);
    }
    Ok(PoolFigures { name: kind.name, contents: kind.contents, transactions: pool.waiting.len(), policies: figures })
}
