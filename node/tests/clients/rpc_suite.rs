//! The public JSON-RPC suite, judged by its own runner: its chain is imported, the node serves it, and the Engine API sets the head.

use super::{
    driver::Driver,
    node::{Program, RunningNode},
    packages::{exists, skip},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

/// All of its cases.
const CASES: usize = 233;

/// The suite, unpacked. `None`, said aloud, if it is not there.
fn unpack(folder: &Path) -> Option<PathBuf> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/rpc-compat/rpc-compat.tar.zst");
    if !archive.exists() {
        return skip("RPC suite", &format!("{} is not there", archive.display()));
    }
    if !exists("python3") {
        return skip("RPC suite", "there is no Python for its runner");
    }
    let mut decoder = zstd::Decoder::new(File::open(archive).expect("it can be read")).expect("it is compressed");
    decoder.window_log_max(27).expect("a size that there is");
    tar::Archive::new(decoder).unpack(folder).expect("the temporary folder can be written");
    Some(folder.join("rpc-compat"))
}

#[test]
fn all_cases_of_the_public_suite() {
    if !Program::under_test().is_ours("RPC suite") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(suite) = unpack(folder.path()) else { return };
    let (chain, secret) = (folder.path().join("chain"), folder.path().join("jwt.hex"));
    fs::write(&secret, "0x7365637265747365637265747365637265747365637265747365637265747365")
        .expect("it can be written");
    Driver::new(env!("CARGO_BIN_EXE_braid"), &suite.join("tests"), Duration::from_secs(60))
        .args(["import", "chain.rlp", "--genesis", "genesis.json", "--no-progress", "--datadir"])
        .arg(&chain)
        .succeed();
    let words = ["--http.api", "all", "--authrpc.port", "0", "--authrpc.jwtsecret"].map(AsRef::as_ref);
    let node =
        RunningNode::start(words.into_iter().chain([secret.as_os_str(), "--datadir".as_ref(), chain.as_os_str()]));
    let runner = Driver::new("python3", &suite, Duration::from_secs(240))
        .args(["rpc_compat.py", node.http(), "tests", "--schemas", "result-schemas.json", "--timeout", "30", "-v"])
        .args(["--fcu", node.address_of("authrpc"), "--jwt"])
        .arg(secret);
    let output = runner.succeed();
    assert_eq!(output.lines().last(), Some(format!("{CASES} passed, 0 failed").as_str()));
}
