//! Running one block: first everything is checked, then everything is timed.
//!
//! The oracle (stock revm, one transaction after the other) says what is right. Its outcome is held against the header; the outcomes of the
//! baseline and of the engine, in every single run, are held against its. Times are of runs in which nothing else is asked for than receipts and the
//! merged state change.

use super::{
    difference::{first_difference, normalize},
    figures::{BlockFigures, Prediction, Schedule},
    input::{Problem, ReplayBlock},
    knowledge,
};
use crate::cli::Mode;
use braid_chain::{validate, validation::StateRootCheck};
use braid_runtime::{
    AccessHints, BlockError, BlockOutcome, Engine, EngineConfig, Outputs, ScheduleReport, SerialBaseline,
    bounds::Cost,
    engine::{Learning, Path},
    oracle::{self, BlockTrace},
};
use std::time::Instant;

/// What serial times are those of.
pub(super) const BASELINE: &str =
    "plain revm, one EVM over two hash maps written in place, memory kept from block to block";

/// Runs blocks, one after the other.
#[derive(Debug)]
pub(super) struct Runner {
    engine: Engine,
    baseline: SerialBaseline,
    mode: Mode,
    threads: usize,
    repeat: u32,
}

/// The name under which a side is blamed.
const BASELINE_SIDE: &str = "serial baseline";
const ENGINE_SIDE: &str = "parallel";

impl Runner {
    pub(super) fn new(mode: Mode, threads: usize, repeat: u32) -> eyre::Result<Self> {
        let config = EngineConfig { threads, ..EngineConfig::default() };
        let engine = Engine::new(config).map_err(|error| eyre::eyre!("{error}"))?;
        Ok(Self { engine, baseline: SerialBaseline::default(), mode, threads, repeat })
    }

    /// Runs a block. `predictor` is a saved one, empty for a cold start.
    pub(super) fn run(&mut self, block: &ReplayBlock, predictor: &[u8]) -> Result<BlockFigures, Problem> {
        let problem = |reason: String| Problem { name: block.name.clone(), reason };
        let header = block.block.header();
        let mut figures = BlockFigures {
            name: block.name.clone(),
            number: header.number,
            hash: block.hash,
            fork: block.spec.spec_id(header).to_string(),
            transactions: block.block.transactions().len(),
            ..Default::default()
        };
        self.prepare(predictor);
        let expected = match oracle::execute_serial(&block.snapshot, &block.block, &block.spec, Outputs::ALL) {
            Ok(outcome) => normalize(outcome),
            Err(error) => {
                if self.mode.times_engine()
                    && let Some(difference) = self.disagreement(block, predictor, &error)
                {
                    figures.mismatches.push(difference);
                    return Ok(figures);
                }
                return Err(problem(error.to_string()));
            }
        };
        figures.gas = expected.gas_used;
        let validation = validate(&block.bundle, &block.snapshot, &expected);
        figures.state_root_checked = validation.state_root == StateRootCheck::Compared;
        figures.mismatches.extend(validation.mismatches.iter().map(|mismatch| format!("header: {mismatch}")));

        self.check(block, predictor, &expected, &mut figures);
        if figures.mismatches.is_empty() {
            self.time(block, predictor, &expected, &mut figures).map_err(|error| problem(error.to_string()))?;
        }
        if self.mode.times_serial() && self.mode.times_engine() {
            let trace = self.trace(block).map_err(|error| problem(error.to_string()))?;
            figures.bounds = Some(trace.bounds(Cost::Time, self.threads).into());
        }
        Ok(figures)
    }

    /// The oracle refuses the block: whether the engine does not.
    fn disagreement(&mut self, block: &ReplayBlock, predictor: &[u8], refusal: &BlockError) -> Option<String> {
        match self.execute(block, predictor, None, Outputs::default()).1 {
            Ok(_) => Some(format!("{ENGINE_SIDE}: the block is accepted, serially it is not: {refusal}")),
            Err(error) if error.is_invalid() != refusal.is_invalid() => {
                Some(format!("{ENGINE_SIDE}: {error}, serially: {refusal}"))
            }
            Err(_) => None,
        }
    }

    /// Compares what each side gives, with everything asked for. Fills in how the schedule went.
    fn check(&mut self, block: &ReplayBlock, predictor: &[u8], expected: &BlockOutcome, figures: &mut BlockFigures) {
        if self.mode.times_serial() {
            let outcome = self.baseline.execute(&block.snapshot, &block.block, &block.spec);
            figures.mismatches.extend(compare(BASELINE_SIDE, expected, outcome).err());
        }
        if self.mode.times_engine() {
            match compare(ENGINE_SIDE, expected, self.execute(block, predictor, Some(expected), Outputs::ALL).1) {
                Ok(outcome) => {
                    figures.schedule = Some(schedule(&outcome.report));
                    figures.timings = outcome.report.timings;
                }
                Err(difference) => figures.mismatches.push(difference),
            }
        }
    }

    /// Times both sides, interleaved: serial, parallel, parallel, serial and so on.
    fn time(
        &mut self,
        block: &ReplayBlock,
        predictor: &[u8],
        expected: &BlockOutcome,
        figures: &mut BlockFigures,
    ) -> Result<(), BlockError> {
        let (mut serial, mut parallel) = (Vec::new(), Vec::new());
        let warm_up = u32::from(self.repeat > 1);
        for round in 0..self.repeat + warm_up {
            let counts = round >= warm_up;
            for side in [round % 2 == 0, round % 2 != 0] {
                let (name, times, (elapsed, outcome)) = match side {
                    true if self.mode.times_serial() => {
                        let started = Instant::now();
                        let outcome = self.baseline.execute(&block.snapshot, &block.block, &block.spec);
                        (BASELINE_SIDE, &mut serial, (started.elapsed().as_secs_f64() * 1e3, outcome))
                    }
                    false if self.mode.times_engine() => {
                        (ENGINE_SIDE, &mut parallel, self.execute(block, predictor, Some(expected), Outputs::default()))
                    }
                    _ => continue,
                };
                if let Err(difference) = compare(name, expected, outcome) {
                    figures.mismatches.push(difference);
                    return Ok(());
                }
                if counts {
                    times.push(elapsed);
                }
            }
        }
        figures.serial_ms = median(serial);
        figures.parallel_ms = median(parallel);
        figures.speed_up = figures.serial_ms.zip(figures.parallel_ms).map(|(serial, parallel)| serial / parallel);
        Ok(())
    }

    /// Gives the engine what it may know of a block.
    fn prepare(&mut self, predictor: &[u8]) {
        self.engine.set_predictor(knowledge::load(predictor).unwrap_or_default());
    }

    /// One run of the engine, with its milliseconds. It knows what `predictor` says and nothing of earlier runs.
    fn execute(
        &mut self,
        block: &ReplayBlock,
        predictor: &[u8],
        expected: Option<&BlockOutcome>,
        outputs: Outputs,
    ) -> (f64, Result<BlockOutcome, BlockError>) {
        self.engine.forget_results();
        if self.engine.config().learning == Learning::WithinBlocks {
            self.prepare(predictor);
        }
        let list = expected.and_then(|expected| expected.access_list.as_ref());
        let hints = match list {
            Some(list) if self.mode == Mode::Exact => AccessHints::Exact(list),
            _ => AccessHints::Predicted,
        };
        let started = Instant::now();
        let outcome = self.engine.execute_block(&block.snapshot, &block.block, &block.spec, hints, outputs);
        (started.elapsed().as_secs_f64() * 1e3, outcome)
    }

    /// What the transactions depend on and how long each takes: the least of two runs, so that a moment in which the machine was busy counts less.
    fn trace(&self, block: &ReplayBlock) -> Result<BlockTrace, BlockError> {
        let run = || oracle::trace(&block.snapshot, &block.block, &block.spec);
        let mut trace = run()?;
        if self.repeat > 1 {
            for (least, again) in trace.transactions.iter_mut().zip(run()?.transactions) {
                least.nanos = least.nanos.min(again.nanos);
            }
        }
        Ok(trace)
    }
}

/// The outcome, if it is the expected one; else what differs first.
fn compare(
    side: &str,
    expected: &BlockOutcome,
    outcome: Result<BlockOutcome, BlockError>,
) -> Result<BlockOutcome, String> {
    let outcome = outcome.map(normalize).map_err(|error| format!("{side}: {error}, serially the block is valid"))?;
    match first_difference(expected, &outcome) {
        Some(difference) => Err(format!("{side}: {difference}")),
        None => Ok(outcome),
    }
}

/// How the engine ran a block.
pub(crate) fn schedule(report: &ScheduleReport) -> Schedule {
    let prediction = report.timings.as_ref().map(|timings| Prediction::new(timings.predicted, timings.score.slots));
    Schedule {
        path: match &report.path {
            Path::Serial => "serial".to_owned(),
            Path::Parallel => "parallel".to_owned(),
            Path::Fallback(reason) => format!("serial: {reason}"),
        },
        groups: report.groups,
        ahead: report.ahead,
        ordered: report.ordered,
        native: report.native,
        replayed: report.replayed,
        re_executions: report.re_executions,
        unknown: report.unknown,
        prediction: prediction.unwrap_or_default(),
    }
}

fn median(mut sample: Vec<f64>) -> Option<f64> {
    sample.sort_by(f64::total_cmp);
    let middle = sample.len() / 2;
    match sample.len() {
        0 => None,
        length if length % 2 == 1 => Some(sample[middle]),
        _ => Some((sample[middle - 1] + sample[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(Vec::new()), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }
}
