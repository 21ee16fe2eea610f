//! Keys that were read ahead and then written, wiped or never needed.

use crate::stage::{CONTRACT, NOBODY, OTHER, key, number, state, word};
use alloy_primitives::U256;
use braid_runtime::EngineConfig;
use braid_tests::{
    blocks::{BlockBuilder, Call},
    contracts::{destroyer, reader, sweeper},
    differential::{Checked, Engines},
    memory::MemoryState,
};

fn check(state: &MemoryState, block: &BlockBuilder) -> Checked {
    let checked = Engines::reading_ahead().check(state, &block.build(), &block.spec());
    checked.unwrap_or_else(|mismatch| panic!("{mismatch}"))
}

#[test]
fn nobody_reads_ahead_by_default() {
    assert_eq!(EngineConfig::default().readers, 0);
}

#[test]
fn read_ahead_then_destroyed() {
    let mut state = state();
    state.deploy(CONTRACT, destroyer(), &[(1, 10), (5, 6)]).deploy(OTHER, reader(), &[]);
    // All slots of the contract are read ahead for the last call, and gone when it runs.
    let look = Call::to(OTHER).words(&[word(CONTRACT), number(1)]);
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), Call::to(CONTRACT).value(3u64))
        .call(&key(1), Call::to(CONTRACT).words(&[word(NOBODY)]))
        .call(&key(2), Call::to(CONTRACT).value(4u64).words(&[U256::ZERO]))
        .call(&key(3), look);
    let checked = check(&state, &block);
    let outcome = checked.serial.unwrap();
    let contract = outcome.diff.accounts.iter().find(|account| account.address == CONTRACT).unwrap();
    assert!(contract.storage_wiped, "{contract:?}");
}

#[test]
fn read_ahead_then_written() {
    let mut state = state();
    let storage: Vec<_> = (1..200).map(|slot| (slot, slot)).collect();
    state.deploy(CONTRACT, sweeper(), &storage);
    let mut block = BlockBuilder::new("Prague").gas_limit(u64::MAX);
    for index in 0..10 {
        // Each sweep reads and writes slots that the one before it wrote.
        block = block.call(&key(index), Call::to(CONTRACT).words(&[number(index), number(20)]).gas(2_000_000));
    }
    let checked = check(&state, &block);
    assert!(!checked.serial.unwrap().diff.slots.is_empty());
}
