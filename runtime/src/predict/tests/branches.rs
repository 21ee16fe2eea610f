//! Branches: variants of a function, locks, and functions that only their code speaks of.

use super::*;
use alloy_primitives::hex;

/// A call that touches one slot or another, as a flag in its input says.
fn flagged(flag: bool, sender: u64) -> (Vec<u8>, Run) {
    let data = input([5, 5, 5, 5], &[U256::from(u64::from(flag)), word(account(sender))]);
    let mut run = Run::new();
    run.observed.write_slot(account(800), U256::from(if flag { 10 } else { 11 }), U256::ZERO, U256::ONE);
    (data, run)
}

#[test]
fn what_the_input_decides_is_foreseen_once_both_ways_were_seen() {
    let mut predictor = Predictor::default();
    for round in 0..12 {
        let (data, run) = flagged(round % 2 == 0, round);
        predictor.learn(&shape(account(round), account(800), code(80), &data), &run.observed, &run.preimages);
    }
    for flag in [true, false] {
        let (data, run) = flagged(flag, 77);
        let prediction = predict(&predictor, &shape(account(77), account(800), code(80), &data), &());
        assert_eq!(keys(&prediction), run.keys(), "flag {flag}");
    }
}

#[test]
fn a_caller_of_a_function_with_branches_knows_which_one_it_asks_for() {
    let (outer, inner) = (account(810), account(811));
    let make = |flag: bool, sender: u64| {
        // The flag that the inner call gets is computed: it says which of two accounts is the smaller.
        let mut accounts = [word(account(2 * sender)), word(account(2 * sender + 1))];
        accounts.sort_unstable();
        if flag {
            accounts.reverse();
        }
        let data = input([6, 6, 6, 6], &accounts);
        let (asked, called) = flagged(flag, sender);
        let mut run = Run::new();
        run.observed.enter(CallStart {
            kind: CallKind::Call,
            code_address: inner,
            code_hash: code(81),
            this: inner,
            caller: outer,
            value: U256::ZERO,
            input: &asked,
        });
        let slot = called.observed.slots[0];
        run.observed.write_slot(inner, slot.slot, slot.value, slot.new_value);
        run.observed.leave(&[], true);
        (data, run)
    };
    let mut predictor = Predictor::default();
    for round in 0..24 {
        let (data, run) = make(round % 2 == 0, round);
        predictor.learn(&shape(account(500), outer, code(82), &data), &run.observed, &run.preimages);
    }
    for flag in [true, false] {
        let (data, run) = make(flag, 99);
        let prediction = predict(&predictor, &shape(account(501), outer, code(82), &data), &());
        assert_eq!(keys(&prediction), run.keys(), "flag {flag}");
    }
}

#[test]
fn a_lock_that_is_released_is_read_only() {
    let mut predictor = Predictor::default();
    let data = input([7, 7, 7, 7], &[]);
    let mut run = Run::new();
    run.observed.read_slot(account(820), U256::from(3), U256::ONE);
    run.observed.write_slot(account(820), U256::from(3), U256::ONE, U256::from(2));
    run.observed.write_slot(account(820), U256::from(3), U256::ONE, U256::ONE);
    let shape = shape(account(1), account(820), code(83), &data);
    predictor.learn(&shape, &run.observed, &run.preimages);
    let prediction = predict(&predictor, &shape, &());
    assert_eq!(prediction.slots().collect::<Vec<_>>(), [(account(820), U256::from(3), false)]);
}

/// One account with code.
struct OneCode(Address, B256, Bytes);

impl StateView for OneCode {
    fn storage(&self, _: Address, _: U256) -> Option<U256> {
        None
    }

    fn code_hash(&self, address: Address) -> Option<B256> {
        (address == self.0).then_some(self.1)
    }

    fn code(&self, address: Address) -> Option<Bytes> {
        (address == self.0).then(|| self.2.clone())
    }
}

#[test]
fn a_function_that_nobody_called_is_foreseen_from_its_code_and_then_learned_from() {
    // mstore(0, caller) mstore(32, 0) h = keccak256(0, 64) sstore(h, sload(h) + 1)
    let bytes = Bytes::from(hex!("335f525f60205260405f2080546001019055").to_vec());
    let state = OneCode(account(830), keccak256(&bytes), bytes);
    let data = input([8, 8, 8, 8], &[]);
    let call = shape(account(1), account(830), state.1, &data);
    let mut predictor = Predictor::default();
    let (mut keccak, mut scratch) = (KeccakCache::default(), Prediction::default());
    let studied = predictor.study(&call, &state, &mut keccak, &mut scratch);
    assert_eq!((studied.functions, studied.unreadable), (1, 0));
    assert_eq!(predictor.study(&call, &state, &mut keccak, &mut scratch).functions, 0, "it is read once");
    let prediction = predict(&predictor, &call, &state);
    let slot = keccak256([word(account(1)).to_be_bytes::<32>(), [0; 32]].concat());
    let expected = [(account(830), U256::from_be_bytes(slot.0), true)];
    assert!(prediction.known);
    assert_eq!(prediction.slots().collect::<Vec<_>>(), expected);

    let mut run = Run::new();
    let slot = run.mapping(word(account(1)), U256::ZERO);
    run.observed.write_slot(account(830), slot, U256::ZERO, U256::ONE);
    predictor.learn(&call, &run.observed, &run.preimages);
    let again = predict(&predictor, &call, &state);
    assert_eq!(again.slots().collect::<Vec<_>>(), expected);
    let saved = Predictor::load(&predictor.save(), PredictorConfig::default()).expect("it was just saved");
    assert_eq!(keys(&predict(&saved, &call, &state)), keys(&again));
}

#[test]
fn a_branch_that_only_other_contracts_took_costs_what_its_function_costs() {
    let (outer, inner) = (account(830), account(831));
    let mut predictor = Predictor::default();
    // Another contract calls the function both ways, so that its variants are learned below calls.
    let below = |predictor: &mut Predictor, rounds: u64| {
        for round in 0..rounds {
            let (asked, called) = flagged(round % 2 == 0, round);
            let mut run = Run::new();
            run.observed.gas_used = 90_000;
            run.observed.enter(CallStart {
                kind: CallKind::Call,
                code_address: inner,
                code_hash: code(83),
                this: inner,
                caller: outer,
                value: U256::ZERO,
                input: &asked,
            });
            let slot = called.observed.slots[0];
            run.observed.write_slot(inner, slot.slot, slot.value, slot.new_value);
            run.observed.leave(&[], true);
            let data = input([7, 7, 7, 7], &[U256::from(round)]);
            predictor.learn(&shape(account(round), outer, code(84), &data), &run.observed, &run.preimages);
        }
    };
    below(&mut predictor, 24);
    let (data, _) = flagged(true, 77);
    let direct = shape(account(77), inner, code(83), &data);
    let told = |predictor: &Predictor| (predictor.outline(&direct).gas, predict(predictor, &direct, &()).gas);
    // No transaction began with it: a transaction, and one slot that is probably written.
    let (gas, same) = told(&predictor);
    assert!((23_000..=26_500).contains(&gas) && gas == same, "{gas}, {same}");
    // One did, the other way: that is nearer than a guess.
    let (other, mut run) = flagged(false, 5);
    run.observed.gas_used = 44_000;
    predictor.learn(&shape(account(5), inner, code(83), &other), &run.observed, &run.preimages);
    assert_eq!(told(&predictor), (44_000, 44_000));
    // Its own, as soon as there is one.
    let (own, mut run) = flagged(true, 6);
    run.observed.gas_used = 47_000;
    predictor.learn(&shape(account(6), inner, code(83), &own), &run.observed, &run.preimages);
    assert_eq!(told(&predictor), (47_000, 47_000));
}
