//! Nonces, balances and everything else that is checked before a transaction runs.

use crate::stage::{CONTRACT, NOBODY, key, number, refuse, run, state};
use alloy_primitives::{Address, U256};
use braid_runtime::{BlockError, InvalidBlock};
use braid_tests::{
    blocks::{BlockBuilder, Call, Key, Kind, ether},
    contracts::{counter, payer},
    memory::MemoryState,
};
use revm::context_interface::result::InvalidTransaction;

fn with_counter() -> MemoryState {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[]);
    state
}

fn count(slot: u64) -> Call {
    Call::to(CONTRACT).words(&[number(slot)])
}

/// Which transaction is refused, and why.
fn reason(state: &MemoryState, builder: &BlockBuilder) -> (usize, InvalidTransaction) {
    match refuse(state, builder) {
        BlockError::Invalid(InvalidBlock::Transaction { index, reason, .. }) => (index, *reason),
        error => panic!("not a transaction is refused: {error}"),
    }
}

#[test]
fn balance_sufficient_only_after_an_earlier_transaction() {
    let poor = key(30);
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), count(0))
        .call(&key(1), Call::to(poor.address).value(ether(1)))
        .call(&poor, count(0))
        .call(&poor, Call::to(NOBODY).value(number(5)))
        .call(&key(2), count(0));
    let after = run(&with_counter(), &block);
    assert_eq!((after.slot(CONTRACT, 0), after.balance(NOBODY), after.nonce(poor.address)), (number(3), number(5), 2));
}

#[test]
fn balance_sufficient_only_after_a_contract_paid() {
    let poor = key(30);
    let mut state = with_counter();
    state.deploy(NOBODY, payer(), &[]);
    state.accounts.get_mut(&NOBODY).unwrap().balance = ether(1);
    let pay = Call::to(NOBODY).words(&[crate::stage::word(poor.address), ether(1)]);
    let block = BlockBuilder::new("Cancun").call(&key(0), pay).call(&poor, count(1)).call(&poor, count(1));
    assert_eq!(run(&state, &block).slot(CONTRACT, 1), number(2));
}

#[test]
fn balance_no_longer_sufficient_after_an_earlier_transaction() {
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), Call::to(NOBODY).value(ether(999)))
        .call(&key(1), count(0))
        .call(&key(0), Call::to(NOBODY).value(ether(1)))
        .call(&key(2), count(0));
    let (index, reason) = reason(&with_counter(), &block);
    assert_eq!(index, 2);
    assert!(matches!(reason, InvalidTransaction::LackOfFundForMaxFee { .. }), "{reason}");
}

#[test]
fn chain_of_accounts_that_live_from_what_they_just_got() {
    let mut block = BlockBuilder::new("London").call(&key(0), Call::to(key(40).address).value(ether(10)));
    for hop in 40..60 {
        block = block.call(
            &key(hop),
            Call::to(key(hop + 1).address).value(ether(9) - ether(1) / number(100) * number(hop - 40)),
        );
    }
    let after = run(&state(), &block);
    assert_eq!(after.successes(), [true; 21]);
}

#[test]
fn nonce_gap() {
    let block =
        BlockBuilder::new("Shanghai").call(&key(0), count(0)).call(&key(0), count(0).nonce(2)).call(&key(1), count(0));
    assert_eq!(reason(&with_counter(), &block), (1, InvalidTransaction::NonceTooHigh { tx: 2, state: 1 }));
}

#[test]
fn nonce_gap_of_a_sender_that_does_not_exist_and_pays_nothing() {
    for fork in ["Frontier", "Istanbul"] {
        let call = count(0).price(0, 0);
        let block = BlockBuilder::new(fork).call(&key(0), count(0)).call(&key(70), call.clone().nonce(3));
        assert_eq!(
            reason(&with_counter(), &block),
            (1, InvalidTransaction::NonceTooHigh { tx: 3, state: 0 }),
            "{fork}"
        );
        let block = BlockBuilder::new(fork).call(&key(70), call.clone()).call(&key(70), call);
        let after = run(&with_counter(), &block);
        assert_eq!((after.nonce(key(70).address), after.slot(CONTRACT, 0)), (2, number(2)), "{fork}");
    }
}

#[test]
fn nonce_that_was_used_already() {
    let block = BlockBuilder::new("Prague")
        .call(&key(0), Call::to(NOBODY).value(number(1)))
        .call(&key(0), Call::to(NOBODY).value(number(1)).nonce(0));
    assert_eq!(reason(&state(), &block), (1, InvalidTransaction::NonceTooLow { tx: 0, state: 1 }));
}

#[test]
fn chain_of_transactions_of_one_sender() {
    let mut block = BlockBuilder::new("Cancun");
    for index in 0..60 {
        block = match index % 3 {
            0 => block.call(&key(0), count(index)),
            1 => block.call(&key(0), Call::to(NOBODY).value(number(1))),
            _ => block.call(&key(0), count(0)),
        };
    }
    let after = run(&with_counter(), &block);
    assert_eq!((after.nonce(key(0).address), after.slot(CONTRACT, 0)), (60, number(21)));
    assert!(after.ahead > 0);
}

#[test]
fn chains_of_several_senders_interleaved() {
    let mut block = BlockBuilder::new("Berlin");
    for index in 0..48 {
        let kind = if index % 5 == 0 { Kind::AccessList } else { Kind::Legacy };
        block = block.call(&key(index % 4), count(index % 3).kind(kind));
    }
    let after = run(&with_counter(), &block);
    assert_eq!([0, 1, 2].map(|slot| after.slot(CONTRACT, slot)), [number(16); 3]);
}

/// A block in the middle of which stands a transaction that must not.
fn around(fork: &str, sender: &Key, call: Call) -> BlockBuilder {
    let mut block = BlockBuilder::new(fork);
    for index in 0..4 {
        block = block.call(&key(index), count(index)).call(&key(index), Call::to(NOBODY).value(number(1)));
    }
    block = block.call(sender, call);
    for index in 0..4 {
        block = block.call(&key(index), count(index));
    }
    block
}

#[test]
fn invalid_transaction_in_the_middle() {
    let mut state = with_counter();
    state.deploy(key(80).address, counter(), &[]);
    state.accounts.get_mut(&key(80).address).unwrap().balance = ether(1);
    let cases = [
        ("London", key(5), count(0).price(6, 0)),
        ("London", key(5), count(0).kind(Kind::DynamicFee).price(9, 10)),
        ("Shanghai", key(5), count(0).gas(21_000)),
        ("Shanghai", key(5), Call::to(NOBODY).gas(20_999)),
        ("Shanghai", key(5), count(0).value(ether(1000))),
        ("Shanghai", key(5), Call::to(NOBODY).value(U256::MAX)),
        ("Cancun", key(80), count(0).nonce(1)),
        ("Cancun", key(80), Call::to(NOBODY).nonce(1)),
        ("Cancun", key(5), count(0).kind(Kind::Blob(0))),
        ("Osaka", key(5), count(0).gas(16_777_217)),
        ("Osaka", key(5), Call::to(NOBODY).gas(16_777_217)),
        ("Byzantium", key(5), count(0).kind(Kind::AccessList)),
        ("Berlin", key(5), count(0).kind(Kind::DynamicFee)),
        ("Berlin", key(5), Call::to(NOBODY).kind(Kind::DynamicFee)),
        ("Cancun", key(5), count(0).authorizations(vec![key(6).authorize(1, CONTRACT, 0)])),
        ("Prague", key(5), count(0).authorizations(Vec::new())),
        ("Shanghai", key(5), Call::create(vec![0; 50_000]).gas(10_000_000)),
    ];
    for (number, (fork, sender, call)) in cases.into_iter().enumerate() {
        let (index, reason) = reason(&state, &around(fork, &sender, call));
        assert_eq!(index, 8, "case {number}: {reason}");
    }
}

#[test]
fn gas_limit_beyond_what_is_left_of_the_block() {
    let block = around("Shanghai", &key(5), count(0).gas(900_000)).gas_limit(1_000_000);
    let error = refuse(&with_counter(), &block);
    assert!(matches!(error, BlockError::Invalid(InvalidBlock::BlockGasExceeded { index: 8, .. })), "{error}");
}

#[test]
fn block_that_is_exactly_full() {
    let mut block = BlockBuilder::new("Shanghai");
    for index in 0..10 {
        block = block.call(&key(index), Call::to(NOBODY).value(number(1)).gas(21_000));
    }
    assert_eq!(run(&state(), &block.clone().gas_limit(210_000)).outcome.gas_used, 210_000);
    let error = refuse(&state(), &block.gas_limit(209_999));
    assert!(matches!(error, BlockError::Invalid(InvalidBlock::BlockGasExceeded { index: 9, .. })), "{error}");
}

#[test]
fn gas_limits_near_the_top_of_the_range() {
    let block = BlockBuilder::new("Istanbul")
        .gas_limit(u64::MAX)
        .call(&key(0), count(0).gas(u64::MAX).price(0, 0))
        .call(&key(1), Call::to(NOBODY).gas(u64::MAX - 1_000_000).price(0, 0))
        .call(&key(2), count(0).gas(u64::MAX - 1_000_000).price(0, 0));
    assert_eq!(run(&with_counter(), &block).slot(CONTRACT, 0), number(2));
}

#[test]
fn wealth_near_the_top_of_the_range() {
    let mut state = with_counter();
    state.fund(key(0).address, U256::MAX).fund(key(1).address, U256::MAX - ether(1)).fund(NOBODY, U256::MAX);
    let block = BlockBuilder::new("Istanbul")
        .call(&key(2), Call::to(key(1).address).value(number(1)))
        .call(&key(0), count(0).value(number(1)))
        .call(&key(3), Call::to(key(0).address).value(number(1)))
        .call(&key(4), Call::to(NOBODY).value(number(7)));
    let after = run(&state, &block);
    assert!(!after.successes()[3], "the payment would overflow");
    assert_eq!(after.balance(NOBODY), U256::MAX);
}

#[test]
fn payments_to_oneself() {
    for fork in ["Frontier", "London", "Osaka"] {
        let block = BlockBuilder::new(fork)
            .call(&key(0), Call::to(key(0).address).value(ether(900)))
            .call(&key(0), Call::to(key(0).address))
            .call(&key(1), Call::to(key(0).address).value(number(1)));
        let after = run(&state(), &block);
        assert_eq!(after.balance(key(0).address), ether(1000) + number(1) - number(2 * 21_000 * 10), "{fork}");
    }
}

#[test]
fn creation_by_a_sender_whose_nonce_came_from_an_earlier_transaction() {
    let block = BlockBuilder::new("Shanghai")
        .call(&key(0), Call::to(NOBODY).value(number(1)))
        .call(&key(0), Call::create(Vec::new()).value(number(3)))
        .call(&key(1), Call::to(key(0).address.create(1)).value(number(4)))
        .call(&key(0), Call::create(Vec::new()));
    let after = run(&state(), &block);
    assert_eq!((after.balance(key(0).address.create(1)), after.nonce(key(0).address.create(2))), (number(7), 1));
    assert!(!after.exists(Address::repeat_byte(0x77)));
}
