//! Real runs to hold the simulation against, and how much two cores disturb each other.

use super::{ScalingError, machine_costs::median};
use crate::{
    baseline::{Bundle, Map},
    digest::Digest,
    engine::{EngineSide, Knowledge, Preparation, spec_of},
    figures::Spread,
    harness::cpu_time,
    side::Side,
    workload::Case,
};
use braid_runtime::{AccessHints, Engine, EngineConfig, Outputs, engine::Learning};
use serde::Serialize;
use std::sync::Barrier;

/// Engine and best serial baseline on the same blocks, in turns.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct RealRun {
    /// Threads of the engine.
    pub threads: usize,
    /// Milliseconds of the engine, all blocks together.
    pub ms: Spread,
    /// The least, block by block.
    pub least_ms: f64,
    /// Milliseconds of the baseline.
    pub serial_ms: f64,
    /// Baseline by engine, in pairs.
    pub speed_up: Spread,
    /// Core seconds of the engine by those of the baseline.
    pub cpu: f64,
    /// Core milliseconds of the engine.
    pub cpu_ms: f64,
}

/// The quicker of the two serial baselines, with what every block must give.
pub struct Baseline {
    side: Box<dyn Side>,
    expected: Vec<Digest>,
    /// Its name.
    pub name: String,
}

impl std::fmt::Debug for Baseline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Baseline").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One run of a side over one block: wall and core time in milliseconds.
fn once(
    side: &mut dyn Side,
    position: usize,
    case: &Case,
    expected: Option<Digest>,
) -> Result<(f64, f64, Digest), ScalingError> {
    let failed = |source| ScalingError::Side { block: case.name.clone(), source };
    side.prepare(position).map_err(failed)?;
    let cpu = cpu_time();
    let execution = side.execute(position, case).map_err(failed)?;
    let cpu = cpu_time() - cpu;
    let digest = execution.digest();
    if expected.is_some_and(|expected| expected != digest) {
        return Err(ScalingError::Mismatch { side: side.name(), block: case.name.clone() });
    }
    Ok((execution.elapsed.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e3, digest))
}

impl Baseline {
    /// Chooses it, by a few runs in turns.
    pub fn choose(cases: &[Case]) -> Result<Self, ScalingError> {
        let mut sides: [Box<dyn Side>; 2] = [Box::new(Bundle), Box::new(Map::keeping_results())];
        let mut expected = Vec::with_capacity(cases.len());
        let mut sums = [0.0; 2];
        for (position, case) in cases.iter().enumerate() {
            let digest = once(&mut *sides[0], position, case, None)?.2;
            expected.push(digest);
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..5 {
                for (side, times) in sides.iter_mut().zip(&mut times) {
                    times.push(once(&mut **side, position, case, Some(digest))?.0);
                }
            }
            for (sum, times) in sums.iter_mut().zip(times) {
                *sum += Spread::of(times).median;
            }
        }
        let [bundle, map] = sides;
        let side = if sums[0] < sums[1] { bundle } else { map };
        Ok(Self { name: side.name(), side, expected })
    }

    /// Runs baseline and engine in `pairs` pairs, ABBA.
    pub fn against(
        &mut self,
        cases: &[Case],
        threads: usize,
        knowledge: Knowledge,
        preparations: Vec<Preparation>,
        pairs: usize,
    ) -> Result<RealRun, ScalingError> {
        let mut engine = EngineSide::new(threads, knowledge, preparations).map_err(ScalingError::Start)?;
        let mut sums = vec![[0.0_f64; 4]; pairs];
        let mut least_ms = 0.0;
        for (position, case) in cases.iter().enumerate() {
            let expected = Some(self.expected[position]);
            for _ in 0..2 {
                once(&mut *self.side, position, case, expected)?;
                once(&mut engine, position, case, expected)?;
            }
            let mut least = f64::INFINITY;
            for (pair, sums) in sums.iter_mut().enumerate() {
                let (serial, run) = if pair % 2 == 0 {
                    let serial = once(&mut *self.side, position, case, expected)?;
                    (serial, once(&mut engine, position, case, expected)?)
                } else {
                    let run = once(&mut engine, position, case, expected)?;
                    (once(&mut *self.side, position, case, expected)?, run)
                };
                for (sum, value) in sums.iter_mut().zip([serial.0, serial.1, run.0, run.1]) {
                    *sum += value;
                }
                least = least.min(run.0);
            }
            least_ms += least;
        }
        let column = |index: usize| Spread::of(sums.iter().map(|sums| sums[index]).collect());
        Ok(RealRun {
            threads,
            ms: column(2),
            least_ms,
            serial_ms: column(0).median,
            speed_up: Spread::of(sums.iter().map(|sums| sums[0] / sums[2]).collect()),
            cpu: column(3).median / column(1).median.max(1e-9),
            cpu_ms: column(3).median,
        })
    }
}

/// Core time of this thread so far, in nanoseconds.
fn thread_nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes a time of this type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// By how much longer a block takes on each of two cores that both execute it, each for itself, than on one core alone; as a part of the time.
///
/// Core time is compared, so other programs that take a core away do not count; caches and memory that they use do.
pub fn contention(case: &Case, rounds: usize) -> Result<f64, ScalingError> {
    let engine = || {
        let config = EngineConfig { learning: Learning::Off, ..EngineConfig::default() };
        Engine::new(config).map_err(|error| ScalingError::Start(error.to_string()))
    };
    let spec = spec_of(&case.chain);
    let run = |engine: &mut Engine| -> Result<u64, ScalingError> {
        engine.forget_results();
        let started = thread_nanos();
        let outcome =
            engine.execute_block(&*case.snapshot, &case.block, &spec, AccessHints::Predicted, Outputs::default());
        outcome.map_err(|error| ScalingError::Side { block: case.name.clone(), source: error.into() })?;
        Ok(thread_nanos() - started)
    };
    let (mut first, mut second) = (engine()?, engine()?);
    for _ in 0..2 {
        run(&mut first)?;
        run(&mut second)?;
    }
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        alone.push(run(&mut first)?);
        alone.push(run(&mut second)?);
        let barrier = Barrier::new(2);
        let run_there = |engine: &mut Engine| {
            barrier.wait();
            run(engine)
        };
        let (here, there) = std::thread::scope(|scope| {
            let there = scope.spawn(|| run_there(&mut second));
            (run_there(&mut first), there.join())
        });
        together.push(here?);
        together.push(there.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
    }
    Ok((median(together) as f64 / median(alone).max(1) as f64 - 1.0).max(0.0))
}
