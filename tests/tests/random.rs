//! Random blocks written to conflict come out of the engine as they come out of serial execution.

use braid_runtime::Mode;
use braid_tests::{
    differential::{Engines, Prediction},
    generator::plans,
};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::RefCell;

fn check(cases: u32, rng: TestRng, transactions: usize, engines: Engines) {
    let engines = RefCell::new(engines);
    let totals = RefCell::new([0_u32; 4]);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&plans(transactions), |plan| {
        let random = plan.realize();
        let checked = engines
            .borrow_mut()
            .check(&random.parent, &random.block, &random.spec)
            .map_err(|mismatch| TestCaseError::fail(mismatch.to_string()))?;
        let counts = [checked.ahead, checked.re_executions, checked.native, u32::from(checked.serial.is_err())];
        totals.borrow_mut().iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        Ok(())
    });
    let [ahead, again, native, invalid] = totals.into_inner();
    println!("{cases} blocks, {invalid} invalid; {ahead} ran ahead, {again} ran again, {native} native");
    match result {
        Ok(()) => assert!(ahead > 0 && again > 0 && native > 0 && invalid > 0, "something never happened"),
        Err(TestError::Fail(reason, plan)) => panic!("{reason}\n{plan:#?}"),
        Err(error) => panic!("{error}"),
    }
}

fn seeded(seed: u8) -> TestRng {
    TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])
}

#[test]
fn small_blocks_with_every_prediction() {
    check(150, seeded(1), 6, Engines::new(&[Mode::Forced], &[2], &Prediction::ALL));
}

#[test]
fn blocks_with_every_prediction() {
    check(60, seeded(2), 40, Engines::new(&[Mode::Forced], &[4], &Prediction::ALL));
}

#[test]
fn blocks_in_every_setting() {
    check(12, seeded(3), 30, Engines::all());
}

#[test]
fn blocks_while_others_read_ahead() {
    check(12, seeded(4), 30, Engines::reading_ahead());
}

#[test]
#[ignore = "runs for an hour, on another seed each time"]
fn soak() {
    for round in 0..40 {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &rand::random::<[u8; 32]>());
        check(500, rng, if round % 2 == 0 { 8 } else { 60 }, Engines::all());
    }
}
