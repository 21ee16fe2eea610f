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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        digest::first_difference,
        workload::{self, Size, WorkloadError},
    };

    /// Both baselines on every block of a profile; `false` when what it needs is not there.
    fn agree(profile: &str) -> bool {
        let size = Size { gas: 5_000_000 };
        let workload = match workload::build(profile, size, 3) {
            Ok(workload) => workload,
            Err(error @ (WorkloadError::NoBlocks(_) | WorkloadError::Contract(_))) => {
                println!("skipped {profile}: {error}");
                return false;
            }
            Err(error) => panic!("{profile}: {error}"),
        };
        let mut map = Map::default();
        for (position, case) in workload.cases.iter().enumerate() {
            let (a, b) = (Bundle.execute(position, case).unwrap(), map.execute(position, case).unwrap());
            assert_eq!(first_difference(&a, &b), None, "{profile}, block {}", case.name);
            assert_eq!(a.digest(), b.digest(), "{profile}, block {}", case.name);
        }
        true
    }

    #[test]
    fn both_agree_on_transfers() {
        for profile in workload::PROFILES.iter().filter(|profile| profile.group == "transfers") {
            assert!(agree(profile.name));
        }
    }

    #[test]
    fn both_agree_on_mainnet_blocks() {
        agree("mainnet");
    }
}
