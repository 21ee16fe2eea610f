//! DifficultyTests, and the difficulties among the BasicTests.

use crate::suite::{cases, for_each_file};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::B256;
use braid_chain::consensus::next_difficulty;
use braid_fixtures::suites::difficulty_test::{DifficultyCase, DifficultyTest};
use braid_runtime::ChainSpec;

/// Tells what is wrong with the difficulty of a case, if anything is.
pub(crate) fn difference(case: &DifficultyCase, spec: &ChainSpec) -> Option<String> {
    let parent = Header {
        number: case.current_block_number.to::<u64>() - 1,
        difficulty: case.parent_difficulty,
        timestamp: case.parent_timestamp.to(),
        ommers_hash: if case.parent_uncles { B256::ZERO } else { EMPTY_OMMER_ROOT_HASH },
        ..Header::default()
    };
    let (expected, got) = (case.current_difficulty, next_difficulty(&parent, case.current_timestamp.to(), spec));
    (expected != got).then(|| format!("expected {expected}, got {got}"))
}

#[test]
fn every_fork_and_every_delay_of_the_bomb() {
    let (mut passed, mut failures) = (0, Vec::new());
    for_each_file("ethereum-tests-DifficultyTests", |file, content| {
        for (name, test) in cases::<DifficultyTest>(file, content) {
            for (fork, cases) in &test.forks {
                // The two differ in the metering of gas only.
                let spec =
                    ChainSpec::from_suite_fork(if fork == "Constantinople" { "ConstantinopleFix" } else { fork });
                let spec = spec.unwrap_or_else(|error| panic!("{name}: {error}"));
                for (case_name, case) in cases {
                    match difference(case, &spec) {
                        None => passed += 1,
                        Some(difference) => failures.push(format!("{name}, {case_name}: {difference}")),
                    }
                }
            }
        }
    });
    println!("{passed} passed");
    assert!(failures.is_empty(), "{} failed: {:#?}", failures.len(), &failures[..failures.len().min(20)]);
}
