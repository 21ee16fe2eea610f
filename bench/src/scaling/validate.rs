//! Real runs to hold the simulation against, and how much two cores disturb each other.

use super::{ScalingError, machine_costs::quartile};
use crate::{
    baseline::{Bundle, Map},
    digest::Digest,
    engine::{EngineSide, Knowledge, Preparation, spec_of},
    figures::Spread,
    import::process_time,
    side::Side,
    workload::Case,
};
use braid_runtime::{AccessHints, Engine, EngineConfig, Outputs, engine::Learning};
use serde::Serialize;
use std::{sync::Barrier, thread::sleep, time::Duration};

/// Engine and best serial baseline on the same blocks, in turns.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct RealRun {
    /// Threads of the engine.
    pub threads: usize,
    /// Milliseconds of the engine, all blocks together.
    pub ms: Spread,
    /// The least, block by block.
    pub least_ms: f64,
    /// Milliseconds of the baseline.
    pub serial_ms: f64,
    /// Core milliseconds of the baseline, first quartile: what it takes when nobody disturbs it.
    pub serial_core_ms: f64,
    /// Baseline by engine.
    pub speed_up: f64,
    /// Core time of the engine by that of the baseline.
    pub cpu: f64,
    /// Core milliseconds of the engine.
    pub cpu_ms: f64,
    /// Executions ahead that were wrong, in the last run of each block.
    pub again: u64,
    /// Part of the runs during which the system took a core away, from 0 to 1; they count only where there are too few others.
    pub disturbed: f64,
}

/// One run of one block.
#[derive(Clone, Copy, Debug)]
struct Sample {
    ms: f64,
    cpu_ms: f64,
    is_disturbed: bool,
    digest: Digest,
}

/// Time between two runs, as there is between blocks: threads have gone to sleep, and the system owes time to a program that asked for none.
pub(super) const PAUSE: Duration = Duration::from_millis(3);
/// Runs that must be undisturbed, or all count.
const LEAST: usize = 3;
/// Pairs that are tried for each one that was asked for, until enough are undisturbed.
const PATIENCE: usize = 4;

/// How often the system took a core from a thread of this process that had something to do.
fn preemptions() -> i64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to a whole rusage, which getrusage fills and which is valid when zeroed.
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init().ru_nivcsw
    }
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

fn once(side: &mut dyn Side, position: usize, case: &Case, expected: Option<Digest>) -> Result<Sample, ScalingError> {
    let failed = |source| ScalingError::Side { block: case.name.clone(), source };
    side.prepare(position).map_err(failed)?;
    sleep(PAUSE);
    let (cpu, preempted) = (process_time(), preemptions());
    let execution = side.execute(position, case).map_err(failed)?;
    let (cpu, is_disturbed) = (process_time() - cpu, preemptions() != preempted);
    let digest = execution.digest();
    if expected.is_some_and(|expected| expected != digest) {
        return Err(ScalingError::Mismatch { side: side.name(), block: case.name.clone() });
    }
    Ok(Sample { ms: execution.elapsed.as_secs_f64() * 1e3, cpu_ms: cpu.as_secs_f64() * 1e3, is_disturbed, digest })
}

/// Quartiles of the undisturbed runs, if there are enough.
fn spread(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> Spread {
    let calm: Vec<f64> = samples.iter().filter(|sample| !sample.is_disturbed).map(&of).collect();
    Spread::of(if calm.len() < LEAST { samples.iter().map(of).collect() } else { calm })
}

impl Baseline {
    /// Chooses it, by a few runs in turns.
    pub fn choose(cases: &[Case]) -> Result<Self, ScalingError> {
        let mut sides: [Box<dyn Side>; 2] = [Box::new(Bundle), Box::new(Map::keeping_results())];
        let mut expected = Vec::with_capacity(cases.len());
        let mut sums = [0.0; 2];
        for (position, case) in cases.iter().enumerate() {
            let digest = once(&mut *sides[0], position, case, None)?.digest;
            expected.push(digest);
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..5 {
                for (side, times) in sides.iter_mut().zip(&mut times) {
                    times.push(once(&mut **side, position, case, Some(digest))?.cpu_ms);
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
        let mut real = RealRun { threads, ..RealRun::default() };
        let (mut serial_cpu, mut runs, mut disturbed) = (0.0, 0, 0);
        for (position, case) in cases.iter().enumerate() {
            let expected = Some(self.expected[position]);
            for _ in 0..2 {
                once(&mut *self.side, position, case, expected)?;
                once(&mut engine, position, case, expected)?;
            }
            let (mut serial, mut parallel) = (Vec::new(), Vec::new());
            for pair in 0..PATIENCE * pairs {
                let (a, b) = if pair % 2 == 0 {
                    let a = once(&mut *self.side, position, case, expected)?;
                    (a, once(&mut engine, position, case, expected)?)
                } else {
                    let b = once(&mut engine, position, case, expected)?;
                    (once(&mut *self.side, position, case, expected)?, b)
                };
                serial.push(a);
                parallel.push(b);
                let calm = parallel.iter().filter(|sample| !sample.is_disturbed).count();
                if pair + 1 >= pairs && calm >= pairs.min(LEAST * 2) {
                    break;
                }
            }
            runs += parallel.len();
            disturbed += parallel.iter().filter(|sample| sample.is_disturbed).count();
            let ms = spread(&parallel, |sample| sample.ms);
            real.ms.median += ms.median;
            real.ms.low += ms.low;
            real.ms.high += ms.high;
            real.least_ms += parallel.iter().map(|sample| sample.ms).fold(f64::INFINITY, f64::min);
            real.serial_ms += spread(&serial, |sample| sample.ms).median;
            real.serial_core_ms += spread(&serial, |sample| sample.cpu_ms).low;
            serial_cpu += spread(&serial, |sample| sample.cpu_ms).median;
            real.cpu_ms += spread(&parallel, |sample| sample.cpu_ms).median;
        }
        real.speed_up = real.serial_ms / real.ms.median;
        real.cpu = real.cpu_ms / serial_cpu.max(1e-9);
        real.again = engine.reports.iter().map(|report| u64::from(report.re_executions)).sum();
        real.disturbed = disturbed as f64 / f64::from(u32::try_from(runs).unwrap_or(u32::MAX).max(1));
        Ok(real)
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
    Ok((quartile(together) as f64 / quartile(alone).max(1) as f64 - 1.0).max(0.0))
}
