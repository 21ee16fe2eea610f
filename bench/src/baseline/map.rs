//! Baseline (b): flat maps written in place.

use super::{block, map_state::MapState};
use crate::{
    side::{Execution, MergedDiff, Side, SideError},
    snapshot::Snapshot,
    workload::Case,
};
use std::time::Instant;

/// One EVM over flat maps whose memory is kept from block to block.
#[derive(Debug, Default)]
pub struct Map {
    memory: MapState<'static>,
}

impl Side for Map {
    fn name(&self) -> String {
        "revm, map".to_owned()
    }

    fn execute(&mut self, _: usize, case: &Case) -> Result<Execution, SideError> {
        let started = Instant::now();
        let state: MapState<'_> = std::mem::take(&mut self.memory).over(&case.snapshot);
        let (mut state, receipts) = block::execute(state, case)?;
        let diff = state.take_diff();
        let elapsed = started.elapsed();
        self.memory = state.cleared();
        Ok(Execution { elapsed, receipts, diff: MergedDiff::Plain(diff) })
    }
}

/// Parent state of a [`MapState`] that is not in use.
pub(super) static NOTHING: std::sync::LazyLock<Snapshot> = std::sync::LazyLock::new(Snapshot::new);
