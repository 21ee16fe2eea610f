//! `braid replay`.

use super::{SHIPPED, altered, braid, shipped_path};
use alloy_consensus::Header;
use alloy_primitives::B256;
use braid_chain::{ChainReference, PreState};
use serde_json::Value;
use std::{fs, path::Path};

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_shipped_blocks_give_equal_results() {
    let folder = tempfile::tempdir().unwrap();
    let (file, page) = (path(&folder, "figures.json"), path(&folder, "page.html"));
    let run = braid(["replay", "--repeat", "1", "--threads", "2", "--json", &file, "--html", &page]);
    run.expect(0);
    assert!(run.stdout.contains("19778575 *"), "{}", run.stdout);
    assert!(run.stdout.contains("all results equal"), "{}", run.stdout);
    assert!(run.stdout.contains("serial: plain revm"), "the baseline is named: {}", run.stdout);
    let figures = json(&file);
    let blocks = figures["blocks"].as_array().unwrap();
    let shipped = blocks.iter().find(|block| block["number"] == 19_778_575).unwrap();
    assert_eq!((&shipped["transactions"], &shipped["gas"]), (&201.into(), &24_479_837.into()));
    assert_eq!((&shipped["state_root_checked"], &shipped["fork"]), (&true.into(), &"Cancun".into()));
    for number in ["serial_ms", "parallel_ms", "speed_up"] {
        assert!(shipped[number].as_f64().is_some_and(|number| number > 0.0), "{number}: {shipped}");
    }
    assert_eq!(figures["total"]["blocks"], blocks.len());
    assert_eq!((&figures["exit_code"], &figures["total"]["mismatched"]), (&0.into(), &0.into()));
    let page = fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("19778575"));
}

#[test]
fn json_on_stdout_is_nothing_but_json() {
    let run = braid(["replay", "--repeat", "1", "--mode", "serial", "--json", "-"]);
    run.expect(0);
    let figures: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(figures["mode"], "serial");
    assert!(figures["blocks"][0]["serial_ms"].is_number() && figures["blocks"][0]["parallel_ms"].is_null());
    assert!(run.stderr.contains("all results equal"));
}

#[test]
fn every_mode_runs_on_several_threads() {
    let shipped = shipped_path().display().to_string();
    for (mode, threads) in [("parallel", "3"), ("exact", "2"), ("compare", "1")] {
        let run = braid(["replay", &shipped, "--repeat", "1", "--mode", mode, "--threads", threads]);
        run.expect(0);
    }
}

#[test]
fn output_in_a_file_has_no_colours() {
    let run = braid(["replay", "--repeat", "1", "--mode", "serial"]);
    assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'));
}

#[test]
fn a_corrupted_bundle_is_named_and_the_others_run() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, short, good) = (path(&folder, "bad.braid"), path(&folder, "short.braid"), path(&folder, "x-good.braid"));
    let mut bytes = fs::read(shipped_path()).unwrap();
    fs::write(&good, &bytes).unwrap();
    fs::write(&short, &bytes[..bytes.len() / 2]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bad, &bytes).unwrap();
    let run = braid(["replay", "--repeat", "1", "--mode", "serial", &folder.path().display().to_string()]);
    run.expect(1);
    let errors = run.errors();
    assert_eq!(errors.len(), 2, "{}", run.stderr);
    assert!(errors.iter().any(|error| error.contains(&bad) && error.contains("corrupt: checksum")), "{errors:?}");
    assert!(errors.iter().any(|error| error.contains(&short) && error.contains("truncated")), "{errors:?}");
    assert!(run.stdout.contains("1 block: all results equal; 2 blocks could not be run"), "{}", run.stdout);
}

#[test]
fn what_is_no_block_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = path(&folder, name);
        fs::write(&path, content).unwrap();
        path
    };
    for (file, reason) in [
        (write("a.json", b"{}"), "not a known layout"),
        (write("b.json", b"{\"block\""), "EOF while parsing"),
        (write("c.txt", b"hello"), "not a known layout"),
        (write("d.tar.zst", b"\x28\xb5\x2f\xfd\x04"), "incomplete"),
        (path(&folder, "missing.braid"), "No such file"),
    ] {
        let run = braid(["replay", &file]);
        run.expect(1);
        assert!(run.error().contains(&file) && run.error().contains(reason), "{file}: {}", run.stderr);
    }
    let empty = tempfile::tempdir().unwrap();
    let run = braid(["replay", &empty.path().display().to_string()]);
    assert!(run.expect(1).error().contains("no blocks in it"), "{}", run.stderr);
}

#[test]
fn a_header_that_does_not_match_is_a_mismatch_with_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(&folder, "altered.braid");
    type Change = fn(&mut Header);
    let changes: [(Change, &str); 3] = [
        (|header| header.gas_used += 1, "gas used: expected 24479838, got 24479837"),
        (|header| header.receipts_root = B256::ZERO, "receipts root: expected 0x0000"),
        (|header| header.state_root = B256::ZERO, "state root: expected 0x0000"),
    ];
    for (change, field) in changes {
        altered(Path::new(&file), |bundle| change(&mut bundle.block.header));
        let run = braid(["replay", "--repeat", "1", "--mode", "serial", &file]);
        run.expect(2);
        let line = run.stdout.lines().find(|line| line.starts_with("mismatch:")).unwrap_or_default();
        assert!(line.contains(&file) && line.contains(field), "{}", run.stdout);
    }
}

#[test]
fn a_block_that_cannot_be_executed_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(&folder, "broken.braid");
    let refused = |change: &dyn Fn(&mut braid_chain::Bundle), reason: &str| {
        altered(Path::new(&file), |bundle| change(bundle));
        let run = braid(["replay", "--repeat", "1", "--threads", "2", &file]);
        run.expect(1);
        assert!(run.error().contains(&file) && run.error().contains(reason), "{reason}: {}", run.stderr);
    };
    refused(&|bundle| bundle.chain = ChainReference::Known(999), "unknown chain id 999");
    refused(&|bundle| bundle.block.header.gas_limit = 1_000_000, "invalid block: transaction");
    refused(&|bundle| bundle.block.header.parent_beacon_block_root = None, "parentBeaconBlockRoot is missing");
    refused(
        &|bundle| {
            if let PreState::Witness(witness) = &mut bundle.pre_state {
                witness.codes.clear()
            }
        },
        "missing code 0x",
    );
    refused(
        &|bundle| {
            if let PreState::Witness(witness) = &mut bundle.pre_state {
                witness.state.truncate(witness.state.len() / 2)
            }
        },
        "missing",
    );
}

#[test]
fn warm_means_what_other_blocks_teach() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (path(&folder, "one.braid"), path(&folder, "two.braid"));
    fs::copy(shipped_path(), &one).unwrap();
    fs::copy(shipped_path(), &two).unwrap();
    let recall = |arguments: &[&str]| {
        let file = path(&folder, "figures.json");
        let run =
            braid([&["replay", &one, &two, "--repeat", "1", "--threads", "2", "--json", &file], arguments].concat());
        run.expect(0);
        json(&file)["blocks"][0]["schedule"]["prediction"]["recall"].as_f64().unwrap()
    };
    let saved = path(&folder, "predictor");
    let cold = recall(&["--save-predictor", &saved]);
    // The same block twice: neither may teach the other.
    let warm = recall(&["--predictor", "warm"]);
    assert_eq!(warm, cold);
    let taught = recall(&["--predictor", &saved]);
    assert!(taught > cold + 0.2, "recall {taught} after learning from the block itself, {cold} cold");
}

#[test]
fn a_predictor_file_must_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(&folder, "predictor");
    fs::write(&file, b"nonsense").unwrap();
    let run = braid(["replay", "--predictor", &file]);
    assert!(run.expect(1).error().contains("not a saved predictor") && run.error().contains(&file));
    let run = braid(["replay", "--predictor", "hot"]);
    assert!(run.expect(1).error().contains("hot: no saved predictor"), "{}", run.stderr);
}

#[test]
fn the_blocks_beside_the_repository_give_equal_results() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet");
    if !folder.is_dir() {
        println!("skipped: the 49 blocks of {} are not there", folder.display());
        return;
    }
    let folder = folder.display().to_string();
    let run = braid(["replay", &folder, "--repeat", "1", "--threads", "2", "--json", "-"]);
    run.expect(0);
    let figures: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&figures["total"]["blocks"], &figures["total"]["state_roots_checked"]), (&49.into(), &4.into()));
    assert_eq!(SHIPPED.number(), 19_778_575);
}
