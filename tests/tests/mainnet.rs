//! The engine against the oracle on real blocks: the shipped one, and those beside the repository if they are there.

use braid_chain::NamedBundle;
use braid_runtime::Mode;
use braid_tests::differential::{Engines, Prediction};
use std::path::Path;

fn check(bundles: impl Iterator<Item = NamedBundle>, mut engines: Engines) -> usize {
    let mut failures = Vec::new();
    let mut count = 0;
    for NamedBundle { name, bundle } in bundles {
        let (snapshot, spec, block) =
            (bundle.snapshot().unwrap(), bundle.chain.spec().unwrap(), bundle.recovered_block().unwrap());
        match engines.check(&snapshot, &block, &spec) {
            Ok(checked) => {
                assert!(checked.serial.is_ok(), "{name}: {:?}", checked.serial);
                println!("{name}: {} ahead, {} again, {} native", checked.ahead, checked.re_executions, checked.native);
            }
            Err(mismatch) => failures.push(format!("{name}: {mismatch}")),
        }
        count += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    count
}

fn archive() -> Option<impl Iterator<Item = NamedBundle>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mainnet");
    if !path.is_dir() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(braid_chain::open(path).unwrap().map(Result::unwrap))
}

#[test]
fn shipped_blocks() {
    let bundles = braid_fixtures::bundles(braid_fixtures::folder()).unwrap().map(Result::unwrap);
    assert!(check(bundles, Engines::new(&[Mode::Forced, Mode::Parallel], &[1, 4], &Prediction::ALL)) > 0);
}

#[test]
fn mainnet_blocks() {
    let Some(bundles) = archive() else { return };
    let predictions = [Prediction::Learned, Prediction::Exact];
    assert_eq!(check(bundles, Engines::new(&[Mode::Forced], &[2], &predictions)), 49);
}

#[test]
#[ignore = "minutes"]
fn mainnet_blocks_in_every_setting() {
    let Some(bundles) = archive() else { return };
    assert_eq!(check(bundles, Engines::all()), 49);
}
