//! `braid statetest`, `blocktest` and `enginetest`: the conformance suites of Ethereum.
//!
//! [`run`] reads the files and hands them to a few jobs; a [`run::Suite`] runs the cases of one format ([`state_test`], [`block_test`],
//! [`engine_test`]); [`case`] is what becomes of a case, and [`report`] what is told about all of them. [`skips`] is the list of what is not
//! run.

mod access_list;
mod block_test;
mod case;
mod chain_run;
mod engine_test;
mod options;
mod report;
mod run;
mod skips;
mod state_test;

pub(crate) use options::SuiteOptions;

use block_test::BlockSuite;
use engine_test::EngineSuite;
use state_test::StateSuite;

/// Runs `braid statetest` and tells the exit code.
pub(crate) fn state_tests(options: &SuiteOptions) -> eyre::Result<u8> {
    run::run(&StateSuite::new(options), "statetest", options)
}

/// Runs `braid blocktest` and tells the exit code.
pub(crate) fn block_tests(options: &SuiteOptions) -> eyre::Result<u8> {
    run::run(&BlockSuite::new(options), "blocktest", options)
}

/// Runs `braid enginetest` and tells the exit code.
pub(crate) fn engine_tests(options: &SuiteOptions) -> eyre::Result<u8> {
    run::run(&EngineSuite::new(options), "enginetest", options)
}
