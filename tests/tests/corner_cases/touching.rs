//! Accounts that are touched while empty (EIP-161), and precompiles that hold ether.

use crate::stage::{CONTRACT, NOBODY, OTHER, key, number, run, state, word};
use alloy_primitives::{Address, U256};
use braid_tests::{
    assembly::{Assembly, word as instruction},
    blocks::{BlockBuilder, Call},
    contracts::{failer, payer, reader, router},
};
use revm::bytecode::opcode::{CALL, INVALID};

const RIPEMD: Address = Address::with_last_byte(3);

#[test]
fn zero_value_payment_creates_an_empty_account_before_spurious_dragon() {
    for (fork, exists) in [("Frontier", true), ("EIP150", true), ("EIP158", false), ("Osaka", false)] {
        let block = BlockBuilder::new(fork).call(&key(0), Call::to(NOBODY)).call(&key(1), Call::to(NOBODY));
        assert_eq!(run(&state(), &block).exists(NOBODY), exists, "{fork}");
    }
}

#[test]
fn zero_value_payment_removes_an_empty_account_since_spurious_dragon() {
    for (fork, exists) in [("Homestead", true), ("EIP158", false), ("Cancun", false)] {
        let mut state = state();
        state.fund(NOBODY, U256::ZERO).deploy(CONTRACT, payer(), &[]);
        state.accounts.get_mut(&CONTRACT).unwrap().balance = number(10);
        let native = BlockBuilder::new(fork).call(&key(0), Call::to(NOBODY));
        assert_eq!(run(&state, &native).exists(NOBODY), exists, "{fork}");
        let inner = BlockBuilder::new(fork).call(&key(0), Call::to(CONTRACT).words(&[word(NOBODY), U256::ZERO]));
        assert_eq!(run(&state, &inner).exists(NOBODY), exists, "{fork}, from a contract");
    }
}

#[test]
fn emptiness_seen_by_a_later_transaction() {
    // A call with value to an account that does not exist costs more, and EXTCODEHASH tells the two apart.
    let mut state = state();
    state.fund(NOBODY, U256::ZERO).deploy(CONTRACT, payer(), &[]).deploy(OTHER, reader(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(10);
    for fork in ["EIP150", "Istanbul", "Shanghai"] {
        let block = BlockBuilder::new(fork)
            .call(&key(0), Call::to(NOBODY))
            .call(&key(1), Call::to(OTHER).words(&[word(NOBODY), number(1)]))
            .call(&key(2), Call::to(CONTRACT).words(&[word(NOBODY), number(1)]))
            .call(&key(3), Call::to(OTHER).words(&[word(NOBODY), number(1)]));
        let after = run(&state, &block);
        assert_eq!(after.balance(NOBODY), number(1), "{fork}");
    }
}

#[test]
fn touch_of_the_third_precompile_survives_an_out_of_gas() {
    // Block 2,675,119: the touch is not taken back, so the empty account is removed although the call that touched it failed.
    let touch = instruction(CALL, [100.into(), RIPEMD.into(), 0.into(), 0.into(), 0.into(), 0.into(), 0.into()]);
    let code = Assembly::new().discard(touch).op(INVALID, []).build();
    let mut state = state();
    state.fund(RIPEMD, U256::ZERO).fund(NOBODY, U256::ZERO).deploy(CONTRACT, code, &[]);
    for (fork, exists) in [("EIP150", true), ("EIP158", false), ("Prague", false)] {
        let block = BlockBuilder::new(fork).call(&key(0), Call::to(CONTRACT)).call(&key(1), Call::to(CONTRACT));
        let after = run(&state, &block);
        assert_eq!((after.exists(RIPEMD), after.exists(NOBODY)), (exists, true), "{fork}");
    }
}

#[test]
fn reverted_touch_of_another_account_is_taken_back() {
    let mut state = state();
    state.fund(NOBODY, U256::ZERO).deploy(CONTRACT, failer(), &[]);
    for how in 1..4 {
        let block = BlockBuilder::new("Shanghai").call(&key(0), Call::to(CONTRACT).words(&[word(NOBODY), number(how)]));
        let after = run(&state, &block);
        assert_eq!((after.successes()[0], after.exists(NOBODY)), (false, true), "failure {how}");
    }
}

#[test]
fn precompiles_hold_balance() {
    let sha = Address::with_last_byte(2);
    let mut state = state();
    state.fund(sha, number(9)).deploy(CONTRACT, router(), &[]).deploy(OTHER, reader(), &[]);
    for fork in ["Frontier", "Istanbul", "Osaka"] {
        let mut block = BlockBuilder::new(fork)
            .call(&key(0), Call::to(sha).value(1u64))
            .call(&key(1), Call::to(CONTRACT).words(&[word(sha), number(0), number(77)]).value(2u64))
            .call(&key(2), Call::to(sha));
        if fork != "Frontier" {
            block = block.call(&key(3), Call::to(OTHER).words(&[word(sha), number(1)]));
        }
        let after = run(&state, &block);
        // Frontier's router asks for more gas than it has left, so its call fails.
        assert_eq!(after.balance(sha), number(if fork == "Frontier" { 10 } else { 12 }), "{fork}");
    }
}

#[test]
fn empty_precompile_is_removed_when_called() {
    let mut state = state();
    let identity = Address::with_last_byte(4);
    state.fund(identity, U256::ZERO);
    for (fork, exists) in [("Homestead", true), ("Byzantium", false)] {
        assert_eq!(run(&state, &BlockBuilder::new(fork).call(&key(0), Call::to(identity))).exists(identity), exists);
    }
}
