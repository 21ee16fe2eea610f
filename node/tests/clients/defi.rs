//! Thirteen DeFi protocols, deployed from their own packages and used: with instant mining, with a block a second; and what
//! that has made is executed again, in parallel and serially, to the same head.
//!
//! The flows lie beside the repository (`../shared/tools/defi`) and check their results themselves.

use super::{
    driver::Driver,
    node::{Program, RunningNode},
    packages::{exists, root, skip},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

/// The flows, and the folder with their packages (about 300 MB). `None`, said aloud, if they cannot be had on this machine.
fn flows() -> Option<(PathBuf, PathBuf)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tools/defi");
    if !source.exists() {
        return skip("DeFi flows", &format!("{} is not there", source.display()));
    }
    if !exists("npm") {
        return skip("DeFi flows", "there is no npm");
    }
    let folder = root().join("defi");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let lock = File::create(folder.join(".lock")).expect("the target folder can be written");
    lock.lock().expect("files can be locked");
    let marker = folder.join(".installed");
    let wanted = fs::read_to_string(source.join("setup.sh")).expect("the flows can be set up");
    if !fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        let setup =
            Driver::new("bash", &folder, Duration::from_secs(900)).arg(source.join("setup.sh")).arg(&folder).run();
        if setup.is_offline() {
            return skip("DeFi flows", "the packages' registry cannot be reached");
        }
        setup.expect(0);
        fs::write(marker, wanted).expect("the target folder can be written");
    }
    Some((source, folder))
}

/// Runs all flows on one chain, then executes that chain again.
fn run_and_replay(words: &[&str]) {
    let Some((source, packages)) = flows() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let datadir = folder.path().join("chain");
    let ours = Program::under_test() == Program::Braid;
    let mut all: Vec<_> = words.iter().map(Into::into).collect();
    if ours {
        all.extend(["--datadir".into(), datadir.clone().into_os_string()]);
    }
    let node = RunningNode::start(all);
    let output = Driver::new("bash", &packages, Duration::from_secs(1800))
        .arg(source.join("run_all.sh"))
        .env("RPC_URL", node.http())
        .env("DEFI_PKGS", packages.join("pkgs"))
        .env("DEFI_NODE", packages.join("node"))
        .succeed();
    assert!(output.contains("flows: 13, failed: 0"), "{output}");
    if ours {
        replay(folder.path(), &node, &datadir.join("genesis.json"));
    }
}

/// Imports what the node has made into fresh folders.
fn replay(folder: &Path, node: &RunningNode, genesis: &Path) {
    let head = node.call("eth_getBlockByNumber", json!(["latest", false]));
    let number = head["number"].as_str().expect("a number");
    let last = u64::from_str_radix(&number[2..], 16).expect("a number");
    let mut blocks = Vec::new();
    for number in 1..=last {
        let block = node.call("debug_getRawBlock", json!([format!("{number:#x}")]));
        let block = block.as_str().expect("bytes").strip_prefix("0x").expect("hexadecimal");
        blocks.extend(
            (0..block.len()).step_by(2).map(|at| u8::from_str_radix(&block[at..at + 2], 16).expect("hexadecimal")),
        );
    }
    let file = folder.join("blocks.rlp");
    fs::write(&file, blocks).expect("the temporary folder can be written");
    for mode in ["parallel", "serial"] {
        let import = Driver::new(env!("CARGO_BIN_EXE_braid"), folder, Duration::from_secs(600))
            .arg("import")
            .arg(&file)
            .args(["--mode", mode, "--threads", "4", "--json", "--no-progress", "--datadir", mode, "--genesis"])
            .arg(genesis);
        let summary: Value = serde_json::from_str(&import.succeed()).expect("a summary");
        assert_eq!(summary["head"]["hash"], head["hash"], "{mode}: {summary}");
        assert_eq!(summary["blocks"], last, "{mode}");
    }
}

#[test]
#[ignore = "minutes: cargo test -p braid --test clients -- --ignored defi"]
fn defi_with_instant_mining() {
    run_and_replay(&[]);
}

#[test]
#[ignore = "many minutes, most of them waiting for blocks: cargo test -p braid --test clients -- --ignored defi"]
fn defi_with_a_block_a_second() {
    run_and_replay(&["--block-time", "1"]);
}
