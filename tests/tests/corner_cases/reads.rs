//! What transactions rely on, above all those that fail.

use crate::stage::{CONTRACT, NOBODY, OTHER, key, number, run, state, word};
use alloy_primitives::{Address, U256};
use braid_tests::{
    assembly::{Assembly, add, load, word as instruction},
    blocks::{BlockBuilder, Call, ether},
    contracts::{chain, counter, deep, failer, old_reader, payer, router, sweeper, token, transient},
};
use revm::bytecode::opcode::{CALLDATALOAD, CALLER, CREATE, CREATE2, DELEGATECALL, GAS, GT, MUL, STATICCALL};

#[test]
fn revert_that_depends_on_an_earlier_transaction() {
    let guarded = Assembly::new()
        .when(instruction(GT, [load(0), 0.into()]), Assembly::new().revert())
        .store(0, add(load(0), 1))
        .build();
    let mut state = state();
    state.deploy(CONTRACT, guarded, &[]);
    let mut block = BlockBuilder::new("Cancun");
    for index in 0..6 {
        block = block.call(&key(index), Call::to(CONTRACT));
    }
    assert_eq!(run(&state, &block).successes(), [true, false, false, false, false, false]);
}

#[test]
fn out_of_gas_that_depends_on_an_earlier_transaction() {
    // Reads as many slots as slot 300 says, of which the counter's transactions make more.
    let mut state = state();
    let limit = instruction(MUL, [load(300), 30.into()]);
    let code = Assembly::new()
        .when(instruction(CALLDATALOAD, [4.into()]), Assembly::new().store(300, add(load(300), 1)))
        .discard(instruction(revm::bytecode::opcode::KECCAK256, [0.into(), instruction(MUL, [limit, 2000.into()])]))
        .build();
    state.deploy(CONTRACT, code, &[]);
    let poor = || Call::to(CONTRACT).words(&[U256::ZERO]).gas(60_000);
    let rich = || Call::to(CONTRACT).words(&[number(1)]).gas(1_000_000);
    let mut block = BlockBuilder::new("Shanghai").call(&key(0), poor());
    for index in 1..5 {
        block = block.call(&key(index), rich()).call(&key(index + 5), poor());
    }
    let successes = run(&state, &block).successes();
    assert!(successes[0] && !successes[8], "{successes:?}");
}

#[test]
fn failed_transactions_change_nothing_but_nonce_and_fee() {
    let mut state = state();
    state.deploy(CONTRACT, failer(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = number(50);
    let mut block = BlockBuilder::new("Prague");
    for index in 0..8 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[word(NOBODY), number(index % 4)]));
    }
    let after = run(&state, &block);
    assert_eq!((after.slot(CONTRACT, 0), after.balance(NOBODY)), (number(2), number(2)));
}

#[test]
fn chain_of_slots_where_each_value_is_the_next_key() {
    let mut state = state();
    state.deploy(CONTRACT, chain(), &[(0, 3), (3, 7), (7, 1), (1, 4)]);
    let mut block = BlockBuilder::new("Osaka");
    for index in 0..12 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[number(index)]));
    }
    assert_eq!(run(&state, &block).successes(), [true; 12]);
}

#[test]
fn tokens_travel_along_a_line_of_holders() {
    let mut state = state();
    state.deploy(CONTRACT, token(), &[]);
    let mut holder = [0; 64];
    holder[12..32].copy_from_slice(key(0).address.as_slice());
    let slot = U256::from_be_bytes(alloy_primitives::keccak256(holder).0);
    state.accounts.get_mut(&CONTRACT).unwrap().storage.insert(slot, number(5));
    let mut block = BlockBuilder::new("Cancun");
    for index in 0..10 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[word(key(index + 1).address), number(5)]));
    }
    block = block.call(&key(0), Call::to(CONTRACT).words(&[word(NOBODY), number(1)]));
    let mut expected = [true; 11];
    expected[10] = false;
    assert_eq!(run(&state, &block).successes(), expected, "each can only pass on what it just got");
}

#[test]
fn value_call_that_only_an_earlier_payment_makes_possible() {
    let mut state = state();
    state.deploy(CONTRACT, payer(), &[]);
    let pay = |wei| Call::to(CONTRACT).words(&[word(NOBODY), number(wei)]);
    let block = BlockBuilder::new("London")
        .call(&key(0), pay(10))
        .call(&key(1), Call::to(OTHER).value(1u64))
        .call(&key(2), Call::to(CONTRACT).words(&[word(OTHER), U256::ZERO]).value(10u64))
        .call(&key(3), pay(10))
        .call(&key(4), pay(10));
    let after = run(&state, &block);
    assert_eq!(after.balance(NOBODY), number(10));
    // Success bits in slot 1: failed, zero value, worked, failed.
    assert_eq!(after.slot(CONTRACT, 1), number(0b0110));
}

#[test]
fn balance_is_known_to_be_enough_but_not_exactly() {
    // Everybody pays the payer and lets it pay: only lower bounds of its balance matter.
    let mut state = state();
    state.deploy(CONTRACT, payer(), &[]).deploy(OTHER, old_reader(), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().balance = ether(1);
    let mut block = BlockBuilder::new("Shanghai");
    for index in 0..10 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[word(NOBODY), number(3)]).value(index));
    }
    block = block.call(&key(10), Call::to(OTHER).words(&[word(CONTRACT)]));
    let after = run(&state, &block);
    assert_eq!(after.slot(OTHER, 0), ether(1) + number(45 - 30));
}

#[test]
fn call_depth_limit_and_one_sixty_fourth() {
    let mut state = state();
    state.deploy(CONTRACT, deep(), &[]);
    for fork in ["EIP150", "Istanbul", "Osaka"] {
        let dive = |depth: u64| Call::to(CONTRACT).words(&[number(depth), number(depth % 3)]).gas(16_000_000);
        let block = BlockBuilder::new(fork).call(&key(0), dive(1100)).call(&key(1), dive(7)).call(&key(2), dive(1030));
        let after = run(&state, &block);
        assert!(after.slot(CONTRACT, 1) > number(7), "{fork}");
    }
}

#[test]
fn all_kinds_of_calls_on_the_same_slots() {
    let mut state = state();
    state.deploy(CONTRACT, router(), &[]).deploy(OTHER, counter(), &[]);
    let mut block = BlockBuilder::new("Cancun");
    for index in 0..12 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[word(OTHER), number(index % 4), number(1)]));
    }
    let after = run(&state, &block);
    assert_eq!((after.slot(OTHER, 1), after.slot(CONTRACT, 1)), (number(3), number(6)));
    assert_eq!(after.slot(CONTRACT, 9), number(9), "calls that may not write fail");
}

#[test]
fn transient_storage_ends_with_its_transaction() {
    let mut state = state();
    state.deploy(CONTRACT, transient(), &[]);
    let mut block = BlockBuilder::new("Cancun");
    for index in 0..6 {
        block = block.call(&key(index), Call::to(CONTRACT).words(&[number(2)]));
    }
    let one = run(&state, &BlockBuilder::new("Cancun").call(&key(0), Call::to(CONTRACT).words(&[number(2)])));
    assert_eq!(run(&state, &block).slot(CONTRACT, 2), one.slot(CONTRACT, 2) * number(6));
}

#[test]
fn nonce_of_a_contract_decides_what_it_creates() {
    let create =
        Assembly::new().store(instruction(CALLER, []), instruction(CREATE, [0.into(), 0.into(), 0.into()])).build();
    let mut state = state();
    state.deploy(CONTRACT, create, &[]);
    let mut block = BlockBuilder::new("Prague");
    for index in 0..6 {
        block = block.call(&key(index), Call::to(CONTRACT));
    }
    let after = run(&state, &block);
    assert_eq!(after.nonce(CONTRACT), 7);
    let made = after.state.accounts[&CONTRACT].storage[&word(key(3).address)];
    assert_eq!(made, word(CONTRACT.create(4)));
}

#[test]
fn failed_creation_still_counts_up_the_nonce() {
    // Init code that is one invalid instruction.
    let create = Assembly::new()
        .op(revm::bytecode::opcode::MSTORE8, [0.into(), 0xfe.into()])
        .store(1, instruction(CREATE2, [0.into(), 0.into(), 1.into(), 5.into()]))
        .store(2, instruction(CREATE, [0.into(), 0.into(), 1.into()]))
        .build();
    let mut state = state();
    state.deploy(CONTRACT, create, &[]);
    let call = || Call::to(CONTRACT).gas(30_000_000);
    let after = run(&state, &BlockBuilder::new("Shanghai").call(&key(0), call()).call(&key(1), call()));
    assert_eq!((after.nonce(CONTRACT), after.slot(CONTRACT, 1)), (5, U256::ZERO));
}

#[test]
fn delegated_code_changes_within_the_block_decide_what_a_proxy_does() {
    // A proxy that delegates to the address in its slot 0, and stores its argument there when the argument is an address.
    let forward = instruction(DELEGATECALL, [instruction(GAS, []), load(0), 0.into(), 0.into(), 0.into(), 0.into()]);
    let proxy = Assembly::new()
        .when(instruction(CALLDATALOAD, [4.into()]), Assembly::new().store(0, instruction(CALLDATALOAD, [4.into()])))
        .store(7, forward)
        .build();
    let add_slot = |slot: u64| Assembly::new().store(slot, add(load(slot), 1)).build();
    let (first, second) = (Address::repeat_byte(0x31), Address::repeat_byte(0x32));
    let mut state = state();
    state.deploy(CONTRACT, proxy, &[]).deploy(first, add_slot(11), &[]).deploy(second, add_slot(12), &[]);
    state.accounts.get_mut(&CONTRACT).unwrap().storage.insert(U256::ZERO, word(first));
    let use_it = || Call::to(CONTRACT).words(&[U256::ZERO]);
    let mut block = BlockBuilder::new("Shanghai").call(&key(0), use_it()).call(&key(1), use_it());
    block = block.call(&key(2), Call::to(CONTRACT).words(&[word(second)]));
    for index in 3..8 {
        block = block.call(&key(index), use_it());
    }
    let after = run(&state, &block);
    assert_eq!((after.slot(CONTRACT, 11), after.slot(CONTRACT, 12)), (number(2), number(6)));
}

#[test]
fn static_calls_only_read() {
    let look = instruction(STATICCALL, [instruction(GAS, []), OTHER.into(), 0.into(), 68.into(), 0.into(), 0.into()]);
    let mut state = state();
    state.deploy(CONTRACT, Assembly::new().store(0, look).build(), &[]).deploy(OTHER, sweeper(), &[(1, 5)]);
    let block = BlockBuilder::new("Byzantium").call(&key(0), Call::to(CONTRACT)).call(&key(1), Call::to(CONTRACT));
    let after = run(&state, &block);
    assert_eq!(after.slot(CONTRACT, 0), U256::ZERO, "the sweeper writes its sum, which it may not");
    assert_eq!(after.slot(OTHER, 1), number(5));
}

#[test]
fn block_hashes_and_extcodehash_of_accounts_that_come_to_be() {
    let mut state = state();
    state.deploy(CONTRACT, braid_tests::contracts::reader(), &[]);
    state.block_hashes.insert(0, alloy_primitives::B256::repeat_byte(5));
    let block = BlockBuilder::new("Istanbul")
        .call(&key(0), Call::to(CONTRACT).words(&[word(NOBODY), number(1)]))
        .call(&key(1), Call::to(NOBODY).value(2u64))
        .call(&key(2), Call::to(CONTRACT).words(&[word(NOBODY), number(1)]));
    let after = run(&state, &block);
    assert_eq!(after.slot(CONTRACT, 4), U256::from_be_bytes(alloy_primitives::KECCAK256_EMPTY.0));
}
