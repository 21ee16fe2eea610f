//! Workloads, serial baselines and the harness that compares them with the parallel engine.
//!
//! A benchmark here is a program that prints a table and writes a report, never a test that passes or fails by the clock.
//! Start at [`workload`] for what is measured, [`baseline`] for what it is measured against.

pub mod baseline;
pub mod building;
pub mod chain;
pub mod cold;
pub mod contracts;
pub mod defi_chain;
pub mod digest;
pub mod engine;
pub mod figures;
mod genesis;
pub mod harness;
pub mod import;
pub mod machine;
pub mod memory;
pub mod prediction;
pub mod report;
pub mod rpc_load;
pub mod scaling;
pub mod serial_trie;
pub mod side;
pub mod snapshot;
pub mod state_root;
pub mod workload;
