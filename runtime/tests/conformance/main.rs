//! The oracle against the Ethereum conformance suites, if they lie beside the repository.
//!
//! Every valid block must be accepted with the gas, the receipts root, the bloom, the requests hash and the state root of its
//! header. The quick tests sample the archives; the ignored ones run everything.

mod memory;
mod suite;

use braid_fixtures::suites::{BlockchainTest, CaseText, SuiteFile, visit};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Mutex,
};
use suite::{Tally, check_outcome};

/// Cases that no client on revm passes: accounts with storage but without code, which no real chain has (EIP-7610).
const COLLISIONS: [&str; 7] = [
    "eip7610_create_collision",
    "RevertInCreateInInit",
    "dynamicAccountOverwriteEmpty",
    "create2collisionStorage",
    "InitCollision",
    "init_collision_create_opcode",
    "ValueOverflow",
];

fn archive(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/conformance").join(name);
    if !path.is_file() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

#[derive(Default)]
struct Results {
    tallies: BTreeMap<String, Tally>,
    failures: Vec<String>,
    skipped: usize,
}

fn run_file(file: &SuiteFile, cases: usize, results: &Mutex<Results>) {
    let path = &file.name;
    for case in CaseText::all(&file.content).unwrap().into_iter().take(cases) {
        let name = &case.name;
        let test: BlockchainTest<'_> = case.decode().unwrap_or_else(|error| panic!("{name}: {error}"));
        let network = test.chain().network;
        let is_collision = COLLISIONS.iter().any(|skipped| path.contains(skipped) || name.contains(skipped));
        if is_collision || network == "Constantinople" {
            results.lock().unwrap().skipped += 1;
            continue;
        }
        let result = suite::run(&test, check_outcome);
        let mut results = results.lock().unwrap();
        match result {
            Ok(tally) => *results.tallies.entry(network.to_owned()).or_default() += tally,
            Err(reason) => results.failures.push(format!("{path}: {name}: {reason}")),
        }
    }
}

/// Runs every `stride`-th file of an archive, and of each file at most `cases` cases. No case may fail.
fn run(name: &str, stride: usize, cases: usize) {
    let Some(Results { tallies, failures, skipped }) = results(name, stride, cases) else { return };
    println!("{name}: {tallies:#?}\n{skipped} cases skipped");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures[..failures.len().min(40)].join("\n"));
}

fn results(name: &str, stride: usize, cases: usize) -> Option<Results> {
    let path = archive(name)?;
    let results = Mutex::new(Results::default());
    let run_all = |batch: &mut Vec<SuiteFile>| {
        std::mem::take(batch).into_par_iter().for_each(|file| run_file(&file, cases, &results));
    };
    // Reading the archive is serial; a batch bounds how much of it is in memory.
    let (mut index, mut batch) = (0, Vec::new());
    let visited = visit(&path, &mut |file| {
        if index % stride == 0 {
            batch.push(file);
        }
        index += 1;
        if batch.len() == 16 {
            run_all(&mut batch);
        }
        ControlFlow::Continue(())
    });
    assert!(visited.unwrap().is_continue());
    run_all(&mut batch);
    Some(results.into_inner().unwrap())
}

#[test]
fn sample_of_frontier_to_osaka() {
    run("eest-v5.4.0-blockchain_tests.tar.zst", 12, 3);
    run("legacytests-cancun-blockchain.tar.zst", 8, 3);
}

#[test]
#[ignore = "minutes"]
fn all_of_frontier_to_osaka() {
    run("eest-v5.4.0-blockchain_tests.tar.zst", 1, usize::MAX);
    run("legacytests-cancun-blockchain.tar.zst", 1, usize::MAX);
    run("legacytests-constantinople-blockchain.tar.zst", 1, usize::MAX);
    run("eest-bal-v5.7.0-perfork.tar.zst", 1, usize::MAX);
}

/// The gas rules of these archives are not those of the released revm, so blocks may be refused for their gas. But wherever
/// everything else is as the header says, so must the access list be. Tests at the edge of running out of gas are left out:
/// all gas is used under either rules, but not at the same place.
#[test]
fn access_lists_of_amsterdam() {
    let runs_out_of_gas = ["oog", "out-of-gas", "modexp", "exact_gas"];
    for name in ["eest-bal-v5.7.0-amsterdam.tar.zst", "eest-zkevm-v0.3.3-witness.tar.zst"] {
        let Some(Results { tallies, failures, .. }) = results(name, 2, 12) else { return };
        let lists = tallies.values().map(|tally| tally.lists_hashed).sum::<usize>();
        println!("{name}: {lists} lists hash to the header's, {} cases outside of the released rules", failures.len());
        let is_wrong = |failure: &&String| {
            failure.contains("access list hash") && !runs_out_of_gas.iter().any(|name| failure.contains(name))
        };
        let wrong = failures.iter().filter(is_wrong).collect::<Vec<_>>();
        assert!(wrong.is_empty(), "{} wrong lists: {wrong:#?}", wrong.len());
        assert!(lists > 0, "no list was compared");
    }
}
