//! Baselines (b) and (c): flat maps written in place, each transaction's result kept or dropped.

use super::{block, map_state::MapState};
use crate::{
    side::{Execution, MergedDiff, Side, SideError},
    snapshot::Snapshot,
    workload::Case,
};
use std::time::Instant;

/// One EVM over flat maps whose memory is kept from block to block.
#[derive(Debug)]
pub struct Map {
    memory: MapState<'static>,
    keeps_results: bool,
}

impl Map {
    /// Baseline (b): keeps the state change of each transaction, as whoever serves receipts, traces or per-transaction results needs it.
    pub fn keeping_results() -> Self {
        Self { memory: MapState::default(), keeps_results: true }
    }

    /// Baseline (c): drops everything but receipts and the merged difference. Leaner than the protocol's baselines.
    pub fn dropping_results() -> Self {
        Self { memory: MapState::default(), keeps_results: false }
    }
}

impl Side for Map {
    fn name(&self) -> String {
        if self.keeps_results { "revm, map, results kept".to_owned() } else { "revm, map, results dropped".to_owned() }
    }

    fn execute(&mut self, _: usize, case: &Case) -> Result<Execution, SideError> {
        let started = Instant::now();
        let state: MapState<'_> = std::mem::take(&mut self.memory).over(&case.snapshot);
        let mut kept = Vec::with_capacity(if self.keeps_results { case.block.senders().len() } else { 0 });
        let (mut state, receipts) = block::execute(state, case, self.keeps_results.then_some(&mut kept))?;
        let diff = state.take_diff();
        let elapsed = started.elapsed();
        drop(kept);
        self.memory = state.cleared();
        Ok(Execution { elapsed, receipts, diff: MergedDiff::Plain(diff) })
    }
}

/// Parent state of a [`MapState`] that is not in use.
pub(super) static NOTHING: std::sync::LazyLock<Snapshot> = std::sync::LazyLock::new(Snapshot::new);
