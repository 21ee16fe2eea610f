//! The account that gets the fees takes part in the block itself.

use crate::stage::{BENEFICIARY, CONTRACT, NOBODY, OTHER, key, number, run, state, word};
use alloy_primitives::{Address, U256};
use braid_tests::{
    blocks::{BlockBuilder, Call, ether},
    contracts::{briber, counter, destroyer, old_reader, payer},
};

/// Fee of a plain transfer at a tip of one wei.
const TRANSFER_FEE: u64 = 21_000;

#[test]
fn beneficiary_is_a_sender() {
    let block = BlockBuilder::new("London")
        .beneficiary(key(0).address)
        .call(&key(1), Call::to(NOBODY).value(1u64))
        .call(&key(0), Call::to(NOBODY).value(ether(999)))
        .call(&key(2), Call::to(NOBODY).value(1u64))
        .call(&key(0), Call::to(key(2).address).value(5u64));
    let after = run(&state(), &block);
    // A price of ten wei at a base fee of seven: three are the tip, which comes back.
    let burnt = U256::from(2 * 7 * TRANSFER_FEE);
    let earned = U256::from(2 * 3 * TRANSFER_FEE) + ether(2);
    assert_eq!(after.balance(key(0).address), ether(1) - number(5) - burnt + earned);
}

#[test]
fn beneficiary_can_spend_in_the_block_what_it_earned_in_it() {
    let poor = key(20);
    let block = BlockBuilder::new("Paris")
        .beneficiary(poor.address)
        .call(&key(1), Call::to(NOBODY).value(1u64).price(1_000_000, 0))
        .call(&poor, Call::to(NOBODY).value(1_000_000u64).gas(21_000).price(7, 0));
    let after = run(&state(), &block);
    assert_eq!(after.balance(NOBODY), number(1_000_001));
}

#[test]
fn beneficiary_is_a_recipient() {
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), Call::to(BENEFICIARY).value(100u64))
        .call(&key(1), Call::to(NOBODY))
        .call(&key(2), Call::to(BENEFICIARY).value(100u64));
    let after = run(&state(), &block);
    assert_eq!(after.balance(BENEFICIARY), number(200 + 3 * 3 * TRANSFER_FEE));
}

#[test]
fn beneficiary_is_a_contract_that_is_called() {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[(0, 5)]);
    let mut block = BlockBuilder::new("Cancun").beneficiary(CONTRACT);
    for index in 0..6 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[number(index % 2)]));
    }
    let after = run(&state, &block);
    assert_eq!((after.slot(CONTRACT, 0), after.slot(CONTRACT, 1)), (number(8), number(3)));
    assert_eq!(after.balance(CONTRACT), number(3 * after.outcome.gas_used));
}

#[test]
fn balance_of_the_beneficiary_read_in_the_middle() {
    let mut state = state();
    state.deploy(CONTRACT, old_reader(), &[]).fund(BENEFICIARY, number(1));
    let block = BlockBuilder::new("Berlin")
        .call(&key(0), Call::to(NOBODY).value(1u64))
        .call(&key(1), Call::to(CONTRACT).words(&[word(BENEFICIARY)]))
        .call(&key(2), Call::to(NOBODY).value(1u64));
    let after = run(&state, &block);
    let seen = number(1 + 10 * TRANSFER_FEE);
    assert_eq!((after.slot(CONTRACT, 0), after.slot(CONTRACT, 2)), (seen, seen));
}

#[test]
fn every_transaction_reads_the_balance_of_the_beneficiary() {
    let mut state = state();
    state.deploy(CONTRACT, old_reader(), &[]);
    let mut block = BlockBuilder::new("Shanghai");
    for index in 0..10 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[word(BENEFICIARY)]));
    }
    let after = run(&state, &block);
    let last = after.outcome.receipts[9].cumulative_gas_used - after.outcome.receipts[8].cumulative_gas_used;
    assert_eq!(after.slot(CONTRACT, 2), number(3 * (after.outcome.gas_used - last)), "what nine transactions paid");
}

#[test]
fn bribes_depend_on_the_balance_of_the_beneficiary() {
    let mut state = state();
    state.deploy(CONTRACT, briber(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(1000);
    let mut block = BlockBuilder::new("Osaka");
    for index in 0..8 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[number(10), number(300_000)]));
    }
    let after = run(&state, &block);
    let counted = after.slot(CONTRACT, 0).to::<u64>();
    assert!((1..8).contains(&counted), "the threshold is crossed inside the block: {counted}");
}

#[test]
fn beneficiary_is_destroyed() {
    let mut state = state();
    state.deploy(CONTRACT, destroyer(), &[(1, 9)]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(500);
    for fork in ["Byzantium", "Shanghai", "Cancun"] {
        let block = BlockBuilder::new(fork)
            .beneficiary(CONTRACT)
            .call(&key(0), Call::to(NOBODY).value(1u64))
            .call(&key(1), Call::to(CONTRACT).words(&[word(OTHER)]))
            .call(&key(2), Call::to(NOBODY).value(1u64));
        let after = run(&state, &block);
        let tip = if fork == "Byzantium" { 10 } else { 3 };
        let reward = if fork == "Byzantium" { ether(3) } else { U256::ZERO };
        let own_fee = if fork == "Cancun" { tip * (after.outcome.gas_used - 2 * TRANSFER_FEE) } else { 0 };
        assert_eq!(after.balance(OTHER), number(500 + tip * TRANSFER_FEE), "{fork}");
        assert_eq!(
            after.balance(CONTRACT),
            number(tip * TRANSFER_FEE + own_fee) + reward,
            "{fork}: the fee of the transaction that destroys it is lost before Cancun"
        );
    }
}

#[test]
fn beneficiary_inherits_from_a_destroyed_contract() {
    let mut state = state();
    state.deploy(CONTRACT, destroyer(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(500);
    for fork in ["Homestead", "EIP158", "Shanghai", "Prague"] {
        let block = BlockBuilder::new(fork)
            .call(&key(0), Call::to(CONTRACT).words(&[word(BENEFICIARY)]).price(10, 0))
            .call(&key(1), Call::to(BENEFICIARY).value(1u64));
        let after = run(&state, &block);
        assert!(after.balance(BENEFICIARY) >= number(501), "{fork}");
    }
}

#[test]
fn zero_tip_touches_an_empty_beneficiary() {
    let mut state = state();
    state.fund(BENEFICIARY, U256::ZERO);
    let block = BlockBuilder::new("Paris").call(&key(0), Call::to(NOBODY).value(1u64).price(7, 0));
    assert!(!run(&state, &block).exists(BENEFICIARY), "EIP-161 removes it");
    let mut state = self::state();
    state.deploy(CONTRACT, counter(), &[]).fund(BENEFICIARY, U256::ZERO);
    let block = block.call(&key(1), Call::to(CONTRACT).words(&[number(1)]).price(7, 0));
    assert!(!run(&state, &block).exists(BENEFICIARY));
}

#[test]
fn zero_tip_does_not_bring_a_beneficiary_into_being_since_spurious_dragon() {
    for (fork, exists) in [("EIP150", true), ("Paris", false)] {
        let price = if fork == "Paris" { 7 } else { 0 };
        let block = BlockBuilder::new(fork).call(&key(0), Call::to(NOBODY).value(1u64).price(price, 0));
        let after = run(&state(), &block);
        assert_eq!(after.exists(BENEFICIARY), exists, "{fork}");
    }
}

#[test]
fn beneficiary_is_a_precompile() {
    let mut state = state();
    state.fund(Address::with_last_byte(4), number(3)).deploy(CONTRACT, payer(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(100);
    let block = BlockBuilder::new("Cancun")
        .beneficiary(Address::with_last_byte(4))
        .call(&key(0), Call::to(Address::with_last_byte(4)).value(5u64))
        .call(&key(1), Call::to(CONTRACT).words(&[word(Address::with_last_byte(4)), number(7)]));
    let after = run(&state, &block);
    assert_eq!(after.balance(Address::with_last_byte(4)), number(3 + 5 + 7 + 3 * after.outcome.gas_used));
}
