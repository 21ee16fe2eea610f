//! The engine as a side of a comparison.

use crate::{
    chain::Chain,
    side::{Execution, MergedDiff, Side, SideError},
    workload::Case,
};
use alloy_eip7928::BlockAccessList;
use braid_runtime::{
    AccessHints, BlockOutcome, ChainSpec, Engine, EngineConfig, Outputs, RecoveredBlock, ScheduleReport,
    engine::{Learning, Timings},
    oracle::{self, BlockTrace, execute_serial},
    paths::Paths,
    predict::{Predictor, PredictorConfig, PredictorError},
};
use serde::Serialize;
use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

/// What the engine knows of a block beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Knowledge {
    /// Nothing: the predictor is empty, and learns nothing inside the block.
    Cold,
    /// Templates learned from other blocks: for generated profiles from a block of another seed, for mainnet from all other
    /// blocks of the run. Never from the block itself.
    Warm,
    /// The block's exact access list (EIP-7928).
    Exact,
}

impl FromStr for Knowledge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cold" => Ok(Self::Cold),
            "warm" => Ok(Self::Warm),
            "exact" => Ok(Self::Exact),
            _ => Err(format!("{text:?} is none of cold, warm, exact")),
        }
    }
}

impl fmt::Display for Knowledge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Exact => "exact",
        })
    }
}

/// What is given to the engine along with one block.
#[derive(Clone, Debug, Default)]
pub struct Preparation {
    /// What was learned from other blocks; nothing for a cold start.
    pub learned: Option<Learned>,
    /// The exact access list.
    pub access_list: Option<BlockAccessList>,
}

/// What an engine has learned from blocks.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    /// A saved predictor.
    pub predictor: Vec<u8>,
    /// Paths through functions.
    pub paths: Paths,
}

/// Gives an engine what was learned and nothing else; nothing at all without it.
pub fn teach(engine: &mut Engine, learned: Option<&Learned>) -> Result<(), PredictorError> {
    let Some(Learned { predictor, paths }) = learned else {
        engine.set_predictor(Predictor::default());
        return Ok(());
    };
    engine.set_predictor(Predictor::load(predictor, PredictorConfig::default())?);
    engine.set_paths(paths.clone());
    Ok(())
}

/// The engine at a number of threads, kept from run to run. Its predictor is loaded before each block, and does not learn.
#[derive(Debug)]
pub struct EngineSide {
    engine: Engine,
    threads: usize,
    knowledge: Knowledge,
    preparations: Vec<Preparation>,
    /// The block whose predictor is loaded.
    prepared: Option<usize>,
    /// How the last run of each block went.
    pub reports: Vec<ScheduleReport>,
}

/// The engine's own fork schedule for a workload's chain.
pub fn spec_of(chain: &Chain) -> ChainSpec {
    match chain {
        Chain::Prague(_) => ChainSpec::from_suite_fork("Prague").unwrap_or_else(|_| ChainSpec::mainnet()),
        Chain::Mainnet(_) => ChainSpec::mainnet(),
    }
}

/// The one place where the engine is called. `outputs` is empty in timed runs.
fn run(
    engine: &mut Engine,
    case: &Case,
    spec: &ChainSpec,
    hints: AccessHints<'_>,
    outputs: Outputs,
) -> Result<BlockOutcome, SideError> {
    let block: &RecoveredBlock = &case.block;
    Ok(engine.execute_block(&*case.snapshot, block, spec, hints, outputs)?)
}

impl EngineSide {
    /// An engine for blocks with these preparations, one each.
    pub fn new(threads: usize, knowledge: Knowledge, preparations: Vec<Preparation>) -> Result<Self, String> {
        Self::with_paths(threads, knowledge, preparations, true)
    }

    /// The same; without `paths` everything is interpreted.
    pub fn with_paths(
        threads: usize,
        knowledge: Knowledge,
        preparations: Vec<Preparation>,
        paths: bool,
    ) -> Result<Self, String> {
        let record_after = if paths { EngineConfig::default().record_after } else { 0 };
        let engine = new_engine(threads, Learning::Off, record_after)?;
        let reports = vec![ScheduleReport::default(); preparations.len()];
        Ok(Self { engine, threads, knowledge, preparations, prepared: None, reports })
    }

    /// Executes a block as [`Side::execute`] does, with what it then knows, and tells how it went inside. Not for timing.
    pub fn inspect(&mut self, position: usize, case: &Case) -> Result<Option<Box<Timings>>, SideError> {
        self.prepare(position)?;
        let (_, outcome) = self.run(position, case, Outputs { report: true, ..Outputs::default() })?;
        Ok(outcome.report.timings)
    }

    fn run(&mut self, position: usize, case: &Case, outputs: Outputs) -> Result<(Duration, BlockOutcome), SideError> {
        let preparation = &self.preparations[position];
        let spec = spec_of(&case.chain);
        let hints = preparation.access_list.as_ref().map_or(AccessHints::Predicted, AccessHints::Exact);
        let started = Instant::now();
        let outcome = run(&mut self.engine, case, &spec, hints, outputs)?;
        Ok((started.elapsed(), outcome))
    }
}

/// Timed engines do not learn: what they know is given, and a predictor that has seen a contract often records it hardly ever.
fn new_engine(threads: usize, learning: Learning, record_after: u32) -> Result<Engine, String> {
    let config = EngineConfig { threads, learning, lessons_per_block: 4096, record_after, ..EngineConfig::default() };
    Engine::new(config).map_err(|error| error.to_string())
}

impl Side for EngineSide {
    fn name(&self) -> String {
        format!("engine, {} thread(s), {}", self.threads, self.knowledge)
    }

    fn prepare(&mut self, position: usize) -> Result<(), SideError> {
        if self.prepared != Some(position) {
            teach(&mut self.engine, self.preparations[position].learned.as_ref())?;
            self.prepared = Some(position);
        }
        self.engine.forget_results();
        Ok(())
    }

    fn execute(&mut self, position: usize, case: &Case) -> Result<Execution, SideError> {
        let (elapsed, outcome) = self.run(position, case, Outputs::default())?;
        self.reports[position] = outcome.report;
        Ok(Execution { elapsed, receipts: outcome.receipts, diff: MergedDiff::Plain(outcome.diff) })
    }
}

/// Runs of a function before it is recorded, where recording is not timed.
const EAGER: u32 = 2;

/// Learns from blocks, in order: first the predictor, from every transaction, then paths. What is a lesson for the predictor runs in the
/// interpreter, so that one engine for both would know fewer paths than one that has followed a chain for a while, when lessons are rare. And the
/// few blocks at hand stand for the thousands that such an engine has seen: what they do twice is recorded.
pub fn learn<'a>(
    cases: impl IntoIterator<Item = &'a Case, IntoIter: Clone>,
    threads: usize,
) -> Result<Learned, SideError> {
    let new_engine = |learning, record_after| {
        new_engine(threads, learning, record_after)
            .map_err(|message| SideError::Transaction { index: 0, source: message.into() })
    };
    let cases = cases.into_iter();
    let mut learner = new_engine(Learning::BetweenBlocks, 0)?;
    for case in cases.clone() {
        run(&mut learner, case, &spec_of(&case.chain), AccessHints::Predicted, Outputs::default())?;
        learner.learn();
    }
    let mut follower = new_engine(Learning::Off, EAGER)?;
    for case in cases {
        run(&mut follower, case, &spec_of(&case.chain), AccessHints::Predicted, Outputs::default())?;
    }
    Ok(Learned { predictor: learner.predictor().save(), paths: follower.paths().cloned().unwrap_or_default() })
}

/// What the transactions of the block depend on, and how long each takes serially: the least of three runs, so that a moment in
/// which the machine was busy does not count.
pub fn trace(case: &Case) -> Result<BlockTrace, SideError> {
    let run = || oracle::trace(&*case.snapshot, &case.block, &spec_of(&case.chain));
    let mut trace = run()?;
    for _ in 0..2 {
        for (least, again) in trace.transactions.iter_mut().zip(run()?.transactions) {
            least.nanos = least.nanos.min(again.nanos);
        }
    }
    Ok(trace)
}

/// The exact access list of a block, from the serial oracle.
pub fn exact_list(case: &Case) -> Result<Option<BlockAccessList>, SideError> {
    let outputs = Outputs { access_list: true, ..Outputs::default() };
    Ok(execute_serial(&*case.snapshot, &case.block, &spec_of(&case.chain), outputs)?.access_list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::Header;

    #[test]
    fn both_fork_schedules_give_the_same_environment() {
        for chain in [Chain::prague(), Chain::mainnet()] {
            for (number, timestamp) in [(1, 1_400_000_000), (14_000_000, 1_640_000_000), (20_000_000, 1_750_000_000)] {
                let header = Header {
                    number,
                    timestamp,
                    base_fee_per_gas: Some(7),
                    excess_blob_gas: Some(1 << 20),
                    ..Header::default()
                };
                assert_eq!(chain.evm_env(&header), spec_of(&chain).evm_env(&header), "block {number}");
            }
        }
    }
}
