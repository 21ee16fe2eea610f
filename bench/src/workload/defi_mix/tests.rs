//! The mix is what it says it is, and the engine decides it as serial revm does.

use super::*;
use crate::{
    contracts,
    digest::first_difference,
    engine::{EngineSide, Knowledge, Preparation, exact_list, learn},
    workload,
};
use revm::DatabaseRef;
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "defi-mix";
const SMALL: Size = Size { gas: 12_000_000 };

fn build(size: Size, seed: u64) -> Option<Workload> {
    if !contracts::is_installed() {
        println!("skipped: the contracts are not installed; running any profile with contracts installs them");
        return None;
    }
    Some(workload::build(NAME, size, seed).unwrap())
}

#[test]
fn it_is_the_headline() {
    assert_eq!(workload::PROFILES[0].name, NAME);
}

#[test]
fn the_engine_decides_it_as_serial_revm_does() {
    let Some(workload) = build(SMALL, 5) else { return };
    let teacher = build(SMALL, 6).unwrap();
    let case = &workload.cases[0];
    let expected = Bundle.execute(0, case).unwrap();
    let warm = Preparation { learned: Some(learn(&teacher.cases, 1).unwrap()), ..Preparation::default() };
    let exact = Preparation { access_list: exact_list(case).unwrap(), ..Preparation::default() };
    let knowledge = [(Knowledge::Cold, Preparation::default()), (Knowledge::Warm, warm), (Knowledge::Exact, exact)];
    for threads in [1, 2, 4, 8] {
        for (knowledge, preparation) in &knowledge {
            let mut side = EngineSide::new(threads, *knowledge, vec![preparation.clone()]).unwrap();
            for _ in 0..2 {
                side.prepare(0).unwrap();
                let got = side.execute(0, case).unwrap();
                assert_eq!(first_difference(&expected, &got), None, "{threads} threads, {knowledge}");
                assert_eq!(expected.digest(), got.digest(), "{threads} threads, {knowledge}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_block_and_another_one_another_block() {
    let Some(workload) = build(SMALL, 5) else { return };
    let hashes = |workload: &Workload| -> Vec<_> {
        workload.cases[0].block.transactions().iter().map(|transaction| *transaction.hash()).collect()
    };
    let (again, other) = (build(SMALL, 5).unwrap(), build(SMALL, 6).unwrap());
    assert_eq!(hashes(&workload), hashes(&again));
    let (mine, others): (BTreeSet<_>, BTreeSet<_>) =
        (hashes(&workload).into_iter().collect(), hashes(&other).into_iter().collect());
    assert_eq!(mine.len(), others.len());
    // Hashes do not cover senders here, so that a harvest is like every other one.
    assert!(mine.intersection(&others).count() <= mine.len() / 50);
}

#[test]
fn contracts_are_where_they_are_with_every_seed() {
    let Some(workload) = build(SMALL, 5) else { return };
    let other = build(SMALL, 6).unwrap();
    let admin = Deployer::new().admin;
    let mut contracts = 0;
    for address in (0..2_000).map(|nonce| admin.create(nonce)) {
        let code =
            |workload: &Workload| workload.cases[0].snapshot.basic_ref(address).unwrap().map(|info| info.code_hash);
        assert_eq!(code(&workload), code(&other), "{address}");
        contracts += usize::from(code(&workload).is_some());
    }
    assert!(contracts > 100, "{contracts}");
}

#[test]
fn chains_kinds_gas_and_failures_are_as_announced() {
    let Some(workload) = build(Size::SMALL, 7) else { return };
    println!("{}", workload.notes);
    let case = &workload.cases[0];
    let count = case.block.senders().len();
    let mut senders = BTreeMap::<Address, usize>::new();
    case.block.senders().iter().for_each(|sender| *senders.entry(*sender).or_default() += 1);
    let chained: usize = senders.values().filter(|length| **length > 1).sum();
    assert!((14..=19).contains(&(100 * chained / count)), "{chained} of {count} in chains");
    assert!(senders.values().all(|length| *length <= 16));
    let receipts = Bundle.execute(0, case).unwrap().receipts;
    let mean = receipts.last().unwrap().cumulative_gas_used / count as u64;
    assert!((64_000..=72_000).contains(&mean), "{mean} gas on average");
    let failed = receipts.iter().filter(|receipt| !receipt.success).count();
    assert!(failed > 0 && failed * 100 <= count * 4, "{failed} of {count} fail");
    for (_, name, _) in SHARES {
        assert!(workload.notes.contains(name), "{name} is not in the notes");
    }
}
