//! Baseline (a): revm's `State`.

use super::block;
use crate::{
    side::{Execution, MergedDiff, Side, SideError},
    workload::Case,
};
use revm::database::{State, WrapDatabaseRef, states::bundle_state::BundleRetention};
use std::time::Instant;

/// One EVM over `State` with bundle update; the block's bundle is the merged difference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bundle;

impl Side for Bundle {
    fn name(&self) -> String {
        "revm, State".to_owned()
    }

    fn execute(&mut self, _: usize, case: &Case) -> Result<Execution, SideError> {
        let started = Instant::now();
        let state = State::builder().with_database(WrapDatabaseRef(&*case.snapshot)).with_bundle_update().build();
        let (mut state, receipts) = block::execute(state, case, None)?;
        state.merge_transitions(BundleRetention::Reverts);
        let bundle = state.take_bundle();
        let elapsed = started.elapsed();
        Ok(Execution { elapsed, receipts, diff: MergedDiff::Bundle(Box::new(bundle)) })
    }
}
