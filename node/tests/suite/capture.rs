//! `braid capture` against a stub of a node.

use super::{
    Run, SHIPPED, braid, shipped_path,
    stub::{Stub, Trouble},
};
use braid_chain::{Bundle, PreState};
use serde_json::json;
use std::{fs, path::Path, sync::LazyLock};

/// The shipped block with the header of its parent, without which a node's witness would not be one. The parent's header is made up, so the block gets another
/// hash; nothing else depends on it but what EIP-2935 stores from Prague on.
static BLOCK: LazyLock<Bundle> = LazyLock::new(|| {
    let mut bundle = SHIPPED.clone();
    let PreState::Witness(witness) = &mut bundle.pre_state else { panic!("the shipped block has a witness") };
    let parent = alloy_consensus::Header {
        number: bundle.block.header.number - 1,
        state_root: witness.state_root,
        ..Default::default()
    };
    bundle.block.header.parent_hash = parent.hash_slow();
    witness.headers = vec![parent];
    bundle
});

fn capture(stub: &Stub, out: &Path, more: &[&str]) -> Run {
    let out = out.display().to_string();
    let number = SHIPPED.number().to_string();
    braid([&["capture", "--rpc-url", &stub.url, "--blocks", &number, "--out", &out], more].concat())
}

fn captured(out: &Path) -> Bundle {
    Bundle::read_from(out.join("19778575.braid")).unwrap_or_else(|error| panic!("{error}"))
}

fn replays(out: &Path) {
    let run = braid(["replay", "--repeat", "1", "--threads", "2", &out.display().to_string()]);
    run.expect(0);
    assert!(run.stdout.contains("1 block: all results equal"), "{}", run.stdout);
}

#[test]
fn a_witness_becomes_a_bundle_that_replays() {
    let (out, stub) = (tempfile::tempdir().unwrap(), Stub::start(&BLOCK, []));
    let run = capture(&stub, out.path(), &[]);
    run.expect(0);
    assert!(run.stdout.starts_with("1 bundles written"), "{}", run.stdout);
    let bundle = captured(out.path());
    assert_eq!((&bundle.block, &bundle.receipts), (&BLOCK.block, &BLOCK.receipts));
    assert!(matches!(bundle.pre_state, PreState::Witness(_)));
    assert_eq!(stub.calls("debug_traceBlockByNumber"), 0);
    replays(out.path());
}

#[test]
fn a_witness_without_names_gets_those_that_were_read() {
    let mut nameless = BLOCK.clone();
    let PreState::Witness(witness) = &mut nameless.pre_state else { panic!("witness") };
    witness.keys.clear();
    let (out, stub) = (tempfile::tempdir().unwrap(), Stub::start(&nameless, []));
    capture(&stub, out.path(), &[]).expect(0);
    let PreState::Witness(witness) = captured(out.path()).pre_state else { panic!("witness") };
    assert!(witness.keys.len() > 1000, "{} names", witness.keys.len());
}

#[test]
fn a_node_without_witnesses_is_asked_for_a_trace() {
    let out = tempfile::tempdir().unwrap();
    let stub = Stub::start(
        &BLOCK,
        [
            ("debug_executionWitness", Trouble::Missing),
            ("debug_getRawBlock", Trouble::Missing),
            ("eth_getBlockReceipts", Trouble::Missing),
        ],
    );
    capture(&stub, out.path(), &[]).expect(0);
    let bundle = captured(out.path());
    assert_eq!((&bundle.block, &bundle.receipts), (&BLOCK.block, &None));
    let PreState::Plain(state) = &bundle.pre_state else { panic!("plain") };
    assert!(state.accounts.contains_key(&alloy_eips::eip4788::BEACON_ROOTS_ADDRESS), "a system call reads it");
    replays(out.path());
}

#[test]
fn passing_troubles_pass() {
    let out = tempfile::tempdir().unwrap();
    let stub = Stub::start(
        &BLOCK,
        [
            ("eth_chainId", Trouble::ServerError(1)),
            ("debug_getRawBlock", Trouble::TooManyRequests(2)),
            ("debug_executionWitness", Trouble::Silence(1)),
        ],
    );
    capture(&stub, out.path(), &["--timeout", "1"]).expect(0);
    assert_eq!((stub.calls("eth_chainId"), stub.calls("debug_getRawBlock")), (2, 3));
    assert_eq!(stub.calls("debug_executionWitness"), 2);
    assert_eq!(captured(out.path()).block, BLOCK.block);
}

#[test]
fn lasting_troubles_are_named() {
    let out = tempfile::tempdir().unwrap();
    for (method, trouble, says) in [
        ("debug_getRawBlock", Trouble::ServerError(9), "debug_getRawBlock: the node answers 500"),
        ("debug_executionWitness", Trouble::Garbage, "debug_executionWitness: malformed answer: no JSON-RPC"),
        ("debug_executionWitness", Trouble::Result(json!({ "state": 5 })), "debug_executionWitness: malformed answer"),
        ("debug_executionWitness", Trouble::Error(-32000, "missing trie node"), "missing trie node (code -32000)"),
        ("debug_executionWitness", Trouble::Result(json!({ "state": [], "headers": [] })), "missing"),
        ("debug_getRawBlock", Trouble::Result(json!("0xc0")), "debug_getRawBlock: "),
    ] {
        let stub = Stub::start(&BLOCK, [(method, trouble)]);
        let run = capture(&stub, out.path(), &["--retries", "1"]);
        run.expect(1);
        assert!(
            run.error().starts_with("error: block 19778575: ") && run.error().contains(says),
            "{says}: {}",
            run.stderr
        );
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "nothing is left behind");
    }
}

#[test]
fn a_state_that_leads_elsewhere_is_not_written() {
    let mut wrong = BLOCK.clone();
    wrong.block.header.state_root = Default::default();
    let (out, stub) = (tempfile::tempdir().unwrap(), Stub::start(&wrong, []));
    let run = capture(&stub, out.path(), &[]);
    assert!(run.expect(1).error().contains("does not lead to the block's header: state root"), "{}", run.stderr);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn capture_goes_on_where_it_stopped() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("19778575.braid");
    fs::copy(shipped_path(), &path).unwrap();
    let stub = Stub::start(&BLOCK, []);
    let run = capture(&stub, out.path(), &[]);
    assert!(
        run.expect(0).stdout.contains("0 bundles written") && run.stdout.contains("1 were there"),
        "{}",
        run.stdout
    );
    assert_eq!(stub.calls("debug_getRawBlock"), 0);
    let half = fs::read(&path).unwrap();
    fs::write(&path, &half[..half.len() / 2]).unwrap();
    let run = capture(&stub, out.path(), &["--rate", "50", "--source", "witness"]);
    assert!(run.expect(0).stdout.contains("1 bundles written"), "a damaged bundle is made anew: {}", run.stdout);
    assert_eq!(captured(out.path()).block, BLOCK.block);
}

#[test]
fn blocks_that_are_not_there_are_named_and_the_others_captured() {
    let (out, stub) = (tempfile::tempdir().unwrap(), Stub::start(&BLOCK, []));
    let run = braid([
        "capture",
        "--rpc-url",
        &stub.url,
        "--blocks",
        "19778575..19778576",
        "--out",
        &out.path().display().to_string(),
    ]);
    assert!(run.expect(1).error().contains("block 19778576: the node does not have the block"), "{}", run.stderr);
    assert!(out.path().join("19778575.braid").is_file());
}

#[test]
fn addresses_and_chains_that_cannot_be_used_are_refused() {
    let out = tempfile::tempdir().unwrap().path().display().to_string();
    let run = braid(["capture", "--rpc-url", "https://example.org", "--blocks", "1..2", "--out", &out]);
    assert!(run.expect(1).error().contains("https is not built in"), "{}", run.stderr);
    let run = braid(["capture", "--rpc-url", "http://127.0.0.1:1", "--blocks", "1", "--out", &out, "--retries", "0"]);
    assert!(run.expect(1).error().contains("http://127.0.0.1:1"), "{}", run.stderr);
    let stub = Stub::start(&BLOCK, [("eth_chainId", Trouble::Result(json!("0x539")))]);
    let run = braid(["capture", "--rpc-url", &stub.url, "--blocks", "1", "--out", &out]);
    assert!(
        run.expect(1).error().contains("unknown chain id 1337") && run.error().contains("--genesis"),
        "{}",
        run.stderr
    );
}
