//! Long runs of plain transfers, which are not scheduled but taken apart, account by account.

use crate::stage::{CONTRACT, NOBODY, OTHER, key, number, refuse, run, state, word};
use alloy_primitives::{Address, U256};
use braid_runtime::{BlockError, InvalidBlock};
use braid_tests::{
    blocks::{BlockBuilder, Call, Key, ether},
    contracts::{counter, delegate, old_reader},
    memory::MemoryState,
};

/// Enough transfers in a row to be a run.
const MANY: u64 = 640;

fn pay(to: Address, wei: u64) -> Call {
    Call::to(to).value(wei).gas(21_000)
}

/// An account that nobody has heard of.
fn stranger(number: u64) -> Address {
    Address::from_word(U256::from(0x5_0000_0000 + number).into())
}

/// Appends transfers of one wei from the rich accounts to strangers.
fn strangers(mut block: BlockBuilder, numbers: std::ops::Range<u64>) -> BlockBuilder {
    for number in numbers {
        block = block.call(&key(number % 12), pay(stranger(number), 1));
    }
    block
}

fn reason(state: &MemoryState, block: &BlockBuilder) -> (usize, String) {
    match refuse(state, block) {
        BlockError::Invalid(InvalidBlock::Transaction { index, reason, .. }) => (index, format!("{reason:?}")),
        error => panic!("not a transaction is refused: {error}"),
    }
}

#[test]
fn a_run_is_the_whole_block() {
    for fork in ["Frontier", "Byzantium", "London", "Prague"] {
        let after = run(&state(), &strangers(BlockBuilder::new(fork), 0..MANY));
        assert!((0..MANY).all(|number| after.balance(stranger(number)) == U256::from(1)), "{fork}");
        assert_eq!(after.outcome.report.native, 0, "the oracle has no native path");
        assert_eq!(after.nonce(key(0).address), MANY.div_ceil(12));
    }
}

#[test]
fn runs_between_calls_and_calls_between_runs() {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[]);
    let count = || Call::to(CONTRACT).words(&[number(0)]);
    let mut block = BlockBuilder::new("Cancun").call(&key(0), count()).call(&key(1), count());
    block = strangers(block, 0..MANY + 300).call(&key(2), count());
    block = strangers(block, 2 * MANY..3 * MANY).call(&key(3), count());
    let after = run(&state, &block);
    assert_eq!(after.slot(CONTRACT, 0), number(4));
    assert_eq!(after.balance(stranger(MANY + 299)), U256::from(1));
}

#[test]
fn a_run_ends_at_a_recipient_with_code() {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[]);
    for at in [0, 1, 130, MANY - 1] {
        let block = strangers(BlockBuilder::new("Shanghai"), 0..at);
        let block = block.call(&key(3), Call::to(CONTRACT).value(5u64).gas(100_000));
        let after = run(&state, &strangers(block, MANY..2 * MANY));
        assert_eq!((after.slot(CONTRACT, 0), after.balance(CONTRACT)), (number(1), number(5)), "at {at}");
    }
}

#[test]
fn many_recipients_with_code_make_no_run() {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[]);
    let mut block = BlockBuilder::new("Shanghai");
    for number in 0..MANY {
        let to = if number % 50 == 7 { CONTRACT } else { stranger(number) };
        block = block.call(&key(number % 12), Call::to(to).value(1u64).gas(100_000));
    }
    let after = run(&state, &block);
    assert_eq!(after.slot(CONTRACT, 0), number(13));
}

#[test]
fn code_that_the_block_itself_created_ends_a_run() {
    let created = key(0).address.create(0);
    // Code of one byte, STOP.
    let init = [0x60, 0x00, 0x60, 0x00, 0x53, 0x60, 0x01, 0x60, 0x00, 0xf3];
    let block = BlockBuilder::new("Paris").call(&key(0), Call::create(init.to_vec()).gas(200_000));
    let block = strangers(block, 0..MANY).call(&key(1), Call::to(created).value(9u64).gas(30_000));
    let after = run(&state(), &strangers(block, MANY..MANY + 20));
    assert_eq!(after.balance(created), number(9));
}

#[test]
fn each_sender_is_funded_by_the_transfer_before() {
    let mut block = BlockBuilder::new("Prague").call(&key(0), Call::to(key(100).address).value(ether(500)).gas(21_000));
    for number in 100..100 + MANY {
        let rest = ether(500) - U256::from(number - 99) * U256::from(21_000u64 * 10);
        block = block.call(&key(number), Call::to(key(number + 1).address).value(rest).gas(21_000).price(10, 3));
    }
    let after = run(&state(), &block);
    assert_eq!(after.nonce(key(99 + MANY).address), 1);
    assert_eq!(after.balance(key(100 + MANY).address), ether(500) - U256::from(MANY * 210_000));
}

#[test]
fn one_account_gets_and_gives_all() {
    let hub = key(5);
    let mut block = BlockBuilder::new("London");
    for number in 0..MANY {
        block = match number % 3 {
            0 => block.call(&key(number % 5), pay(hub.address, 7)),
            1 => block.call(&hub, pay(stranger(number), 3)),
            _ => block.call(&hub, pay(hub.address, 2)),
        };
    }
    let after = run(&state(), &block);
    assert_eq!(after.nonce(hub.address), (MANY - 1).div_ceil(3) + MANY / 3);
}

#[test]
fn beneficiary_takes_part_in_a_run() {
    let beneficiary = key(11);
    for fork in ["Homestead", "Shanghai"] {
        let block = strangers(BlockBuilder::new(fork).beneficiary(beneficiary.address), 0..MANY)
            .call(&key(0), pay(beneficiary.address, 44));
        let after = run(&state(), &strangers(block, MANY..2 * MANY));
        assert_eq!(after.nonce(beneficiary.address), 2 * MANY / 12, "{fork}");
    }
    // It spends what it earned in the run.
    let poor = key(40);
    let block = strangers(BlockBuilder::new("Paris").beneficiary(poor.address), 0..MANY);
    let block = block.call(&poor, pay(NOBODY, 1_000)).call(&key(1), pay(poor.address, 1));
    assert_eq!(run(&state(), &block).balance(NOBODY), number(1_000));
}

#[test]
fn fees_of_a_run_are_paid_before_they_are_looked_at() {
    let mut state = state();
    state.deploy(CONTRACT, old_reader(), &[]);
    let beneficiary = Address::repeat_byte(0x77);
    let block = strangers(BlockBuilder::new("Berlin").beneficiary(beneficiary), 0..MANY)
        .call(&key(0), Call::to(CONTRACT).words(&[word(beneficiary)]));
    let after = run(&state, &block);
    assert!(after.balance(beneficiary) > U256::from(MANY * 21_000));
}

#[test]
fn nothing_is_sent_to_nobody_and_to_an_empty_account() {
    for fork in ["Frontier", "TangerineWhistle", "SpuriousDragon", "Prague"] {
        let mut state = state();
        state.insert(OTHER, U256::ZERO, 0, Default::default(), Default::default());
        let block =
            strangers(BlockBuilder::new(fork), 0..100).call(&key(0), pay(NOBODY, 0)).call(&key(1), pay(OTHER, 0));
        let after = run(&state, &strangers(block, MANY..2 * MANY));
        let is_old = matches!(fork, "Frontier" | "TangerineWhistle");
        assert_eq!((after.exists(NOBODY), after.exists(OTHER)), (is_old, is_old), "{fork}");
    }
}

#[test]
fn a_delegated_sender_is_not_plain() {
    let mut state = state();
    state.deploy(CONTRACT, delegate(), &[]);
    let delegation = key(3).authorize(1, CONTRACT, 0);
    let block = BlockBuilder::new("Prague")
        .call(&key(0), Call::to(NOBODY).authorizations(vec![delegation]).gas(200_000))
        .next_nonce(&key(3), 1);
    let after = run(&state, &strangers(block, 0..MANY));
    assert_eq!(after.balance(stranger(MANY - 1)), U256::from(1));
}

#[test]
fn large_amounts() {
    let rich = key(50);
    let mut state = state();
    let fortune = U256::from(1) << 200;
    state.fund(rich.address, fortune);
    let block = strangers(BlockBuilder::new("Shanghai"), 0..MANY)
        .call(&rich, Call::to(NOBODY).value(fortune >> 1).gas(21_000))
        .call(&rich, pay(NOBODY, 1));
    let after = run(&state, &strangers(block, MANY..2 * MANY));
    assert_eq!(after.balance(NOBODY), (fortune >> 1) + U256::from(1));
}

#[test]
fn an_invalid_transfer_in_a_run_is_named() {
    let wrong: [(&str, Key, Call); 4] = [
        ("NonceTooHigh", key(2), pay(NOBODY, 1).nonce(4_000)),
        ("NonceTooLow", key(2), pay(NOBODY, 1).nonce(0)),
        ("LackOfFundForMaxFee", key(2), Call::to(NOBODY).value(ether(1_001)).gas(21_000)),
        ("LackOfFundForMaxFee", key(60), pay(NOBODY, 1)),
    ];
    for (name, sender, call) in wrong {
        let block = strangers(BlockBuilder::new("Cancun"), 0..300).call(&sender, call);
        let (index, reason) = reason(&state(), &strangers(block, MANY..2 * MANY));
        assert_eq!(index, 300);
        assert!(reason.starts_with(name), "{reason}");
    }
}

#[test]
fn a_run_that_does_not_fit_into_the_block_is_refused() {
    let block = strangers(BlockBuilder::new("Cancun").gas_limit(21_000 * (MANY - 1)), 0..MANY);
    refuse(&state(), &block);
    run(&state(), &strangers(BlockBuilder::new("Cancun").gas_limit(21_000 * MANY), 0..MANY));
}

#[test]
fn withdrawals_and_system_accounts_meet_a_block_of_transfers() {
    let system = alloy_eips::eip4788::SYSTEM_ADDRESS;
    let others = [key(3).address, stranger(7), stranger(MANY + 7)];
    let mut block = strangers(BlockBuilder::new("Prague"), 0..MANY).call(&key(5), pay(system, 9));
    for account in others {
        block = block.withdrawal(account, 2);
    }
    let after = run(&state(), &block);
    let gwei = U256::from(1_000_000_000);
    assert_eq!(after.balance(stranger(7)), gwei * U256::from(2) + U256::from(1));
    assert_eq!(after.balance(stranger(MANY + 7)), gwei * U256::from(2));
    assert_eq!(after.balance(system), number(9));
    assert_eq!(after.nonce(key(3).address), MANY.div_ceil(12));
}

#[test]
fn a_block_of_transfers_with_one_that_is_not_plain_at_the_end() {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[]);
    let block = strangers(BlockBuilder::new("Prague"), 0..2 * MANY).call(&key(4), pay(CONTRACT, 1).gas(100_000));
    let after = run(&state, &strangers(block, 2 * MANY..2 * MANY + 9));
    assert_eq!(after.balance(CONTRACT), number(1));
    assert_eq!(after.balance(stranger(2 * MANY + 8)), number(1));
}
