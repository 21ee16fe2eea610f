//! viem, ethers and web3.js.

use super::{
    driver::Driver,
    node::RunningNode,
    packages::{DRIVERS, artifacts},
};
use std::{ffi::OsStr, time::Duration};

const LIMIT: Duration = Duration::from_secs(240);

/// Runs a driver against a node of its own.
fn run<S: AsRef<OsStr>>(program: &str, words: impl IntoIterator<Item = S>) {
    let Some(artifacts) = artifacts() else { return };
    let node = RunningNode::start(words);
    let driver = Driver::new("node", &DRIVERS.folder(), LIMIT).arg(program);
    driver.against(&node).env("ARTIFACTS", artifacts).succeed();
}

const INSTANT: [&str; 0] = [];
const A_BLOCK_A_SECOND: [&str; 2] = ["--block-time", "1"];

#[test]
fn viem_with_instant_mining() {
    run("viem.mjs", INSTANT);
}

#[test]
fn viem_with_a_block_a_second() {
    run("viem.mjs", A_BLOCK_A_SECOND);
}

#[test]
fn the_test_client_of_viem() {
    run("viem_test_client.mjs", INSTANT);
}

#[test]
fn ethers_with_instant_mining() {
    run("ethers.mjs", INSTANT);
}

#[test]
fn web3_js_with_instant_mining() {
    run("web3.mjs", INSTANT);
}

#[test]
fn web3_js_with_a_block_a_second() {
    run("web3.mjs", A_BLOCK_A_SECOND);
}
