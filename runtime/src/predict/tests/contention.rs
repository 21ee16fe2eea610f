//! Where transactions meet, foretold without the rest.

use super::*;

const ROUTER: u64 = 900;

/// A swap through a router on one of three pools: reserves that all swaps of the pool share, and a balance of the caller's own.
fn swap(pool: u64, sender: u64) -> (Vec<u8>, Run) {
    let (router, pool) = (account(ROUTER), account(901 + pool));
    let data = input([9, 9, 9, 9], &[word(pool), word(account(sender))]);
    let mut run = Run::new();
    let asked = input([3, 3, 3, 3], &[word(account(sender))]);
    run.observed.enter(CallStart {
        kind: CallKind::Call,
        code_address: pool,
        code_hash: code(91),
        this: pool,
        caller: router,
        value: U256::ZERO,
        input: &asked,
    });
    run.observed.write_slot(pool, U256::from(8), U256::from(sender), U256::from(sender + 1));
    let balance = run.mapping(word(account(sender)), U256::ZERO);
    run.observed.write_slot(pool, balance, U256::ZERO, U256::ONE);
    run.observed.leave(&[], true);
    (data, run)
}

fn predict_contended(predictor: &Predictor, shape: &TransactionShape<'_>) -> Prediction {
    let mut out = Prediction::default();
    predictor.predict_contended(shape, &(), &mut KeccakCache::default(), &mut out);
    out
}

#[test]
fn only_the_slot_in_which_swaps_meet_is_foretold() {
    let mut predictor = Predictor::default();
    for round in 0..40 {
        let (data, run) = swap(round % 3, 1_000 + round);
        let shape = shape(account(1_000 + round), account(ROUTER), code(90), &data);
        predictor.learn(&shape, &run.observed, &run.preimages);
    }
    let check = |predictor: &Predictor| {
        let (data, run) = swap(1, 5_000);
        let shape = shape(account(5_000), account(ROUTER), code(90), &data);
        assert!(predictor.outline(&shape).contended);
        assert_eq!(predictor.outline(&shape).gas, 50_000);
        let contended = predict_contended(predictor, &shape);
        assert_eq!(contended.slots().collect::<Vec<_>>(), [(account(902), U256::from(8), true)]);
        assert_eq!(keys(&predict(predictor, &shape, &())), run.keys(), "the whole prediction has both");
    };
    check(&predictor);
    check(&Predictor::load(&predictor.save(), PredictorConfig::default()).expect("it was just saved"));
}

#[test]
fn transfers_among_many_holders_do_not_meet() {
    let mut predictor = Predictor::default();
    for round in 0..40 {
        let (sender, data, run) = transfer(2 * round, 2 * round + 1);
        predictor.learn(&shape(sender, account(1000), code(1), &data), &run.observed, &run.preimages);
    }
    let (sender, data, _) = transfer(500, 501);
    let shape = shape(sender, account(1000), code(1), &data);
    assert!(!predictor.outline(&shape).contended);
    assert_eq!(predict_contended(&predictor, &shape).slots().count(), 0);
}
