//! One block, many ways through the engine, always the same result.
//!
//! [`Engines::check`] executes a block serially and then in every [`Setting`], on engines that are kept from block to block as a node
//! would keep them, and compares receipts, gas, blob gas, requests, the state change, the bundle made from it and the access list. An
//! engine that falls back to serial execution on a valid block gives the right result for the wrong reason: that is reported too.

use crate::misleading::{Scrambled, with_other_arguments};
use alloy_eip7928::BlockAccessList;
use alloy_hardforks::EthereumHardforks;
use braid_runtime::{
    AccessHints, BlockError, BlockOutcome, ChainSpec, Engine, EngineConfig, Mode, Outputs, RecoveredBlock,
    bundle_state::normalize,
    engine::{Learning, Path},
    oracle::execute_serial,
    paths::Paths,
    predict::{Predictor, PredictorConfig},
};
use revm::DatabaseRef;
use std::fmt;

/// What the engine knows about a block before it runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// Nothing.
    Empty,
    /// What this very block taught when it ran before.
    Learned,
    /// What the same calls taught on another state with other arguments.
    Wrong,
    /// The block's access list.
    Exact,
}

impl Prediction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Empty, Self::Learned, Self::Wrong, Self::Exact];
}

/// One way through the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which path.
    pub mode: Mode,
    /// On how many threads.
    pub threads: usize,
    /// What is known beforehand.
    pub prediction: Prediction,
    /// What is asked for.
    pub outputs: Outputs,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = if self.outputs == Outputs::ALL { "all" } else { "few" };
        write!(f, "{:?}, {} threads, prediction {:?}, {outputs} outputs", self.mode, self.threads, self.prediction)
    }
}

/// The engine and the oracle disagree.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {difference}")]
pub struct Mismatch {
    /// In which setting.
    pub setting: Setting,
    /// The first field that differs.
    pub difference: String,
}

/// What the oracle said, and how much the engine ran ahead in all settings together.
#[derive(Debug)]
pub struct Checked {
    /// Outcome of serial execution.
    pub serial: Result<BlockOutcome, BlockError>,
    /// Transactions that ran ahead and were found valid.
    pub ahead: u32,
    /// Transactions that ran twice.
    pub re_executions: u32,
    /// Transfers without the EVM.
    pub native: u32,
    /// Transactions that went along a path to the end.
    pub replayed: u64,
    /// Paths that an engine with one thread recorded and that did not do the same again.
    pub rejected: usize,
}

/// Engines by threads and mode, kept from block to block.
#[derive(Debug)]
pub struct Engines {
    engines: Vec<Engine>,
    predictions: Vec<Prediction>,
}

impl Engines {
    /// An engine for each pair of a mode and a number of threads.
    pub fn new(modes: &[Mode], threads: &[usize], predictions: &[Prediction]) -> Self {
        let pairs = modes.iter().flat_map(|mode| threads.iter().map(|threads| (*mode, *threads)));
        let engine = |(mode, threads)| Engine::new(config(mode, threads)).expect("worker threads start");
        Self { engines: pairs.map(engine).collect(), predictions: predictions.to_vec() }
    }

    /// The usual engine on so many threads, each with threads that read ahead, with every prediction.
    pub fn reading_ahead() -> Self {
        let engine = |threads| {
            let config = EngineConfig { readers: 3, ..config(Mode::Parallel, threads) };
            Engine::new(config).expect("threads start")
        };
        Self { engines: [1, 2, 4, 8].map(engine).into(), predictions: Prediction::ALL.to_vec() }
    }

    /// Every mode, thread count and prediction.
    pub fn all() -> Self {
        Self::new(&[Mode::Forced, Mode::Parallel], &[1, 2, 4, 8], &Prediction::ALL)
    }

    /// One engine that runs ahead whatever it can, on two threads, with every prediction.
    pub fn quick() -> Self {
        Self::new(&[Mode::Forced], &[2], &Prediction::ALL)
    }

    /// Executes the block in every setting and compares. The wrong prediction comes from the same calls on another state, with other
    /// arguments.
    ///
    /// # Errors
    /// The first setting whose result is not that of serial execution.
    pub fn check<S: DatabaseRef + Sync>(
        &mut self,
        snapshot: &S,
        block: &RecoveredBlock,
        spec: &ChainSpec,
    ) -> Result<Checked, Mismatch> {
        self.check_taught(snapshot, block, spec, &[with_other_arguments(block)])
    }

    /// Like [`Engines::check`], but the wrong prediction comes from these blocks, executed on another state.
    ///
    /// # Errors
    /// The first setting whose result is not that of serial execution.
    pub fn check_taught<S: DatabaseRef + Sync>(
        &mut self,
        snapshot: &S,
        block: &RecoveredBlock,
        spec: &ChainSpec,
        lessons: &[RecoveredBlock],
    ) -> Result<Checked, Mismatch> {
        let serial = execute_serial(snapshot, block, spec, Outputs::ALL);
        let mut checked = Checked { serial, ahead: 0, re_executions: 0, native: 0, replayed: 0, rejected: 0 };
        let exact = checked.serial.as_ref().ok().and_then(|outcome| outcome.access_list.clone());
        let run = Run { snapshot, block, spec, lessons, exact };
        for engine in &mut self.engines {
            for prediction in &self.predictions {
                let Some(hints) = run.prepare(engine, *prediction) else { continue };
                // Without records of every access the engine takes shorter ways.
                for outputs in [Outputs::default(), Outputs::ALL] {
                    let outcome = engine.execute_block(snapshot, block, spec, hints, outputs);
                    if let Ok(outcome) = &outcome {
                        checked.ahead += outcome.report.ahead;
                        checked.re_executions += outcome.report.re_executions;
                        checked.native += outcome.report.native;
                    }
                    if let Some(difference) = run.difference(&checked.serial, outcome, outputs) {
                        let EngineConfig { mode, threads, .. } = *engine.config();
                        let setting = Setting { mode, threads, prediction: *prediction, outputs };
                        return Err(Mismatch { setting, difference });
                    }
                }
                let paths = engine.paths().map(Paths::stats).unwrap_or_default();
                checked.replayed += paths.replayed;
                if engine.config().threads == 1 {
                    checked.rejected += paths.rejected;
                }
            }
        }
        Ok(checked)
    }
}

/// Configurations that differ in everything that steers the schedule.
fn config(mode: Mode, threads: usize) -> EngineConfig {
    let eager = EngineConfig {
        mode,
        threads,
        min_parallelism: 0.0,
        min_parallel_nanos: 0,
        predict_from_threads: 0,
        learning: Learning::WithinBlocks,
        ..EngineConfig::default()
    };
    match threads {
        // Small batches, so that even small blocks are planned in several.
        4 => EngineConfig { batch: 3, order_unknown: true, readers: 2, ..eager },
        2 => EngineConfig { learning: Learning::BetweenBlocks, ..eager },
        8 => {
            EngineConfig { min_parallel_nanos: 0, precompile_cache_bytes: 0, mode, threads, ..EngineConfig::default() }
        }
        _ => eager,
    }
}

struct Run<'a, S> {
    snapshot: &'a S,
    block: &'a RecoveredBlock,
    spec: &'a ChainSpec,
    lessons: &'a [RecoveredBlock],
    exact: Option<BlockAccessList>,
}

impl<S: DatabaseRef + Sync> Run<'_, S> {
    /// Brings the engine to know what the prediction says; `None` if there is no such thing.
    fn prepare(&self, engine: &mut Engine, prediction: Prediction) -> Option<AccessHints<'_>> {
        let Self { snapshot, block, spec, .. } = self;
        let mut hints = AccessHints::Predicted;
        engine.set_predictor(Predictor::new(PredictorConfig::default()));
        // What comes of a lesson is not looked at: an error teaches, too.
        match prediction {
            Prediction::Empty => {}
            Prediction::Learned => drop(engine.execute_block(*snapshot, block, spec, hints, Outputs::default())),
            Prediction::Wrong => {
                for lesson in self.lessons {
                    drop(engine.execute_block(&Scrambled(*snapshot), lesson, spec, hints, Outputs::default()));
                }
            }
            Prediction::Exact => hints = AccessHints::Exact(self.exact.as_ref()?),
        }
        engine.learn();
        Some(hints)
    }

    fn difference(
        &self,
        serial: &Result<BlockOutcome, BlockError>,
        engine: Result<BlockOutcome, BlockError>,
        outputs: Outputs,
    ) -> Option<String> {
        let (serial, engine) = match (serial, engine) {
            (Ok(serial), Ok(engine)) => (serial, engine),
            (Ok(_), Err(error)) => return Some(format!("the block is valid, the engine says: {error}")),
            (Err(error), Ok(_)) => return Some(format!("the engine accepts the block, serial says: {error}")),
            (Err(serial), Err(engine)) => {
                let is_same = std::mem::discriminant(serial) == std::mem::discriminant(&engine)
                    && serial.to_string() == engine.to_string();
                return (!is_same).then(|| format!("the engine says: {engine}; serial says: {serial}"));
            }
        };
        // A block without transactions may be on a state that does not know its beneficiary.
        if let Path::Fallback(reason) = &engine.report.path
            && !self.block.transactions().is_empty()
        {
            return Some(format!("the engine fell back: {reason}"));
        }
        let is_new_fork =
            self.spec.at(self.block.header()).is_amsterdam_active_at_timestamp(self.block.header().timestamp);
        if (engine.report.path == Path::Serial) != is_new_fork && !self.block.transactions().is_empty() {
            return Some("the engine did not run the block itself".to_owned());
        }
        let difference = first_difference(serial, &engine);
        if difference.is_some() || outputs != Outputs::ALL {
            return difference;
        }
        let (Some(expected), Some(given)) = (&serial.bundle, &engine.bundle) else {
            return Some("a bundle is missing".to_owned());
        };
        (normalize(given) != normalize(expected)).then(|| format!("the bundle is {given:#?}, expected {expected:#?}"))
    }
}

/// The first field in which two outcomes differ, the bundle and the report excepted. The actual one need not have an access list.
pub fn first_difference(expected: &BlockOutcome, actual: &BlockOutcome) -> Option<String> {
    let (mut wanted, mut got) = (expected.diff.clone(), actual.diff.clone());
    wanted.sort();
    got.sort();
    first_unequal("receipt", &expected.receipts, &actual.receipts)
        .or_else(|| unequal("gas used", &expected.gas_used, &actual.gas_used))
        .or_else(|| unequal("blob gas used", &expected.blob_gas_used, &actual.blob_gas_used))
        .or_else(|| unequal("requests", &expected.requests, &actual.requests))
        .or_else(|| first_unequal("account", &wanted.accounts, &got.accounts))
        .or_else(|| first_unequal("slot", &wanted.slots, &got.slots))
        .or_else(|| first_unequal("contract", &wanted.contracts, &got.contracts))
        .or_else(|| match (&expected.access_list, &actual.access_list) {
            (Some(expected), Some(actual)) => first_unequal("listed account", expected, actual),
            (Some(_), None) | (None, None) => None,
            (None, Some(_)) => Some("there is an access list that nobody asked for".to_owned()),
        })
}

fn unequal<T: PartialEq + fmt::Debug>(name: &str, expected: &T, actual: &T) -> Option<String> {
    (expected != actual).then(|| format!("{name} is {actual:?}, expected {expected:?}"))
}

fn first_unequal<T: PartialEq + fmt::Debug>(name: &str, expected: &[T], actual: &[T]) -> Option<String> {
    let index = (0..expected.len().max(actual.len())).find(|index| expected.get(*index) != actual.get(*index))?;
    let (expected, actual) = match (expected.get(index), actual.get(index)) {
        (Some(expected), Some(actual)) => first_unequal_part(expected, actual),
        (expected, actual) => (format!("{expected:?}"), format!("{actual:?}")),
    };
    Some(format!("{name} {index} is {actual}, expected {expected}"))
}

/// Where two values that may be long begin to differ, each with what stands before it.
fn first_unequal_part<T: fmt::Debug>(expected: &T, actual: &T) -> (String, String) {
    const BEFORE: usize = 400;
    let (expected, actual) = (format!("{expected:?}"), format!("{actual:?}"));
    let common = expected.bytes().zip(actual.bytes()).take_while(|(left, right)| left == right).count();
    let part = |text: &str| {
        let start = text.char_indices().map(|(at, _)| at).take_while(|at| at + BEFORE <= common).last().unwrap_or(0);
        let head = text.get(..80.min(start)).unwrap_or_default();
        format!("{head} … {}", text[start..].chars().take(2 * BEFORE).collect::<String>())
    };
    (part(&expected), part(&actual))
}
