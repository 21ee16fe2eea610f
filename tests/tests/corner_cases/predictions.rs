//! Predictions that are empty, wrong or huge, and keys chosen to do harm.

use crate::stage::{CONTRACT, NOBODY, OTHER, key, number, run, state, word};
use alloy_primitives::U256;
use braid_runtime::{AccessHints, Engine, EngineConfig, Mode, Outputs, RecoveredBlock, oracle::execute_serial};
use braid_tests::{
    blocks::{BlockBuilder, Call},
    contracts::{chain, counter, router, sweeper, token},
    differential::{Engines, first_difference},
    memory::MemoryState,
};
use std::time::{Duration, Instant};

fn with_sweeper() -> MemoryState {
    let mut state = state();
    let storage: Vec<_> = (1..200).map(|slot| (slot, slot)).collect();
    state.deploy(CONTRACT, sweeper(), &storage).deploy(OTHER, router(), &[]);
    state
}

fn sweep(from: u64, count: u64) -> Call {
    Call::to(CONTRACT).words(&[number(from), number(count)]).gas(15_000_000)
}

/// A block of sweeps that read this many slots each.
fn sweeps(count: u64) -> RecoveredBlock {
    let mut block = BlockBuilder::new("Shanghai").gas_limit(u64::MAX);
    for index in 0..10 {
        block = block.call(&key(index), sweep(10 * index, count));
    }
    block.build()
}

fn check_taught(lessons: &[RecoveredBlock]) {
    let spec = BlockBuilder::new("Shanghai").spec();
    let checked = Engines::all().check_taught(&with_sweeper(), &sweeps(3), &spec, lessons);
    let checked = checked.unwrap_or_else(|mismatch| panic!("{mismatch}"));
    assert!(checked.serial.is_ok() && checked.ahead > 0, "{:?}", checked.serial);
}

#[test]
fn prediction_is_empty() {
    check_taught(&[]);
}

#[test]
fn prediction_is_wrong() {
    check_taught(&[sweeps(1), sweeps(7)]);
}

#[test]
fn prediction_is_huge() {
    check_taught(&vec![sweeps(2_500); 4]);
}

#[test]
fn prediction_was_learned_where_the_contracts_had_other_code() {
    // Every address has the code of another one, so nothing that was learned about it is true.
    let mut before = state();
    before.deploy(CONTRACT, token(), &[]).deploy(OTHER, chain(), &[(0, 1)]);
    let mut now = state();
    now.deploy(CONTRACT, chain(), &[(0, 1)]).deploy(OTHER, counter(), &[]);
    let mut block = BlockBuilder::new("Prague");
    for index in 0..12 {
        let to = if index % 2 == 0 { CONTRACT } else { OTHER };
        block = block.call(&key(index), Call::to(to).words(&[number(index % 3), U256::ZERO]));
    }
    let (recovered, spec) = (block.build(), block.spec());
    let serial = execute_serial(&now, &recovered, &spec, Outputs::ALL).unwrap();
    for threads in [1, 2, 4] {
        let mut engine = Engine::new(EngineConfig { mode: Mode::Forced, threads, ..Default::default() }).unwrap();
        for state in [&before, &before, &now, &before, &now] {
            let outcome = engine.execute_block(state, &recovered, &spec, AccessHints::Predicted, Outputs::ALL).unwrap();
            if std::ptr::eq(state, &now) {
                assert_eq!(first_difference(&serial, &outcome), None, "{threads} threads");
            }
        }
    }
}

/// The EIP-2930 list declares 12,000 slots and the transaction touches 60 of them.
#[test]
fn list_of_12000_keys_of_which_60_are_touched() {
    let mut block = BlockBuilder::new("Prague").gas_limit(u64::MAX);
    let declared = (0..12_000).map(U256::from).collect::<Vec<_>>();
    let call = sweep(0, 60).list([(CONTRACT, declared)]).gas(30_000_000);
    block = block.call(&key(0), sweep(0, 2)).call(&key(1), call);
    for index in 2..8 {
        block = block.call(&key(index), sweep(100, 2)).call(&key(index), Call::to(NOBODY).value(1u64));
    }
    let after = run(&with_sweeper(), &block);
    assert_eq!(after.successes(), [true; 14]);
    let touched = after.outcome.access_list.unwrap().into_iter().find(|account| account.address == CONTRACT).unwrap();
    let slots = touched.storage_reads.len() + touched.storage_changes.len();
    assert_eq!(slots, 60 + 1 + 2, "what is declared and not touched is not accessed");
}

#[test]
fn list_that_names_the_wrong_accounts() {
    let mut block = BlockBuilder::new("Cancun");
    for index in 0..8 {
        let wrong = [(NOBODY, vec![number(1)]), (OTHER, vec![number(9)]), (key(index).address, vec![number(0)])];
        block = block.call(&key(index), sweep(0, 5).list(wrong));
    }
    assert_eq!(run(&with_sweeper(), &block).successes(), [true; 8]);
}

fn write_keys(keys: &[U256]) -> (MemoryState, RecoveredBlock) {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[]);
    let mut block = BlockBuilder::new("Shanghai").gas_limit(u64::MAX);
    for (index, slot) in keys.iter().enumerate() {
        block = block.call(&key(index as u64 % 12), Call::to(CONTRACT).words(&[*slot]));
    }
    (state, block.build())
}

fn least_time(state: &MemoryState, block: &RecoveredBlock) -> Duration {
    let spec = BlockBuilder::new("Shanghai").spec();
    let serial = execute_serial(state, block, &spec, Outputs::default()).unwrap();
    let mut engine = Engine::new(EngineConfig { mode: Mode::Forced, threads: 2, ..Default::default() }).unwrap();
    let times = (0..3).map(|_| {
        let start = Instant::now();
        let outcome = engine.execute_block(state, block, &spec, AccessHints::Predicted, Outputs::default()).unwrap();
        let time = start.elapsed();
        assert_eq!(first_difference(&serial, &outcome), None);
        time
    });
    times.min().unwrap()
}

/// Keys that differ only in bits that a careless hash throws away: high words, low words, multiples of powers of two.
#[test]
fn keys_chosen_to_fall_into_one_bucket() {
    const COUNT: u64 = 1_500;
    let random: Vec<_> =
        (0..COUNT).map(|key| U256::from_be_bytes(alloy_primitives::keccak256(key.to_be_bytes()).0)).collect();
    let (state, block) = write_keys(&random);
    let usual = least_time(&state, &block);
    for shift in [0_usize, 40, 57, 64, 128, 192, 240] {
        let chosen: Vec<_> = (1..=COUNT).map(|key| U256::from(key) << shift).collect();
        let (state, block) = write_keys(&chosen);
        let time = least_time(&state, &block);
        assert!(time < 20 * usual, "shifted by {shift}: {time:?}, usually {usual:?}");
    }
}

/// Words that cancel each other out under exclusive or and under addition.
#[test]
fn keys_whose_words_cancel_out() {
    let pair = |word: u64| [word, word, 0, 0];
    let negated = |word: u64| [word, word.wrapping_neg(), word, word.wrapping_neg()];
    let keys: Vec<_> = (1..300_u64).flat_map(|word| [pair(word), negated(word)]).map(U256::from_limbs).collect();
    let (state, block) = write_keys(&keys);
    let serial = Engines::quick().check(&state, &block, &BlockBuilder::new("Shanghai").spec()).unwrap().serial.unwrap();
    assert_eq!(serial.diff.slots.len(), keys.len());
}

#[test]
fn one_router_for_everything() {
    // All transactions have the same code and selector, and do different things.
    let mut state = with_sweeper();
    state.deploy(NOBODY, counter(), &[]);
    let mut block = BlockBuilder::new("Osaka");
    for index in 0..12 {
        let target = if index % 3 == 0 { NOBODY } else { CONTRACT };
        block = block
            .call(&key(index), Call::to(OTHER).words(&[word(target), number(index % 2), number(1), number(index + 1)]));
    }
    assert_eq!(run(&state, &block).successes(), [true; 12]);
}
