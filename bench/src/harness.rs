//! The protocol of a measurement.
//!
//! Machines are shared and noisy, so every figure is a ratio inside one run. [`compare`] executes two sides on the same blocks in
//! the order ABBA…, one block after the other, and takes the ratio of every pair; the digest of every single result is compared
//! with the expected one. [`measure`] does that for a whole profile: first the two serial baselines against each other,
//! then the quicker one against the engine at every asked-for thread count and knowledge.

use crate::{
    baseline::{Bundle, Map},
    digest::{Digest, first_difference},
    engine::{EngineSide, Knowledge, Preparation, exact_list, learn, trace},
    figures::{BlockFigures, Comparison, EngineFigures, Limits, Prediction, ProfileFigures, Spread},
    memory,
    side::{Side, SideError},
    workload::{self, Case, Profile, Size, Workload, WorkloadError},
};
use alloy_consensus::Transaction as _;
use braid_runtime::engine::Path;
use std::time::Duration;

/// Runs that warm caches, maps and threads up before anything counts.
const WARM_UP: usize = 2;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Gas of generated blocks.
    pub size: Size,
    /// Seed of generated blocks.
    pub seed: u64,
    /// Pairs of runs in every comparison.
    pub pairs: usize,
    /// Thread counts of the engine.
    pub threads: Vec<usize>,
    /// What the engine knows beforehand.
    pub knowledge: Vec<Knowledge>,
    /// The engine replays functions that were run before, instead of interpreting all.
    pub paths: bool,
}

/// Why a profile could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The blocks could not be made.
    #[error(transparent)]
    Workload(Box<WorkloadError>),
    /// A side failed.
    #[error("{side} cannot execute block {block}: {source}")]
    Side {
        /// Which side.
        side: String,
        /// Which block.
        block: String,
        /// What it says.
        source: SideError,
    },
    /// Two sides disagree: the one result that must never be.
    #[error("{side} gives another result on block {block}: {difference}")]
    Mismatch {
        /// Which side.
        side: String,
        /// Which block.
        block: String,
        /// The first thing that differs from what serial revm gives.
        difference: String,
    },
    /// The engine did not start.
    #[error("the engine does not start: {0}")]
    Start(String),
}

impl From<WorkloadError> for MeasureError {
    fn from(error: WorkloadError) -> Self {
        Self::Workload(Box::new(error))
    }
}

/// CPU time of this process so far, user and system, all threads.
fn cpu_time() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a whole rusage, which getrusage fills and which is valid when zeroed.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let of = |time: libc::timeval| {
        Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// Milliseconds and CPU seconds of one execution, its result checked.
pub(crate) fn once(
    side: &mut dyn Side,
    position: usize,
    case: &Case,
    expected: Digest,
) -> Result<(f64, f64), MeasureError> {
    let name = side.name();
    let failed = |source| MeasureError::Side { side: name, block: case.name.clone(), source };
    let mut cpu = Duration::ZERO;
    let result = side.prepare(position).and_then(|()| {
        cpu = cpu_time();
        let execution = side.execute(position, case);
        cpu = cpu_time() - cpu;
        execution
    });
    let execution = result.map_err(failed)?;
    if execution.digest() != expected {
        let difference = match Bundle.execute(position, case) {
            Ok(right) => first_difference(&right, &execution).unwrap_or_else(|| "serial revm wavers".to_owned()),
            Err(error) => error.to_string(),
        };
        return Err(MeasureError::Mismatch { side: side.name(), block: case.name.clone(), difference });
    }
    Ok((execution.elapsed.as_secs_f64() * 1e3, cpu.as_secs_f64()))
}

/// Compares two sides on the same blocks in `pairs` interleaved pairs. `expected` has the digest and the gas of every block.
pub fn compare(
    a: &mut dyn Side,
    b: &mut dyn Side,
    cases: &[Case],
    expected: &[(Digest, u64)],
    pairs: usize,
) -> Result<Comparison, MeasureError> {
    let mut a_ms = vec![Vec::with_capacity(pairs); cases.len()];
    let mut b_ms = a_ms.clone();
    let (mut a_cpu, mut b_cpu) = (0.0, 0.0);
    // One block after the other, so that both sides find the block itself in the processor's caches as well as they can.
    for (position, case) in cases.iter().enumerate() {
        for _ in 0..WARM_UP {
            once(a, position, case, expected[position].0)?;
            once(b, position, case, expected[position].0)?;
        }
        for pair in 0..pairs {
            // ABBA: whoever went first goes second in the next pair.
            let (first, second) = if pair % 2 == 0 {
                let first = once(a, position, case, expected[position].0)?;
                (first, once(b, position, case, expected[position].0)?)
            } else {
                let second = once(b, position, case, expected[position].0)?;
                (once(a, position, case, expected[position].0)?, second)
            };
            a_ms[position].push(first.0);
            a_cpu += first.1;
            b_ms[position].push(second.0);
            b_cpu += second.1;
        }
    }
    let sums = |times: &[Vec<f64>]| -> Vec<f64> {
        (0..pairs).map(|pair| times.iter().map(|block| block[pair]).sum()).collect()
    };
    let ratios = |a: &[f64], b: &[f64]| Spread::of(a.iter().zip(b).map(|(a, b)| a / b).collect());
    let (a_sums, b_sums) = (sums(&a_ms), sums(&b_ms));
    let blocks = cases
        .iter()
        .enumerate()
        .map(|(position, case)| BlockFigures {
            name: case.name.clone(),
            transactions: case.block.senders().len(),
            gas: expected[position].1,
            ratio: ratios(&a_ms[position], &b_ms[position]),
            a_ms: Spread::of(a_ms[position].clone()).median,
            b_ms: Spread::of(b_ms[position].clone()).median,
        })
        .collect();
    Ok(Comparison {
        ratio: ratios(&a_sums, &b_sums),
        a_ms: Spread::of(a_sums).median,
        b_ms: Spread::of(b_sums).median,
        a_cpu: a_cpu / pairs as f64,
        b_cpu: b_cpu / pairs as f64,
        blocks,
    })
}

/// Digest and gas of every block by baseline (a), held against baseline (b).
pub(crate) fn expectations(cases: &[Case]) -> Result<Vec<(Digest, u64)>, MeasureError> {
    let mut expected = Vec::with_capacity(cases.len());
    for (position, case) in cases.iter().enumerate() {
        let execution = Bundle.execute(position, case).map_err(|source| MeasureError::Side {
            side: Bundle.name(),
            block: case.name.clone(),
            source,
        })?;
        let gas = execution.receipts.last().map_or(0, |receipt| receipt.cumulative_gas_used);
        let digest = execution.digest();
        once(&mut Map::keeping_results(), position, case, digest)?;
        expected.push((digest, gas));
    }
    Ok(expected)
}

/// Most heap bytes alive at once when a fresh side executes the largest block for the first time.
fn peak(side: &mut dyn Side, cases: &[Case]) -> Result<u64, MeasureError> {
    let largest = cases
        .iter()
        .enumerate()
        .max_by_key(|(_, case)| case.block.block().body.transactions.iter().map(|tx| tx.gas_limit()).sum::<u64>());
    let Some((position, case)) = largest else { return Ok(0) };
    let name = side.name();
    let failed = |source| MeasureError::Side { side: name, block: case.name.clone(), source };
    let (result, bytes) = match side.prepare(position) {
        Ok(()) => memory::peak_of(|| side.execute(position, case)),
        Err(error) => (Err(error), 0),
    };
    result.map_err(failed)?;
    Ok(bytes)
}

/// What the engine is given for every block, by knowledge.
pub(crate) fn preparations(
    profile: &Profile,
    workload: &Workload,
    size: Size,
    seed: u64,
    knowledge: Knowledge,
) -> Result<Vec<Preparation>, MeasureError> {
    let failed = |case: &Case, source| MeasureError::Side {
        side: format!("engine, {knowledge}"),
        block: case.name.clone(),
        source,
    };
    let cases = &workload.cases;
    match knowledge {
        Knowledge::Cold => Ok(vec![Preparation::default(); cases.len()]),
        Knowledge::Exact => cases
            .iter()
            .map(|case| {
                let access_list = exact_list(case).map_err(|source| failed(case, source))?;
                Ok(Preparation { access_list, ..Preparation::default() })
            })
            .collect(),
        Knowledge::Warm if cases.len() == 1 => {
            // Another block of the same kind: other accounts, other order, the same contracts.
            let size = Size { gas: size.gas.min(Size::SMALL.gas) };
            let teacher = workload::build(profile.name, size, seed ^ 0x5eed)?;
            let learned = Some(learn(&teacher.cases, 1).map_err(|source| failed(&cases[0], source))?);
            Ok(vec![Preparation { learned, ..Preparation::default() }])
        }
        Knowledge::Warm => cases
            .iter()
            .enumerate()
            .map(|(position, case)| {
                let others = cases.iter().enumerate().filter(|(other, _)| *other != position).map(|(_, case)| case);
                let learned = Some(learn(others, 1).map_err(|source| failed(case, source))?);
                Ok(Preparation { learned, ..Preparation::default() })
            })
            .collect(),
    }
}

/// Measures one profile, telling `progress` what it is at.
pub fn measure(profile: &Profile, plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<ProfileFigures, MeasureError> {
    progress("building the blocks");
    let workload = workload::build(profile.name, plan.size, plan.seed)?;
    let cases = &workload.cases;
    progress("checking the baselines");
    let expected = expectations(cases)?;
    let baseline_peak_bytes = [peak(&mut Bundle, cases)?, peak(&mut Map::keeping_results(), cases)?];
    progress("baselines against each other");
    let (mut bundle, mut map) = (Bundle, Map::keeping_results());
    let baselines = compare(&mut bundle, &mut map, cases, &expected, plan.pairs)?;
    let leanest = compare(&mut map, &mut Map::dropping_results(), cases, &expected, plan.pairs)?;
    let map_is_best = baselines.ratio.median >= 1.0;
    let mut traces = Vec::new();
    if !plan.knowledge.is_empty() {
        progress("tracing a serial run");
        for case in cases {
            let side = || "the tracing oracle".to_owned();
            let failed = |source| MeasureError::Side { side: side(), block: case.name.clone(), source };
            traces.push(trace(case).map_err(failed)?);
        }
    }
    let mut engine = Vec::new();
    for knowledge in &plan.knowledge {
        progress(&format!("preparing the engine, {knowledge}"));
        let preparations = preparations(profile, &workload, plan.size, plan.seed, *knowledge)?;
        for threads in &plan.threads {
            progress(&format!("engine, {threads} thread(s), {knowledge}"));
            let new = || {
                EngineSide::with_paths(*threads, *knowledge, preparations.clone(), plan.paths)
                    .map_err(MeasureError::Start)
            };
            let peak_bytes = peak(&mut new()?, cases)?;
            let mut side = new()?;
            let best: &mut dyn Side = if map_is_best { &mut map } else { &mut bundle };
            let comparison = compare(best, &mut side, cases, &expected, plan.pairs)?;
            let mut timings = Vec::new();
            for (position, case) in cases.iter().enumerate() {
                let name = side.name();
                let failed = |source| MeasureError::Side { side: name, block: case.name.clone(), source };
                timings.extend(side.inspect(position, case).map_err(failed)?);
            }
            let count =
                |of: fn(&braid_runtime::ScheduleReport) -> u32| side.reports.iter().map(of).map(u64::from).sum();
            engine.push(EngineFigures {
                threads: *threads,
                knowledge: *knowledge,
                comparison,
                limits: Limits::of(&traces, *threads),
                peak_bytes,
                prediction: Prediction::of(&timings),
                re_executions: count(|report| report.re_executions),
                replayed: count(|report| report.replayed),
                native: count(|report| report.native),
                ahead: count(|report| report.ahead),
                ordered: count(|report| report.ordered),
                unknown: count(|report| report.unknown),
                fallbacks: count(|report| u32::from(matches!(report.path, Path::Fallback(_)))),
                fallback_reason: side.reports.iter().zip(cases).find_map(|(report, case)| match &report.path {
                    Path::Fallback(reason) => Some(format!("block {}: {reason}", case.name)),
                    _ => None,
                }),
            });
        }
    }
    Ok(ProfileFigures {
        name: profile.name,
        group: profile.group,
        size: profile.is_generated().then(|| plan.size.to_string()),
        transactions: cases.iter().map(|case| case.block.senders().len()).sum(),
        gas: expected.iter().map(|(_, gas)| gas).sum(),
        notes: workload.notes,
        baselines,
        leanest,
        best: if map_is_best { "b" } else { "a" },
        baseline_peak_bytes,
        engine,
    })
}
