//! Access lists that are false in one named point, where everything else about the block, often even the final state, is right.

use crate::stage::{BENEFICIARY, CONTRACT, NOBODY, OTHER, key, number, state, word};
use alloy_eip7928::{AccountChanges, BlockAccessIndex, BlockAccessList};
use alloy_primitives::{Address, U256};
use braid_runtime::{
    AccessHints, BlockError, BlockOutcome, Engine, EngineConfig, InvalidBlock, Mode, Outputs, engine::Path,
    oracle::execute_serial,
};
use braid_tests::{
    blocks::{BlockBuilder, Call},
    contracts::{counter, destroyer, router},
    differential::first_difference,
    memory::MemoryState,
};

/// Three calls that count slot 0 up, one that reads slot 1 and may not write it, a creation, and plain transfers between hot accounts.
fn block() -> (MemoryState, BlockBuilder) {
    let mut state = state();
    state.deploy(CONTRACT, counter(), &[(0, 7), (1, 3)]).deploy(OTHER, router(), &[]);
    let mut block = BlockBuilder::new("Prague");
    for index in 0..3 {
        block = block
            .call(&key(index), Call::to(CONTRACT).words(&[number(0)]))
            .call(&key(index), Call::to(key(5).address).value(9u64));
    }
    // Init code that returns the one byte of code STOP.
    let init = vec![0x60, 0x01, 0x60, 0x00, 0xf3];
    block = block
        .call(&key(3), Call::to(OTHER).words(&[word(CONTRACT), number(3), number(1)]))
        .call(&key(4), Call::create(init))
        .withdrawal(key(7).address, 3);
    (state, block)
}

fn right_list(state: &MemoryState, builder: &BlockBuilder) -> (BlockOutcome, BlockAccessList) {
    let mut outcome = execute_serial(state, &builder.build(), &builder.spec(), Outputs::ALL).unwrap();
    let list = outcome.access_list.take().unwrap();
    (outcome, list)
}

fn engines() -> impl Iterator<Item = Engine> {
    [1, 2, 4, 8]
        .into_iter()
        .map(|threads| Engine::new(EngineConfig { mode: Mode::Forced, threads, ..EngineConfig::default() }).unwrap())
}

/// Gives a false list to engines of all sizes, which must all refuse it; and then the right one, whose outcome must be the oracle's.
fn check_refusal(state: &MemoryState, builder: &BlockBuilder, wrong: &BlockAccessList) {
    let (expected, list) = right_list(state, builder);
    for mut engine in engines() {
        let mut execute = |list| {
            let hints = AccessHints::Exact(list);
            engine.execute_block(state, &builder.build(), &builder.spec(), hints, Outputs::default())
        };
        match execute(wrong) {
            Err(BlockError::Invalid(InvalidBlock::AccessList(_))) => {}
            result => panic!("{result:?}"),
        }
        let outcome = execute(&list).unwrap();
        assert_eq!(outcome.report.path, Path::Parallel);
        assert_eq!(first_difference(&expected, &outcome), None);
    }
}

/// The list with one edit must be refused.
fn refused(edit: impl Fn(&mut BlockAccessList)) {
    let (state, builder) = block();
    let (_, list) = right_list(&state, &builder);
    let mut wrong = list.clone();
    edit(&mut wrong);
    assert_ne!(wrong, list);
    check_refusal(&state, &builder, &wrong);
}

fn account(list: &mut BlockAccessList, address: Address) -> &mut AccountChanges {
    list.iter_mut().find(|account| account.address == address).unwrap()
}

fn slot_changes(list: &mut BlockAccessList, slot: u64) -> &mut Vec<alloy_eip7928::StorageChange> {
    let changes = &mut account(list, CONTRACT).storage_changes;
    &mut changes.iter_mut().find(|changes| changes.slot == number(slot)).unwrap().changes
}

#[test]
fn a_list_with_an_account_that_nobody_accesses_is_refused() {
    refused(|list| {
        let at = list.partition_point(|account| account.address < NOBODY);
        list.insert(at, AccountChanges::new(NOBODY));
    });
}

#[test]
fn a_list_with_a_slot_that_nobody_reads_is_refused() {
    refused(|list| {
        account(list, CONTRACT).storage_reads.push(number(77));
        account(list, CONTRACT).storage_reads.sort();
    });
}

#[test]
fn a_list_without_a_slot_that_is_read_is_refused() {
    refused(|list| {
        let reads = &mut account(list, CONTRACT).storage_reads;
        let at = reads.iter().position(|slot| *slot == number(1)).unwrap();
        reads.remove(at);
    });
}

#[test]
fn a_list_with_a_false_value_that_is_overwritten_later_is_refused() {
    // The last value, and so the state after the block, is the right one.
    refused(|list| {
        let changes = slot_changes(list, 0);
        assert!(changes.len() >= 3);
        changes[1].new_value += number(1);
    });
}

#[test]
fn a_list_that_shifts_a_whole_chain_of_values_is_refused() {
    // Consistent in itself from the first false value on: what counts up finds what the list says it finds.
    refused(|list| slot_changes(list, 0).iter_mut().for_each(|change| change.new_value += number(1)));
}

#[test]
fn a_list_with_a_change_at_another_index_is_refused() {
    refused(|list| {
        let changes = slot_changes(list, 0);
        assert!(changes[0].block_access_index.0 + 1 < changes[1].block_access_index.0);
        changes[0].block_access_index = BlockAccessIndex(changes[0].block_access_index.0 + 1);
    });
}

#[test]
fn a_list_without_a_fee_in_the_balance_of_the_beneficiary_is_refused() {
    for position in 0..3 {
        refused(|list| {
            let balances = &mut account(list, BENEFICIARY).balance_changes;
            assert!(balances.len() >= 3);
            balances.remove(position);
        });
        refused(|list| account(list, BENEFICIARY).balance_changes[position].post_balance -= number(1));
    }
}

#[test]
fn a_list_that_is_right_in_all_but_the_code_is_refused() {
    let created = key(4).address.create(0);
    refused(|list| account(list, created).code_changes[0].new_code = vec![0x01].into());
    refused(|list| account(list, created).code_changes[0].new_code = vec![0xef, 0x01].into());
    refused(|list| account(list, created).code_changes.clear());
}

#[test]
fn a_list_with_a_false_balance_of_a_plain_recipient_is_refused() {
    let recipient = key(5).address;
    refused(|list| account(list, recipient).balance_changes[0].post_balance += number(1));
    refused(|list| {
        let balances = &mut account(list, recipient).balance_changes;
        balances.iter_mut().for_each(|change| change.post_balance += number(1));
    });
    refused(|list| account(list, key(0).address).nonce_changes[0].new_nonce += 1);
}

#[test]
fn a_list_with_a_false_withdrawal_is_refused() {
    refused(|list| account(list, key(7).address).balance_changes[0].post_balance += U256::ONE);
    refused(|list| list.retain(|account| account.address != key(7).address));
}

#[test]
fn a_list_that_keeps_the_storage_of_a_destroyed_account_is_refused() {
    let mut state = state();
    state.deploy(CONTRACT, destroyer(), &[(1, 10), (5, 6)]).deploy(OTHER, router(), &[]);
    let builder = BlockBuilder::new("Shanghai")
        .call(&key(0), Call::to(CONTRACT).value(3u64))
        .call(&key(1), Call::to(CONTRACT).words(&[word(NOBODY)]));
    let (_, list) = right_list(&state, &builder);
    let mut wrong = list.clone();
    let slots = &mut account(&mut wrong, CONTRACT).storage_changes;
    let zeroed = slots.iter_mut().find(|slot| slot.changes.last().is_some_and(|change| change.new_value.is_zero()));
    zeroed.expect("destroying the account zeroes a slot").changes.pop();
    slots.retain(|slot| !slot.changes.is_empty());
    check_refusal(&state, &builder, &wrong);
}
