//! The results of a replay, as data: what the table, the JSON file and the page are made of.

use super::input::Problem;
use alloy_primitives::B256;
use braid_runtime::{
    bounds::Bounds,
    engine::Timings,
    predict::{Score, ScoreReport},
};
use serde::Serialize;

/// Version of the JSON layout.
pub(super) const LAYOUT: u32 = 1;

/// A whole run.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Version of this layout.
    pub(super) layout: u32,
    /// Version of the program.
    pub(super) braid: &'static str,
    pub(super) mode: &'static str,
    pub(super) threads: usize,
    pub(super) predictor: String,
    /// Timed runs of each block and side.
    pub(super) repeat: u32,
    /// What serial times are those of.
    pub(super) baseline: &'static str,
    pub(super) blocks: Vec<BlockFigures>,
    /// Blocks that could not be run.
    pub(super) problems: Vec<Problem>,
    pub(super) total: Total,
    pub(super) exit_code: u8,
}

/// One block that was run.
#[derive(Debug, Default, Serialize)]
pub(super) struct BlockFigures {
    pub(super) name: String,
    pub(super) number: u64,
    pub(super) hash: B256,
    pub(super) fork: String,
    pub(super) transactions: usize,
    pub(super) gas: u64,
    /// Everything that differs; empty when all is equal.
    pub(super) mismatches: Vec<String>,
    /// Whether the state root was among what was compared.
    pub(super) state_root_checked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) serial_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parallel_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) speed_up: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schedule: Option<Schedule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bounds: Option<SpeedUpBounds>,
    /// For the page.
    #[serde(skip)]
    pub(super) timings: Option<Box<Timings>>,
}

/// How the engine ran a block.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Schedule {
    /// `parallel`, `serial`, or why stock revm had to decide.
    pub(crate) path: String,
    /// Chains that could start independently.
    pub(crate) groups: u32,
    /// Transactions that ran ahead of their turn and held.
    pub(crate) ahead: u32,
    /// Transactions that ran at their turn.
    pub(crate) ordered: u32,
    /// Plain transfers without the EVM.
    pub(crate) native: u32,
    /// Executions along recorded paths, without the interpreter.
    pub(crate) replayed: u32,
    pub(crate) re_executions: u32,
    /// Transactions of which nothing was known.
    pub(crate) unknown: u32,
    pub(crate) prediction: Prediction,
}

/// How good predictions of storage slots were.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Prediction {
    /// Transactions that were predicted.
    pub(crate) transactions: u32,
    #[serde(flatten)]
    pub(crate) slots: ScoreReport,
    /// Slots predicted in vain for each slot touched.
    pub(crate) over_prediction: f64,
}

impl Prediction {
    pub(super) fn new(transactions: u32, score: Score) -> Self {
        Self { transactions, slots: score.into(), over_prediction: score.over_prediction() }
    }

    fn sum(parts: impl Iterator<Item = Self>) -> Self {
        let (mut score, mut transactions) = (Score::default(), 0);
        for Self { transactions: more, slots, .. } in parts {
            transactions += more;
            score.add(&Score {
                true_positive: slots.right,
                false_positive: slots.superfluous,
                false_negative: slots.missed,
            });
        }
        Self::new(transactions, score)
    }
}

/// The most that any engine could reach with these threads, from a trace of the serial run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SpeedUpBounds {
    /// Time of the longest chain of dependent transactions.
    pub(super) critical_path_ms: f64,
    /// The same as a part of the time of all transactions.
    pub(super) critical_path: f64,
    /// Conflict bound.
    pub(super) b0: f64,
    /// List schedule with perfect prediction.
    pub(super) b1: f64,
    /// Exact access list.
    pub(super) b2: f64,
    #[serde(skip)]
    pub(super) serial_ns: f64,
}

impl From<Bounds> for SpeedUpBounds {
    fn from(bounds: Bounds) -> Self {
        let Bounds { serial, critical_path, b0, b1, b2, .. } = bounds;
        Self {
            critical_path_ms: critical_path as f64 / 1e6,
            critical_path: if serial > 0 { critical_path as f64 / serial as f64 } else { 0.0 },
            b0,
            b1,
            b2,
            serial_ns: serial as f64,
        }
    }
}

impl SpeedUpBounds {
    /// Bounds of blocks that are executed one after the other.
    fn sum<'a>(blocks: impl Iterator<Item = &'a Self> + Clone) -> Option<Self> {
        let serial_ns: f64 = blocks.clone().map(|block| block.serial_ns).sum();
        if serial_ns <= 0.0 {
            return None;
        }
        let over = |bound: fn(&Self) -> f64| {
            serial_ns / blocks.clone().map(|block| block.serial_ns / bound(block)).sum::<f64>()
        };
        let critical_path_ms: f64 = blocks.clone().map(|block| block.critical_path_ms).sum();
        Some(Self {
            critical_path_ms,
            critical_path: critical_path_ms * 1e6 / serial_ns,
            b0: over(|block| block.b0),
            b1: over(|block| block.b1),
            b2: over(|block| block.b2),
            serial_ns,
        })
    }
}

/// All blocks together.
#[derive(Debug, Default, Serialize)]
pub(super) struct Total {
    pub(super) blocks: usize,
    /// Blocks with a mismatch.
    pub(super) mismatched: usize,
    pub(super) state_roots_checked: usize,
    pub(super) transactions: usize,
    pub(super) gas: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) serial_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parallel_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) speed_up: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) schedule: Option<Schedule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bounds: Option<SpeedUpBounds>,
}

impl Total {
    pub(super) fn of(blocks: &[BlockFigures]) -> Self {
        let sum = |of: fn(&BlockFigures) -> Option<f64>| {
            let times: Vec<f64> = blocks.iter().filter_map(of).collect();
            (!times.is_empty()).then(|| times.iter().sum::<f64>())
        };
        // Only blocks that have both times count for the ratio.
        let both = || blocks.iter().filter_map(|block| Some((block.serial_ms?, block.parallel_ms?)));
        let (serial, parallel) = both().fold((0.0, 0.0), |sum, times| (sum.0 + times.0, sum.1 + times.1));
        let schedules: Vec<&Schedule> = blocks.iter().filter_map(|block| block.schedule.as_ref()).collect();
        let count = |of: fn(&Schedule) -> u32| schedules.iter().map(|schedule| of(schedule)).sum();
        let schedule = (!schedules.is_empty()).then(|| Schedule {
            path: String::new(),
            groups: count(|schedule| schedule.groups),
            ahead: count(|schedule| schedule.ahead),
            ordered: count(|schedule| schedule.ordered),
            native: count(|schedule| schedule.native),
            replayed: count(|schedule| schedule.replayed),
            re_executions: count(|schedule| schedule.re_executions),
            unknown: count(|schedule| schedule.unknown),
            prediction: Prediction::sum(schedules.iter().map(|schedule| schedule.prediction)),
        });
        Self {
            blocks: blocks.len(),
            mismatched: blocks.iter().filter(|block| !block.mismatches.is_empty()).count(),
            state_roots_checked: blocks.iter().filter(|block| block.state_root_checked).count(),
            transactions: blocks.iter().map(|block| block.transactions).sum(),
            gas: blocks.iter().map(|block| block.gas).sum(),
            serial_ms: sum(|block| block.serial_ms),
            parallel_ms: sum(|block| block.parallel_ms),
            speed_up: (parallel > 0.0).then(|| serial / parallel),
            schedule,
            bounds: SpeedUpBounds::sum(blocks.iter().filter_map(|block| block.bounds.as_ref())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_those_of_the_blocks_run_one_after_the_other() {
        let bounds = |serial, b0| SpeedUpBounds {
            critical_path_ms: 1.0,
            critical_path: 0.5,
            b0,
            b1: 1.0,
            b2: 2.0,
            serial_ns: serial,
        };
        let block = |serial_ms, parallel_ms, b0| BlockFigures {
            transactions: 3,
            gas: 10,
            serial_ms: Some(serial_ms),
            parallel_ms: Some(parallel_ms),
            bounds: Some(bounds(serial_ms * 1e6, b0)),
            ..Default::default()
        };
        let total = Total::of(&[block(4.0, 2.0, 2.0), block(4.0, 4.0, 1.0)]);
        assert_eq!((total.blocks, total.transactions, total.gas, total.mismatched), (2, 6, 20, 0));
        assert_eq!((total.serial_ms, total.parallel_ms), (Some(8.0), Some(6.0)));
        assert_eq!(total.speed_up, Some(8.0 / 6.0));
        let bounds = total.bounds.unwrap();
        assert_eq!((bounds.b0, bounds.b1, bounds.b2), (8.0 / 6.0, 1.0, 2.0));
        assert_eq!(bounds.critical_path, 0.25);
        assert!(Total::of(&[]).speed_up.is_none());
    }
}
