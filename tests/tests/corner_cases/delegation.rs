//! Accounts that run the code of others (EIP-7702).

use crate::stage::{BENEFICIARY, CONTRACT, NOBODY, OTHER, key, number, refuse, run, state, word};
use alloy_primitives::{Address, U256};
use braid_runtime::{BlockError, InvalidBlock};
use braid_tests::{
    blocks::{BlockBuilder, Call},
    contracts::{counter, delegate, destroyer, factory, factory_child, reader},
    memory::MemoryState,
};

fn with_delegate() -> MemoryState {
    let mut state = state();
    state.deploy(CONTRACT, delegate(), &[]).deploy(OTHER, counter(), &[]);
    state
}

/// Lets key 1 run the code at [`CONTRACT`], on behalf of key 0.
fn delegation(nonce: u64) -> Call {
    Call::to(NOBODY).authorizations(vec![key(1).authorize(1, CONTRACT, nonce)])
}

fn use_it() -> Call {
    Call::to(key(1).address).words(&[word(NOBODY), U256::ZERO])
}

#[test]
fn self_authorization() {
    let me = key(1);
    // The nonce is counted up before the authorization is looked at.
    let block = BlockBuilder::new("Prague")
        .call(
            &me,
            Call::to(me.address).words(&[word(NOBODY), U256::ZERO]).authorizations(vec![me.authorize(1, CONTRACT, 1)]),
        )
        .next_nonce(&me, 2)
        .call(&me, Call::to(me.address).words(&[word(NOBODY), U256::ZERO]))
        .call(&key(2), use_it());
    let after = run(&with_delegate(), &block);
    assert_eq!((after.slot(me.address, 0), after.balance(NOBODY)), (number(3), number(3)));
    assert_eq!(after.nonce(me.address), 3);
}

#[test]
fn delegation_set_and_used_in_the_same_block() {
    for fork in ["Prague", "Osaka"] {
        let block = BlockBuilder::new(fork)
            .call(&key(2), use_it())
            .call(&key(0), delegation(0))
            .call(&key(3), use_it())
            .call(&key(4), use_it());
        let after = run(&with_delegate(), &block);
        assert_eq!(after.slot(key(1).address, 0), number(2), "{fork}");
        assert_eq!(after.nonce(key(1).address), 1);
    }
}

#[test]
fn delegation_set_and_used_in_the_same_transaction() {
    let call = use_it().authorizations(vec![key(1).authorize(1, CONTRACT, 0)]);
    let after = run(&with_delegate(), &BlockBuilder::new("Prague").call(&key(0), call));
    assert_eq!(after.slot(key(1).address, 0), number(1));
}

#[test]
fn sender_that_is_delegated() {
    // Its own transactions go on, and the code it runs counts up its nonce in between by creating contracts.
    let me = key(1);
    let create = || use_it().words(&[word(NOBODY), number(1)]);
    let block = BlockBuilder::new("Prague")
        .call(&key(0), delegation(0))
        .next_nonce(&me, 1)
        .call(&me, Call::to(NOBODY).value(1u64))
        .call(&key(2), create())
        .next_nonce(&me, 3)
        .call(&me, Call::to(OTHER).words(&[number(4)]))
        .call(&me, create())
        .next_nonce(&me, 6)
        .call(&me, Call::to(NOBODY).value(1u64));
    let after = run(&with_delegate(), &block);
    assert_eq!((after.nonce(me.address), after.slot(me.address, 1)), (7, word(me.address.create(5))));
    assert_eq!(after.balance(NOBODY), number(4));
}

#[test]
fn nonce_counted_up_by_an_authorization_before_the_accounts_own_transaction() {
    let block = BlockBuilder::new("Osaka")
        .call(&key(1), Call::to(NOBODY).value(1u64))
        .call(&key(0), delegation(1))
        .next_nonce(&key(1), 2)
        .call(&key(1), Call::to(NOBODY).value(1u64))
        .call(&key(1), Call::to(OTHER).words(&[number(0)]));
    let after = run(&with_delegate(), &block);
    assert_eq!((after.nonce(key(1).address), after.balance(NOBODY)), (4, number(2)));
}

#[test]
fn nonce_counted_up_by_an_authorization_makes_the_next_transaction_invalid() {
    let block = BlockBuilder::new("Prague")
        .call(&key(1), Call::to(NOBODY).value(1u64))
        .call(&key(0), delegation(1))
        .call(&key(1), Call::to(NOBODY).value(1u64));
    let error = refuse(&with_delegate(), &block);
    assert!(matches!(error, BlockError::Invalid(InvalidBlock::Transaction { index: 2, .. })), "{error}");
}

#[test]
fn authorizations_for_another_chain_or_nonce_are_skipped() {
    let wrong = vec![
        key(1).authorize(5, CONTRACT, 0),
        key(1).authorize(1, CONTRACT, 1),
        key(2).authorize(0, CONTRACT, 0),
        key(3).authorize(1, CONTRACT, u64::MAX),
    ];
    let block = BlockBuilder::new("Prague")
        .call(&key(0), Call::to(NOBODY).authorizations(wrong))
        .call(&key(4), use_it())
        .call(&key(4), Call::to(key(2).address).words(&[word(NOBODY), U256::ZERO]));
    let after = run(&with_delegate(), &block);
    assert_eq!((after.nonce(key(1).address), after.nonce(key(2).address), after.nonce(key(3).address)), (0, 1, 0));
    assert_eq!((after.slot(key(1).address, 0), after.slot(key(2).address, 0)), (U256::ZERO, number(1)));
}

#[test]
fn last_authorization_of_an_account_counts() {
    let twice = vec![key(1).authorize(1, OTHER, 0), key(1).authorize(1, CONTRACT, 1)];
    let block =
        BlockBuilder::new("Prague").call(&key(0), Call::to(NOBODY).authorizations(twice)).call(&key(2), use_it());
    let after = run(&with_delegate(), &block);
    assert_eq!((after.nonce(key(1).address), after.slot(key(1).address, 0)), (2, number(1)));
}

#[test]
fn delegation_taken_back_keeps_the_storage() {
    let block = BlockBuilder::new("Prague")
        .call(&key(0), delegation(0))
        .call(&key(2), use_it())
        .call(&key(0), Call::to(NOBODY).authorizations(vec![key(1).authorize(1, Address::ZERO, 1)]))
        .call(&key(3), use_it())
        .call(&key(0), delegation(2))
        .call(&key(4), use_it());
    let after = run(&with_delegate(), &block);
    assert_eq!((after.slot(key(1).address, 0), after.nonce(key(1).address)), (number(2), 3));
}

#[test]
fn delegation_of_the_parent_state_is_changed() {
    let me = key(20);
    let mut state = with_delegate();
    let code = [&[0xef, 1, 0][..], CONTRACT.as_slice()].concat();
    let storage = [(U256::ZERO, number(5))].into();
    state.insert(me.address, number(1_000_000), 3, code.into(), storage);
    let count = || Call::to(me.address).words(&[number(0), U256::ZERO]);
    let block = BlockBuilder::new("Osaka")
        .call(&key(0), count())
        .call(&key(1), Call::to(NOBODY).authorizations(vec![me.authorize(1, OTHER, 3)]))
        .call(&key(2), Call::to(me.address).words(&[number(7)]))
        .call(&key(3), Call::to(me.address).words(&[number(0)]));
    let after = run(&state, &block);
    assert_eq!((after.slot(me.address, 0), after.slot(me.address, 7)), (number(7), number(1)));
}

#[test]
fn delegation_survives_a_failing_call() {
    // Authorizations are applied before the call and stay when it fails.
    let call = Call::to(BENEFICIARY).gas(100_000).authorizations(vec![key(1).authorize(1, CONTRACT, 0)]);
    let mut state = with_delegate();
    state.deploy(BENEFICIARY, vec![0xfe], &[]);
    let after = run(&state, &BlockBuilder::new("Prague").call(&key(0), call).call(&key(2), use_it()));
    assert_eq!(after.successes(), [false, true]);
    assert_eq!(after.slot(key(1).address, 0), number(1));
}

#[test]
fn delegate_that_is_destroyed_and_made_again() {
    // Since Cancun a contract can only be destroyed by the transaction that makes it.
    let child = factory_child(CONTRACT, 1);
    let mut state = state();
    state.deploy(CONTRACT, factory(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(100);
    let make = |destroys| Call::to(CONTRACT).words(&[number(1), number(1), word(destroys)]);
    let use_it = || Call::to(key(1).address).words(&[U256::ZERO]);
    let block = BlockBuilder::new("Prague")
        .call(&key(0), Call::to(NOBODY).authorizations(vec![key(1).authorize(1, child, 0)]))
        .call(&key(2), use_it())
        .call(&key(3), make(NOBODY))
        .call(&key(4), use_it())
        .call(&key(5), make(Address::ZERO))
        .call(&key(6), use_it())
        .call(&key(7), use_it());
    let after = run(&state, &block);
    assert_eq!(after.slot(key(1).address, 1), number(2), "only while the delegate has code");
    assert_eq!(after.slot(child, 1), number(7));
}

#[test]
fn delegated_account_cannot_be_destroyed() {
    let mut state = state();
    state.deploy(CONTRACT, destroyer(), &[]);
    let call = Call::to(key(1).address).words(&[word(NOBODY)]);
    let block = BlockBuilder::new("Prague").call(&key(0), delegation(0)).call(&key(2), call);
    let after = run(&state, &block);
    assert_eq!(after.balance(NOBODY), braid_tests::blocks::ether(1000));
    assert_eq!((after.balance(key(1).address), after.nonce(key(1).address)), (U256::ZERO, 1));
}

#[test]
fn code_of_a_delegated_account_as_others_see_it() {
    let mut state = with_delegate();
    state.deploy(OTHER, reader(), &[]);
    let look = || Call::to(OTHER).words(&[word(key(1).address), number(1)]);
    let block = BlockBuilder::new("Prague").call(&key(2), look()).call(&key(0), delegation(0)).call(&key(3), look());
    let after = run(&state, &block);
    let designation = [&[0xef, 1, 0][..], CONTRACT.as_slice()].concat();
    assert_eq!(after.slot(OTHER, 4), U256::from_be_bytes(alloy_primitives::keccak256(designation).0));
}
