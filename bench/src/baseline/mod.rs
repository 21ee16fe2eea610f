//! Plain serial revm, tuned as its own users would: what every speed-up is measured against.
//!
//! All of them run the very same loop ([`block`]): one EVM for the whole block, transactions converted inside the timed
//! part, system calls, withdrawals and rewards where the fork has them. They differ in where the state goes:
//!
//! * [`Bundle`] (a): revm's `State` with bundle update, `merge_transitions` and `take_bundle`, as nodes use it;
//! * [`Map`] (b): flat foldhash maps written in place, kept (with their memory) from block to block, from which the merged
//!   difference is read at the end; the state change of each transaction is kept beside it, as the protocol wants;
//! * [`Map`] (c): the same with the results of transactions dropped, which is less than the protocol asks of a baseline. It is measured
//!   against (b), so that every speed-up can be read against it too.
//!
//! The clock stops when receipts and merged difference are there; freeing what the block left behind is outside it on
//! all sides. The quicker of (a) and (b) on a profile is "the best serial baseline".

pub(crate) mod block;
mod bundle;
mod map;
pub(crate) mod map_state;

pub use bundle::Bundle;
pub use map::Map;

use crate::{
    side::{Execution, Side, SideError},
    workload::Case,
};

/// Baseline (b) in one call; measure with a kept [`Map`], so that its memory is warm.
pub fn run_b(case: &Case) -> Result<Execution, SideError> {
    Map::keeping_results().execute(0, case)
}

/// Baseline (a) in one call.
pub fn run_a(case: &Case) -> Result<Execution, SideError> {
    Bundle.execute(0, case)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contracts,
        digest::first_difference,
        workload::{self, Profile, Size, Workload, WorkloadError},
    };

    fn agree(workload: &Workload) {
        let (mut map, mut lean) = (Map::keeping_results(), Map::dropping_results());
        for (position, case) in workload.cases.iter().enumerate() {
            let (a, b) = (Bundle.execute(position, case).unwrap(), map.execute(position, case).unwrap());
            assert_eq!(first_difference(&a, &b), None, "{}, block {}", workload.name, case.name);
            assert_eq!(a.digest(), b.digest(), "{}, block {}", workload.name, case.name);
            let c = lean.execute(position, case).unwrap();
            assert_eq!(a.digest(), c.digest(), "{}, block {}", workload.name, case.name);
        }
    }

    /// Builds a small block of a profile, in which about as much gas must be used as was asked for.
    fn small(profile: &Profile) -> Workload {
        let size = Size { gas: 20_000_000 };
        let workload = workload::build(profile.name, size, 3).unwrap();
        for (position, case) in workload.cases.iter().enumerate() {
            let receipts = Bundle.execute(position, case).unwrap().receipts;
            let gas = receipts.last().unwrap().cumulative_gas_used;
            assert!((16_000_000..=24_000_000).contains(&gas), "{} uses {gas} gas", profile.name);
            let failed = receipts.iter().filter(|receipt| !receipt.success).count();
            let expected = match profile.name {
                // Swaps that slip, and children called after they are gone.
                "dex-hot-multihop" | "mispredict-semantics" => receipts.len() / 5,
                // Swaps that slip, and transfers of more than there is.
                "defi-mix" => receipts.len() / 25,
                "lending-cascade" => receipts.len() / 50,
                _ => 0,
            };
            assert!(failed <= expected, "{}: {failed} of {} transactions fail", profile.name, receipts.len());
        }
        workload
    }

    #[test]
    fn both_agree_on_transfers() {
        for profile in workload::PROFILES.iter().filter(|profile| profile.group == "transfers") {
            agree(&small(profile));
        }
    }

    #[test]
    fn both_agree_on_real_contracts() {
        if !contracts::is_installed() {
            println!("skipped: the contracts are not installed; running any profile with contracts installs them");
            return;
        }
        for profile in workload::PROFILES.iter().filter(|profile| profile.needs_contracts) {
            agree(&small(profile));
        }
    }

    #[test]
    fn both_agree_on_mainnet_blocks() {
        match workload::build("mainnet", Size::SMALL, 1) {
            Ok(workload) => agree(&workload),
            Err(WorkloadError::NoBlocks(path)) => println!("skipped: there is nothing at {}", path.display()),
            Err(error) => panic!("{error}"),
        }
    }
}
