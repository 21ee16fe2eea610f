//! web3.py.

use super::{
    driver::Driver,
    node::RunningNode,
    packages::{PYTHON, artifacts},
};
use std::{ffi::OsStr, time::Duration};

fn run<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) {
    let (Some(artifacts), Some(folder)) = (artifacts(), PYTHON.install()) else { return };
    let node = RunningNode::start(words);
    let driver = Driver::new(folder.join("venv/bin/python"), &folder, Duration::from_secs(240)).arg("web3_py.py");
    driver.against(&node).env("ARTIFACTS", artifacts).succeed();
}

#[test]
fn web3_py_with_instant_mining() {
    run::<&str>([]);
}

#[test]
fn web3_py_with_a_block_a_second() {
    run(["--block-time", "1"]);
}
