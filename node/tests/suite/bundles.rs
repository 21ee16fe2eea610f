//! `braid bundle`.

use super::{braid, shipped_path};
use braid_chain::Bundle;
use std::{fs, path::Path};

#[test]
fn what_is_converted_is_the_same_and_replays() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shipped = Bundle::read_from(shipped_path()).unwrap();
    fs::copy(shipped_path(), folder.path().join("some-name.braid")).unwrap();
    let target = out.path().join("new/bundles");
    let run =
        braid(["bundle", "convert", &folder.path().display().to_string(), "--out", &target.display().to_string()]);
    run.expect(0);
    assert!(run.stdout.starts_with("1 bundles in "), "{}", run.stdout);
    let converted = target.join("19778575.braid");
    assert_eq!(Bundle::read_from(&converted).unwrap(), shipped);
    braid(["replay", "--repeat", "1", "--mode", "serial", &converted.display().to_string()]).expect(0);
}

#[test]
fn two_bundles_of_one_number_are_both_kept() {
    let (folder, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (folder.path().join("one.braid"), folder.path().join("two.braid"));
    fs::copy(shipped_path(), &one).unwrap();
    super::altered(&two, |bundle| bundle.block.header.gas_used += 1);
    braid(["bundle", "convert", &folder.path().display().to_string(), "-o", &out.path().display().to_string()])
        .expect(0);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 2);
}

#[test]
fn what_cannot_be_converted_is_named() {
    let out = tempfile::tempdir().unwrap();
    let bad = out.path().join("bad.json");
    fs::write(&bad, "[]").unwrap();
    let (bad, target) = (bad.display().to_string(), out.path().join("bundles").display().to_string());
    let run = braid(["bundle", "convert", &bad, &shipped_path().display().to_string(), "--out", &target]);
    run.expect(1);
    assert!(run.error().contains(&bad), "{}", run.stderr);
    assert!(Path::new(&target).join("19778575.braid").is_file(), "the other one is there");
}

#[test]
fn info_says_what_is_inside() {
    let run = braid(["bundle", "info", &shipped_path().display().to_string()]);
    run.expect(0);
    for part in [
        "19778575 0xc78226e859ace255f335c44fa3e916b4c6069fefbb6776e974e4c3b4a6389cb9",
        "mainnet, Cancun rules",
        "transactions  201",
        "gas used      24479837",
        "withdrawals   16",
        "witness of ",
        "receipts      yes",
    ] {
        assert!(run.stdout.contains(part), "{part} is not in\n{}", run.stdout);
    }
    let run = braid(["bundle", "info", "no-such-file.braid"]);
    assert!(run.expect(1).error().contains("no-such-file.braid"));
}
