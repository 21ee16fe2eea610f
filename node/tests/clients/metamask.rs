//! MetaMask's own controllers, through two restarts of the node: one that keeps the chain, and one that does not.

use super::{
    driver::Driver,
    node::{Program, RunningNode, authority},
    packages::{METAMASK, artifacts},
};
use std::{ffi::OsString, time::Duration};

#[test]
fn metamask_sends_confirms_and_goes_on_after_a_restart() {
    let (Some(artifacts), Some(kit)) = (artifacts(), METAMASK.install()) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wallet = folder.path().join("wallet.json");
    let kept: [OsString; 2] = match Program::under_test() {
        Program::Braid => ["--datadir".into(), folder.path().join("chain").into()],
        Program::Anvil => ["--state".into(), folder.path().join("state.json").into()],
    };
    let run = |phase: &str, node: &RunningNode| {
        let driver = Driver::new("node", &kit, Duration::from_secs(120)).args(["metamask.mjs", phase]).arg(&wallet);
        driver.against(node).env("ARTIFACTS", &artifacts).succeed();
    };

    let node = RunningNode::start(&kept);
    let port = authority(node.http()).port();
    run("begin", &node);
    assert!(node.stop().success(), "it ends in order");

    // The wallet remembers transactions and nonces: so must the node.
    let node = RunningNode::start_at(port, &kept);
    run("continue", &node);
    node.stop();

    let node = RunningNode::start_at::<&str>(port, []);
    run("wipe", &node);
}
