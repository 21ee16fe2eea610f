//! The engine against the oracle on the blocks of the Ethereum conformance suites, if they lie beside the repository.

use braid_runtime::Mode;
use braid_tests::{
    conformance::{archive, for_each_block},
    differential::{Engines, Prediction},
};
use std::sync::{
    Mutex,
    atomic::{AtomicU32, Ordering},
};

/// Runs every `stride`-th file of an archive, and of each file at most `cases` cases.
fn run(name: &str, stride: usize, cases: usize, start: impl Fn() -> Engines + Sync) {
    let Some(path) = archive(name) else { return };
    let failures = Mutex::new(Vec::new());
    let (blocks, ahead) = (AtomicU32::new(0), AtomicU32::new(0));
    for_each_block(&path, (stride, cases), start, |engines, block| {
        match engines.check(block.parent, block.block, block.spec) {
            Ok(checked) => {
                blocks.fetch_add(1, Ordering::Relaxed);
                ahead.fetch_add(checked.ahead, Ordering::Relaxed);
                checked.serial.ok()
            }
            Err(mismatch) => {
                failures.lock().unwrap().push(format!("{}: {mismatch}", block.name));
                None
            }
        }
    });
    let failures = failures.into_inner().unwrap();
    println!("{name}: {blocks:?} blocks, {ahead:?} transactions ran ahead");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures[..failures.len().min(20)].join("\n"));
    assert!(blocks.into_inner() > 0 && ahead.into_inner() > 0, "nothing was compared");
}

#[test]
fn sample_of_frontier_to_osaka() {
    run("eest-v5.4.0-blockchain_tests.tar.zst", 20, 2, Engines::quick);
    run("legacytests-cancun-blockchain.tar.zst", 10, 2, Engines::quick);
}

#[test]
#[ignore = "many minutes"]
fn all_of_frontier_to_osaka() {
    for name in [
        "eest-v5.4.0-blockchain_tests.tar.zst",
        "legacytests-cancun-blockchain.tar.zst",
        "legacytests-constantinople-blockchain.tar.zst",
        "eest-bal-v5.7.0-perfork.tar.zst",
        "eest-bal-v5.7.0-amsterdam.tar.zst",
    ] {
        run(name, 1, usize::MAX, || Engines::new(&[Mode::Forced, Mode::Parallel], &[1, 4], &Prediction::ALL));
    }
}
