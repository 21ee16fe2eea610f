//! What a measurement yields: plain data, written to JSON as it stands.

use crate::engine::Knowledge;
use braid_runtime::{
    bounds::{Bounds, Cost},
    engine::Timings,
    oracle::BlockTrace,
    predict::Score,
};
use serde::Serialize;

/// Median of a sample with its spread.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// First quartile.
    pub low: f64,
    /// Third quartile.
    pub high: f64,
}

impl Spread {
    /// Quartiles of a sample.
    pub fn of(mut sample: Vec<f64>) -> Self {
        sample.sort_by(f64::total_cmp);
        let at = |quarter: usize| match sample.len() {
            0 => 0.0,
            length => {
                let position = (length - 1) as f64 * quarter as f64 / 4.0;
                let (below, part) = (position as usize, position.fract());
                let above = (below + 1).min(length - 1);
                sample[below] * (1.0 - part) + sample[above] * part
            }
        };
        Self { median: at(2), low: at(1), high: at(3) }
    }
}

/// One block of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct BlockFigures {
    /// Name.
    pub name: String,
    /// Transactions.
    pub transactions: usize,
    /// Gas used.
    pub gas: u64,
    /// Milliseconds of A, median.
    pub a_ms: f64,
    /// Milliseconds of B, median.
    pub b_ms: f64,
    /// A / B in pairs.
    pub ratio: Spread,
}

/// Two sides on the same blocks.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Milliseconds of A, all blocks together, median.
    pub a_ms: f64,
    /// Milliseconds of B, all blocks together, median.
    pub b_ms: f64,
    /// A / B in pairs, all blocks together: by how much B is quicker.
    pub ratio: Spread,
    /// CPU seconds of one run of A over all blocks, user and system, mean.
    pub a_cpu: f64,
    /// CPU seconds of one run of B.
    pub b_cpu: f64,
    /// Block by block.
    pub blocks: Vec<BlockFigures>,
}

/// How much quicker than serial execution a block can be at most; see [`braid_runtime::bounds`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limits {
    /// Conflict bound.
    pub b0: f64,
    /// List schedule with perfect prediction.
    pub b1: f64,
    /// Value oracle.
    pub b2: f64,
}

impl Limits {
    /// Limits of all blocks executed one after the other.
    pub(crate) fn of(traces: &[BlockTrace], threads: usize) -> Self {
        let bounds: Vec<_> = traces.iter().map(|trace| trace.bounds(Cost::Time, threads)).collect();
        let serial: f64 = bounds.iter().map(|bounds| bounds.serial as f64).sum();
        let over = |speed_up: fn(&Bounds) -> f64| {
            let time: f64 = bounds.iter().map(|bounds| bounds.serial as f64 / speed_up(bounds)).sum();
            if time > 0.0 { serial / time } else { 1.0 }
        };
        Self { b0: over(|bounds| bounds.b0), b1: over(|bounds| bounds.b1), b2: over(|bounds| bounds.b2) }
    }
}

/// Predicted storage slots held against those really touched, over all transactions for which the predictor was asked.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Prediction {
    /// Transactions for which the predictor was asked.
    pub transactions: u64,
    /// Share of the predicted slots that were touched.
    pub precision: f64,
    /// Share of the touched slots that were predicted.
    pub recall: f64,
}

impl Prediction {
    pub(crate) fn of(timings: &[Box<Timings>]) -> Self {
        let mut score = Score::default();
        timings.iter().for_each(|timings| score.add(&timings.score.slots));
        let transactions = timings.iter().map(|timings| u64::from(timings.predicted)).sum();
        Self { transactions, precision: score.precision(), recall: score.recall() }
    }
}

/// The engine against the best serial baseline.
#[derive(Clone, Debug, Serialize)]
pub struct EngineFigures {
    /// Threads.
    pub threads: usize,
    /// What it knew.
    pub knowledge: Knowledge,
    /// A is the best serial baseline, B the engine.
    pub comparison: Comparison,
    /// Bounds at this number of threads.
    pub limits: Limits,
    /// Most heap bytes alive at once in a first run, beyond the blocks themselves.
    pub peak_bytes: u64,
    /// How good the predictions of storage slots were.
    pub prediction: Prediction,
    /// Transactions executed again, all blocks together.
    pub re_executions: u64,
    /// Plain transfers done without the EVM.
    pub native: u64,
    /// Executions along recorded paths, without the interpreter.
    pub replayed: u64,
    /// Transactions that ran ahead of their turn and held.
    pub ahead: u64,
    /// Transactions executed at their turn.
    pub ordered: u64,
    /// Transactions of which nothing was predicted.
    pub unknown: u64,
    /// Blocks that serial revm had to decide in the end.
    pub fallbacks: u64,
    /// Why the first of them did.
    pub fallback_reason: Option<String>,
}

/// All figures of one profile.
#[derive(Clone, Debug, Serialize)]
pub struct ProfileFigures {
    /// Name of the profile.
    pub name: &'static str,
    /// Group it is reported with.
    pub group: &'static str,
    /// Gas that each generated block was to use, as on the command line; `None` for real blocks.
    pub size: Option<String>,
    /// What was generated.
    pub notes: String,
    /// Transactions in all blocks.
    pub transactions: usize,
    /// Gas of all blocks.
    pub gas: u64,
    /// A is baseline (a), B baseline (b).
    pub baselines: Comparison,
    /// A is baseline (b), B baseline (c), which drops what the protocol wants kept.
    pub leanest: Comparison,
    /// Name of the quicker one.
    pub best: &'static str,
    /// Most heap bytes of baselines (a) and (b) alive at once in a first run.
    pub baseline_peak_bytes: [u64; 2],
    /// The engine.
    pub engine: Vec<EngineFigures>,
}

impl ProfileFigures {
    /// Name with the size.
    pub fn title(&self) -> String {
        self.size.as_ref().map_or_else(|| self.name.to_owned(), |size| format!("{} {size}", self.name))
    }

    /// Milliseconds of the best serial baseline.
    pub fn serial_ms(&self) -> f64 {
        self.baselines.a_ms.min(self.baselines.b_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_a_sample() {
        let spread = Spread::of(vec![5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!((spread.low, spread.median, spread.high), (2.0, 3.0, 4.0));
        assert_eq!(Spread::of(vec![7.0]).median, 7.0);
        assert_eq!(Spread::of(vec![1.0, 2.0]).median, 1.5);
    }
}
