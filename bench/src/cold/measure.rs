//! All sides on the same blocks, in turns.

use super::{DelayedSnapshot, EngineSide, SerialSide};
use crate::{
    engine::{self, Knowledge, Learned},
    figures::Spread,
    harness::{MeasureError, expectations, once, preparations},
    side::Side,
    workload::{self, Profile, Size, Workload},
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

/// Runs of every side before anything counts.
const WARM_UP: usize = 1;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Gas of generated blocks.
    pub size: Size,
    /// Seed of generated blocks.
    pub seed: u64,
    /// Rounds; every side runs once in each.
    pub rounds: usize,
    /// Blocks of a profile that are measured at most, taken evenly from all of it; what the engine learned from is all others.
    pub blocks: usize,
    /// Reader threads of the serial side that has some.
    pub readers: usize,
    /// Engines: threads that execute, threads that read ahead, and what is known beforehand.
    pub engines: Vec<(usize, usize, Knowledge)>,
    /// How long a read from the disk is asked to take.
    pub delay: Duration,
    /// Reads that the disk serves at a time.
    pub depth: usize,
}

/// One side of a profile.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What ran.
    pub name: String,
    /// Milliseconds of all blocks together, median.
    pub ms: f64,
    /// CPU milliseconds of all blocks together, mean.
    pub cpu_ms: f64,
    /// Reads from the disk, all blocks together, mean.
    pub reads: f64,
    /// By how much it is quicker than serial revm without read-ahead.
    pub against_serial: Spread,
    /// By how much it is quicker than serial revm with threads that read ahead.
    pub against_reading_ahead: Spread,
    /// The same, block by block: median and quartiles over the blocks of each block's median.
    pub over_blocks: Spread,
    /// Transactions executed again, in the last round.
    pub again: u32,
}

/// One profile at one delay.
#[derive(Clone, Debug, Serialize)]
pub struct ColdFigures {
    /// Name of the profile.
    pub profile: String,
    /// Asked-for time of a read (µs).
    pub delay_us: f64,
    /// Mean time that reads really slept (µs).
    pub true_delay_us: f64,
    /// Blocks and transactions.
    pub blocks: usize,
    /// Transactions of all blocks.
    pub transactions: usize,
    /// Serial revm on the same state in memory: milliseconds, median.
    pub in_memory_ms: f64,
    /// The sides, serial ones first.
    pub rows: Vec<Row>,
}

impl ColdFigures {
    /// Milliseconds below which nobody can be who has so many threads that read at a time and makes the reads of plain serial execution.
    pub fn disk_floor_ms(&self, threads: usize) -> f64 {
        self.rows.first().map_or(0.0, |serial| serial.reads * self.true_delay_us / threads.max(1) as f64 / 1e3)
    }
}

#[derive(Debug, Default)]
struct Samples {
    ms: Vec<f64>,
    /// Of each block.
    block_ms: Vec<Vec<f64>>,
    cpu: f64,
    reads: u64,
    slept: Duration,
}

#[derive(Debug)]
enum Kind {
    Serial(SerialSide),
    Engine(Box<EngineSide>),
}

impl Kind {
    fn side(&mut self) -> &mut dyn Side {
        match self {
            Self::Serial(side) => side,
            Self::Engine(side) => &mut **side,
        }
    }
}

fn start(error: impl ToString) -> MeasureError {
    MeasureError::Start(error.to_string())
}

/// What was learned for the chosen blocks, each time from other blocks.
fn learned(
    profile: &Profile,
    workload: &Workload,
    chosen: &[usize],
    plan: &Plan,
) -> Result<Vec<Learned>, MeasureError> {
    if workload.cases.len() == 1 {
        let saved = preparations(profile, workload, plan.size, plan.seed, Knowledge::Warm)?;
        return Ok(saved.into_iter().map(|preparation| preparation.learned.unwrap_or_default()).collect());
    }
    let learned = |position: &usize| {
        let others = workload.cases.iter().enumerate().filter(|(other, _)| other != position).map(|(_, case)| case);
        engine::learn(others, 1).map_err(|source| MeasureError::Side {
            side: "the learning engine".to_owned(),
            block: workload.cases[*position].name.clone(),
            source,
        })
    };
    chosen.iter().map(learned).collect()
}

/// Measures one profile, telling `progress` what it is at.
pub fn measure(profile: &Profile, plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<ColdFigures, MeasureError> {
    progress("building the blocks");
    let workload = workload::build(profile.name, plan.size, plan.seed)?;
    let total = workload.cases.len();
    let chosen: Vec<usize> =
        (0..total.min(plan.blocks)).map(|number| number * total / plan.blocks.min(total)).collect();
    let cases = &chosen.iter().map(|position| workload.cases[*position].clone()).collect::<Vec<_>>();
    let expected = expectations(cases)?;
    let disks = |delay: Duration| -> Vec<_> {
        let disk = |case: &workload::Case| Arc::new(DelayedSnapshot::new(case.snapshot.clone(), delay, plan.depth));
        cases.iter().map(disk).collect()
    };
    let cold = disks(plan.delay);
    let is_warm = |(_, _, knowledge): &(usize, usize, Knowledge)| *knowledge == Knowledge::Warm;
    let predictors = if plan.engines.iter().any(is_warm) {
        progress("learning from other blocks");
        learned(profile, &workload, &chosen, plan)?
    } else {
        Vec::new()
    };
    let serial = |readers| SerialSide::new(cold.clone(), readers).map(Kind::Serial).map_err(start);
    let mut sides = vec![serial(0)?, serial(plan.readers)?];
    for (threads, readers, knowledge) in &plan.engines {
        let known = (*knowledge == Knowledge::Warm).then(|| predictors.clone());
        let side = EngineSide::new(*threads, *readers, cold.clone(), known).map_err(start)?;
        sides.push(Kind::Engine(Box::new(side)));
    }

    let mut samples: Vec<Samples> =
        sides.iter().map(|_| Samples { block_ms: vec![Vec::new(); cases.len()], ..Samples::default() }).collect();
    for round in 0..plan.rounds + WARM_UP {
        progress(&format!("round {round} of {}", plan.rounds + WARM_UP - 1));
        let mut order: Vec<usize> = (0..sides.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for number in order {
            let (mut ms, mut cpu, mut reads, mut slept) = (0.0, 0.0, 0, Duration::ZERO);
            for (position, case) in cases.iter().enumerate() {
                let run = once(sides[number].side(), position, case, expected[position].0)?;
                let stats = cold[position].stats();
                (ms, cpu) = (ms + run.0, cpu + run.1);
                if round >= WARM_UP {
                    samples[number].block_ms[position].push(run.0);
                }
                (reads, slept) = (reads + stats.reads, slept + stats.slept);
            }
            if round >= WARM_UP {
                let sample = &mut samples[number];
                sample.ms.push(ms);
                sample.cpu += cpu;
                sample.reads += reads;
                sample.slept += slept;
            }
        }
    }

    progress("serial revm in memory");
    let mut in_memory = crate::baseline::Map::keeping_results();
    let mut memory_ms = Vec::new();
    for _ in 0..plan.rounds.max(3) {
        let mut sum = 0.0;
        for (position, case) in cases.iter().enumerate() {
            sum += once(&mut in_memory, position, case, expected[position].0)?.0;
        }
        memory_ms.push(sum);
    }

    let against = |base: &Samples, side: &Samples| {
        Spread::of(base.ms.iter().zip(&side.ms).map(|(base, side)| base / side).collect())
    };
    let over_blocks = |base: &Samples, side: &Samples| {
        let median =
            |base: &Vec<f64>, side: &Vec<f64>| Spread::of(base.iter().zip(side).map(|(a, b)| a / b).collect()).median;
        Spread::of(base.block_ms.iter().zip(&side.block_ms).map(|(base, side)| median(base, side)).collect())
    };
    let rounds = plan.rounds as f64;
    let rows = sides
        .iter_mut()
        .zip(&samples)
        .map(|(side, sample)| Row {
            name: side.side().name(),
            ms: Spread::of(sample.ms.clone()).median,
            cpu_ms: sample.cpu * 1e3 / rounds,
            reads: sample.reads as f64 / rounds,
            against_serial: against(&samples[0], sample),
            against_reading_ahead: against(&samples[1], sample),
            over_blocks: over_blocks(&samples[1], sample),
            again: match side {
                Kind::Serial(_) => 0,
                Kind::Engine(side) => side.reports.iter().map(|report| report.re_executions).sum(),
            },
        })
        .collect();
    let (slept, reads) = samples
        .iter()
        .fold((0.0, 0.0), |(slept, reads), sample| (slept + sample.slept.as_secs_f64(), reads + sample.reads as f64));
    Ok(ColdFigures {
        profile: profile.name.to_owned(),
        delay_us: plan.delay.as_secs_f64() * 1e6,
        true_delay_us: slept / f64::max(reads, 1.0) * 1e6,
        blocks: cases.len(),
        transactions: cases.iter().map(|case| case.block.senders().len()).sum(),
        in_memory_ms: Spread::of(memory_ms).median,
        rows,
    })
}
