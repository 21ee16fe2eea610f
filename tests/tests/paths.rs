//! Transactions along recorded paths come out as the interpreter has them, whatever their arguments, gas and values.

use alloy_primitives::{Address, Bytes, U256};
use braid_runtime::Mode;
use braid_tests::{
    blocks::{BlockBuilder, Call, Key, ether},
    contracts::deploy_system_contracts,
    differential::{Engines, Prediction},
    memory::MemoryState,
    programs::{ARGUMENTS, Writer},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use revm::bytecode::opcode;

/// Forks of the random blocks. Before the first of them there are no paths; what a fork does not have yet fails there.
const FORKS: [&str; 7] = ["Berlin", "London", "Cancun", "Cancun", "Prague", "Osaka", "Osaka"];

/// What is checked of many random blocks.
#[derive(Debug, Default)]
struct Totals {
    transactions: usize,
    failed: usize,
    replayed: u64,
}

/// Blocks of calls to three random programs which call one another.
fn check(seeds: std::ops::Range<u64>, engines: &mut Engines) -> Totals {
    let mut totals = Totals::default();
    for seed in seeds {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (state, builder) = block(&mut random);
        let block = builder.build();
        let checked = engines
            .check(&state, &block, &builder.spec())
            .unwrap_or_else(|mismatch| panic!("programs of seed {seed}: {mismatch}"));
        let outcome = checked.serial.unwrap_or_else(|error| panic!("programs of seed {seed}: {error}"));
        assert_eq!(
            checked.rejected, 0,
            "programs of seed {seed}: paths that do not even do what they were recorded from"
        );
        totals.transactions += outcome.receipts.len();
        totals.failed += outcome.receipts.iter().filter(|receipt| !receipt.success).count();
        totals.replayed += checked.replayed;
    }
    println!("{totals:?}");
    totals
}

fn block(random: &mut ChaCha8Rng) -> (MemoryState, BlockBuilder) {
    let mut state = MemoryState::default();
    let keys: Vec<Key> = (0..6).map(Key::new).collect();
    for key in &keys {
        state.fund(key.address, ether(1000));
    }
    deploy_system_contracts(&mut state);
    let contracts: Vec<Address> = (1..=3).map(|number| Address::repeat_byte(0x10 + number)).collect();
    // The same programs with other immutables.
    let twins: Vec<Address> = (1..=3).map(|number| Address::repeat_byte(0x20 + number)).collect();
    let nobody = Address::repeat_byte(0x77);
    for (position, contract) in contracts.iter().enumerate() {
        // A program calls only those after it, so that it ends; the last may call itself, which costs its gas.
        let mut known: Vec<Address> = contracts[(position + 1).min(2)..].to_vec();
        known.extend_from_slice(&twins[(position + 1).min(2)..]);
        known.extend([nobody, keys[0].address]);
        let size = random.random_range(3..12);
        let code = Writer::new(random, &known).program(size);
        let storage = [(0, 1), (1, 0), (2, 7)].map(|(slot, value): (u64, u64)| (U256::from(slot), U256::from(value)));
        let other = with_other_immutables(&code, &known, random);
        state.insert(twins[position], U256::from(500), 1, other, storage.into());
        state.insert(*contract, U256::from(1000), 1, code, storage.into());
    }
    let mut builder = BlockBuilder::new(FORKS[random.random_range(0..FORKS.len())]);
    for _ in 0..24 {
        let contract = if random.random() { &contracts } else { &twins }[random.random_range(0..3)];
        let words: Vec<U256> = (0..ARGUMENTS).map(|_| argument(random)).collect();
        let mut call = Call::to(contract).words(&words).gas(random_gas(random));
        if random.random_ratio(1, 4) {
            call = call.value(random.random_range(0..3_u64));
        }
        if random.random_ratio(1, 6) {
            call = call.list([(contracts[2], vec![U256::ZERO, U256::ONE])]);
        }
        let key = keys[random.random_range(0..keys.len())];
        builder = builder.call(&key, call);
    }
    (state, builder)
}

/// The code with other words behind each `PUSH32` that begins with a zero byte. Some are as they were.
fn with_other_immutables(code: &[u8], known: &[Address], random: &mut impl Rng) -> Bytes {
    let mut other = code.to_vec();
    let mut at = 0;
    while at < code.len() {
        let instruction = code[at];
        at += 1;
        if instruction == opcode::PUSH32 && code[at] == 0 {
            let word = match random.random_range(0..4) {
                0 => U256::from_be_slice(&code[at..at + 32]),
                1 => U256::from(random.random_range(0..64_u64)),
                2 => U256::from(random.random::<u64>()),
                _ => U256::from_be_slice(known[random.random_range(0..known.len())].as_slice()),
            };
            other[at..at + 32].copy_from_slice(&word.to_be_bytes::<32>());
        }
        if (opcode::PUSH1..=opcode::PUSH32).contains(&instruction) {
            at += usize::from(instruction - opcode::PUSH0);
        }
    }
    other.into()
}

fn random_gas(random: &mut impl Rng) -> u64 {
    if random.random_ratio(1, 4) { random.random_range(34_000..90_000) } else { 400_000 }
}

/// Mostly one of few, so that transactions take the same way now and then.
fn argument(random: &mut impl Rng) -> U256 {
    match random.random_range(0..6) {
        0..=2 => U256::from(random.random_range(0..4_u64)),
        3 => U256::from(random.random::<u64>()),
        4 => U256::MAX - U256::from(random.random_range(0..3_u64)),
        _ => U256::from_be_bytes(random.random::<[u8; 32]>()),
    }
}

#[test]
fn random_programs_on_one_thread() {
    let totals = check(0..150, &mut Engines::new(&[Mode::Forced], &[1], &[Prediction::Empty, Prediction::Learned]));
    let Totals { transactions, failed, replayed } = totals;
    assert!(failed > transactions / 50, "{failed} of {transactions} failed");
    assert!(failed < transactions / 2, "{failed} of {transactions} failed");
    assert!(replayed > transactions as u64 / 4, "{replayed} of four times {transactions} went along a path");
}

#[test]
fn random_programs_with_every_prediction() {
    let totals = check(1_000..1_040, &mut Engines::new(&[Mode::Forced], &[1, 2, 4, 8], &Prediction::ALL));
    assert!(totals.replayed > 0);
}

#[test]
#[ignore = "runs for an hour"]
fn random_programs_for_long() {
    check(1_000_000..1_100_000, &mut Engines::new(&[Mode::Forced], &[1], &[Prediction::Empty, Prediction::Learned]));
}
