//! Plain serial revm, tuned as its own users would: what every speed-up is measured against.
//!
//! Both sides run the very same loop ([`block`]): one EVM for the whole block, transactions converted inside the timed
//! part, system calls, withdrawals and rewards where the fork has them. They differ in where the state goes:
//!
//! * [`Bundle`] (a): revm's `State` with bundle update, `merge_transitions` and `take_bundle`, as nodes use it;
//! * [`Map`] (b): flat foldhash maps written in place, kept (with their memory) from block to block, from which the merged
//!   difference is read at the end.
//!
//! The clock stops when receipts and merged difference are there; freeing what the block left behind is outside it on
//! all sides. The quicker of the two on a profile is "the best serial baseline".

mod block;
mod bundle;
mod map;
mod map_state;

pub use bundle::Bundle;
pub use map::Map;

use crate::{
    side::{Execution, Side, SideError},
    workload::Case,
};

/// Baseline (b) in one call; measure with a kept [`Map`], so that its memory is warm.
pub fn run_b(case: &Case) -> Result<Execution, SideError> {
    Map::default().execute(0, case)
}

/// Baseline (a) in one call.
pub fn run_a(case: &Case) -> Result<Execution, SideError> {
    Bundle.execute(0, case)
}
