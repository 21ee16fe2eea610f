//! SELFDESTRUCT, CREATE2 and what becomes of storage.

use crate::stage::{BENEFICIARY, CONTRACT, NOBODY, OTHER, key, number, run, state, word};
use alloy_primitives::{Address, U256};
use braid_tests::{
    assembly::{Assembly, word as instruction},
    blocks::{BlockBuilder, Call, ether},
    contracts::{counter, destroyer, destroyer_init, factory, factory_child, reader, router, stillborn_init},
    memory::MemoryState,
};
use revm::bytecode::opcode::{CALL, GAS, SELFDESTRUCT};

/// A destroyer with 500 wei and some storage.
fn with_destroyer() -> MemoryState {
    let mut state = state();
    state.deploy(CONTRACT, destroyer(), &[(1, 10), (5, 6)]).deploy(OTHER, reader(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(500);
    state
}

fn destroy(to: Address) -> Call {
    Call::to(CONTRACT).words(&[word(to)])
}

/// Uses the destroyer, destroys it, uses it again, looks at it.
fn life_and_death(fork: &str) -> BlockBuilder {
    BlockBuilder::new(fork)
        .call(&key(0), Call::to(CONTRACT).value(3u64))
        .call(&key(1), destroy(NOBODY))
        .call(&key(2), Call::to(CONTRACT).value(4u64).words(&[U256::ZERO]))
        .call(&key(3), Call::to(OTHER).words(&[word(CONTRACT), number(1)]))
}

#[test]
fn selfdestruct_before_cancun_removes_code_storage_and_balance() {
    let after = run(&with_destroyer(), &life_and_death("Shanghai"));
    assert_eq!(after.balance(NOBODY), number(503));
    assert_eq!((after.balance(CONTRACT), after.nonce(CONTRACT)), (number(4), 0), "only what came later");
    assert!(after.state.accounts[&CONTRACT].storage.is_empty());
    assert!(after.ahead > 0);
}

#[test]
fn selfdestruct_since_cancun_moves_the_balance_and_leaves_the_rest() {
    let after = run(&with_destroyer(), &life_and_death("Cancun"));
    assert_eq!((after.balance(NOBODY), after.balance(CONTRACT)), (number(503), number(4)));
    assert_eq!((after.slot(CONTRACT, 1), after.slot(CONTRACT, 5)), (number(10 + 4 + 5), number(6)));
}

#[test]
fn selfdestruct_in_the_creating_transaction_leaves_nothing_since_cancun() {
    let created = key(0).address.create(0);
    let block = BlockBuilder::new("Cancun")
        .call(&key(0), Call::create(stillborn_init()).value(9u64))
        .call(&key(1), Call::to(created).value(2u64));
    let after = run(&state(), &block);
    assert_eq!((after.balance(created), after.nonce(created)), (number(2), 0));
}

#[test]
fn selfdestruct_to_itself_burns_the_balance_before_cancun_only() {
    for (fork, left) in [("London", 0), ("Cancun", 500)] {
        let after = run(&with_destroyer(), &BlockBuilder::new(fork).call(&key(0), destroy(CONTRACT)));
        assert_eq!(after.balance(CONTRACT), number(left), "{fork}");
    }
}

#[test]
fn destroyed_twice_in_one_block() {
    let block = BlockBuilder::new("Berlin")
        .call(&key(0), destroy(NOBODY))
        .call(&key(1), Call::to(CONTRACT).value(7u64))
        .call(&key(2), destroy(OTHER));
    let after = run(&with_destroyer(), &block);
    assert_eq!(
        (after.balance(CONTRACT), after.balance(NOBODY)),
        (number(7), number(500)),
        "without code nothing is destroyed"
    );
}

#[test]
fn destroyed_twice_in_one_transaction() {
    let call = || {
        instruction(CALL, [instruction(GAS, []), CONTRACT.into(), 1.into(), 0.into(), 36.into(), 0.into(), 0.into()])
    };
    // The call data is taken from memory, where nothing is but zeros and the target in the second half of the first argument.
    let twice = Assembly::new()
        .op(revm::bytecode::opcode::MSTORE, [4.into(), NOBODY.into()])
        .discard(call())
        .discard(call())
        .build();
    let mut state = with_destroyer();
    state.deploy(OTHER, twice, &[]);
    state.accounts.get_mut(&OTHER).unwrap().balance = number(2);
    for fork in ["Istanbul", "Shanghai", "Prague"] {
        let after = run(&state, &BlockBuilder::new(fork).call(&key(0), Call::to(OTHER)));
        assert_eq!(after.balance(NOBODY), number(502), "{fork}");
        assert_eq!(after.exists(CONTRACT), fork == "Prague", "{fork}");
    }
}

#[test]
fn destruction_that_is_reverted() {
    let call =
        instruction(CALL, [instruction(GAS, []), CONTRACT.into(), 0.into(), 0.into(), 36.into(), 0.into(), 0.into()]);
    let regretful =
        Assembly::new().op(revm::bytecode::opcode::MSTORE, [4.into(), NOBODY.into()]).discard(call).revert().build();
    let mut state = with_destroyer();
    state.deploy(OTHER, regretful, &[]);
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), Call::to(OTHER))
        .call(&key(1), Call::to(CONTRACT).words(&[U256::ZERO]));
    let after = run(&state, &block);
    assert_eq!(after.successes(), [false, true]);
    assert_eq!((after.balance(CONTRACT), after.slot(CONTRACT, 1)), (number(500), number(11)));
}

fn with_factory() -> MemoryState {
    let mut state = state();
    state.deploy(CONTRACT, factory(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(1000);
    state
}

fn make(salt: u64, wei: u64, destroys: Address) -> Call {
    Call::to(CONTRACT).words(&[number(salt), number(wei), word(destroys)])
}

#[test]
fn destruct_then_create2_then_call_in_one_block() {
    let child = factory_child(CONTRACT, 1);
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), make(1, 2, Address::ZERO))
        .call(&key(1), Call::to(child).words(&[U256::ZERO]).value(5u64))
        .call(&key(2), Call::to(child).words(&[word(NOBODY)]))
        .call(&key(3), make(1, 3, Address::ZERO))
        .call(&key(4), Call::to(child).words(&[U256::ZERO]).value(1u64));
    let after = run(&with_factory(), &block);
    assert_eq!(after.successes(), [true; 5]);
    assert_eq!((after.balance(NOBODY), after.balance(child)), (number(7), number(4)));
    assert_eq!((after.slot(child, 1), after.nonce(child)), (number(7 + 2), 1), "its second life");
}

#[test]
fn storage_of_the_parent_state_is_gone_after_destruct_and_create2() {
    let child = factory_child(CONTRACT, 1);
    let mut state = with_factory();
    state.deploy(child, destroyer(), &[(1, 70), (2, 80), (9, 90)]);
    let block = BlockBuilder::new("London")
        .call(&key(0), Call::to(child).words(&[U256::ZERO]))
        .call(&key(1), Call::to(child).words(&[word(NOBODY)]))
        .call(&key(2), make(1, 0, Address::ZERO))
        .call(&key(3), Call::to(child).words(&[U256::ZERO]));
    let after = run(&state, &block);
    assert_eq!((after.slot(child, 1), after.slot(child, 9)), (number(8), U256::ZERO));
    let diff = after.outcome.diff.accounts.iter().find(|account| account.address == child).unwrap();
    assert!(diff.storage_wiped && diff.present.is_some());
}

#[test]
fn storage_read_in_a_transaction_after_destruct_and_create2_is_zero() {
    let child = factory_child(CONTRACT, 2);
    let mut state = with_factory();
    // Slot 1 is written when the child is created; slot 5 is not, but the counter that is called through it counts there.
    state.deploy(child, destroyer(), &[(5, 41)]).deploy(OTHER, router(), &[]).deploy(NOBODY, counter(), &[(5, 3)]);
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), Call::to(child).words(&[word(BENEFICIARY)]))
        .call(&key(1), make(2, 0, Address::ZERO))
        .call(&key(2), Call::to(OTHER).words(&[word(NOBODY), number(1), number(5)]))
        .call(&key(3), Call::to(child).words(&[U256::ZERO]));
    let after = run(&state, &block);
    assert_eq!((after.slot(child, 5), after.slot(child, 1)), (U256::ZERO, number(8)));
    assert_eq!(after.slot(OTHER, 5), number(1));
}

#[test]
fn made_and_destroyed_in_one_transaction_then_made_again() {
    let child = factory_child(CONTRACT, 1);
    for fork in ["Istanbul", "Shanghai", "Cancun", "Osaka"] {
        let block = BlockBuilder::new(fork)
            .call(&key(0), make(1, 2, NOBODY))
            .call(&key(1), Call::to(child).value(1u64))
            .call(&key(2), make(1, 3, NOBODY))
            .call(&key(3), make(1, 0, Address::ZERO));
        let after = run(&with_factory(), &block);
        assert_eq!(after.slot(child, 1), number(7), "{fork}");
        assert_eq!(after.balance(NOBODY), number(2 + 1 + 3), "{fork}");
    }
}

#[test]
fn create2_on_an_address_that_was_paid_before() {
    let child = factory_child(CONTRACT, 1);
    let mut state = with_factory();
    state.fund(child, number(50));
    let block = BlockBuilder::new("Cancun")
        .call(&key(0), Call::to(child).value(1u64))
        .call(&key(1), make(1, 2, Address::ZERO))
        .call(&key(2), Call::to(child).words(&[U256::ZERO]).value(1u64));
    let after = run(&state, &block);
    assert_eq!((after.balance(child), after.slot(child, 1)), (number(54), number(9)));
}

#[test]
fn create2_collides_with_what_is_there() {
    let block =
        BlockBuilder::new("Prague").call(&key(0), make(1, 2, Address::ZERO)).call(&key(1), make(1, 5, Address::ZERO));
    let after = run(&with_factory(), &block);
    assert_eq!(after.balance(factory_child(CONTRACT, 1)), number(2));
    assert_eq!(after.successes(), [true, false], "a collision takes all gas");
}

#[test]
fn creation_by_transaction_and_calls_before_and_after() {
    let created = key(3).address.create(0);
    let block = BlockBuilder::new("Osaka")
        .call(&key(0), Call::to(created).value(4u64).words(&[U256::ZERO]))
        .call(&key(3), Call::create(destroyer_init()).value(1u64))
        .call(&key(1), Call::to(created).value(2u64).words(&[U256::ZERO]))
        .call(&key(3), Call::to(created).value(2u64).words(&[U256::ZERO]));
    let after = run(&state(), &block);
    assert_eq!((after.balance(created), after.slot(created, 1)), (number(9), number(7 + 3 + 3)));
}

#[test]
fn created_code_that_destroys_its_creators_heir() {
    // The heir is the account that sends the next transaction.
    let init = Assembly::new().store(1, 1).op(SELFDESTRUCT, [key(1).address.into()]).build();
    let block = BlockBuilder::new("Byzantium")
        .call(&key(0), Call::create(init).value(77u64))
        .call(&key(1), Call::to(NOBODY).value(ether(999)))
        .call(&key(1), Call::to(NOBODY).value(70u64));
    let after = run(&state(), &block);
    assert_eq!(after.balance(NOBODY), ether(999) + number(70));
}
