//! Access lists that come with the block and are false in one point.

use crate::stage::{CONTRACT, NOBODY, OTHER, key, number, run, state, word};
use alloy_eip7928::{
    AccountChanges, BalanceChange, BlockAccessIndex, BlockAccessList, CodeChange, NonceChange, SlotChanges,
    StorageChange,
};
use alloy_primitives::U256;
use braid_runtime::{
    AccessHints, BlockError, Engine, EngineConfig, InvalidBlock, Mode, Outputs, oracle::execute_serial,
};
use braid_tests::{
    blocks::{BlockBuilder, Call},
    contracts::{counter, destroyer, destroyer_init, failer, old_reader, reader, router},
    memory::MemoryState,
};

fn block(fork: &str) -> (MemoryState, BlockBuilder) {
    let mut state = state();
    state
        .deploy(CONTRACT, counter(), &[(2, 7)])
        .deploy(OTHER, router(), &[])
        .deploy(NOBODY, destroyer(), &[(1, 5)])
        .deploy(word_address(), old_reader(), &[]);
    let mut block = BlockBuilder::new(fork);
    for index in 0..4 {
        block = block
            .call(&key(index), Call::to(CONTRACT).words(&[number(index % 3)]))
            .call(&key(index), Call::to(key(index + 1).address).value(5u64))
            .call(&key(index), Call::to(OTHER).words(&[word(CONTRACT), number(3), number(2)]));
    }
    block = block
        .call(&key(4), Call::create(destroyer_init()).value(1u64))
        .call(&key(5), Call::to(word_address()).words(&[word(CONTRACT)]))
        .call(&key(6), Call::to(NOBODY).words(&[word(CONTRACT)]))
        .withdrawal(key(7).address, 3);
    (state, block)
}

fn word_address() -> alloy_primitives::Address {
    alloy_primitives::Address::repeat_byte(0x44)
}

fn at(index: u64) -> BlockAccessIndex {
    BlockAccessIndex(index)
}

/// Every way to make a list false in one point, at every place where that is possible.
fn falsified(list: &BlockAccessList) -> Vec<(String, BlockAccessList)> {
    let mut results = Vec::new();
    let mut add = |what: String, edit: &dyn Fn(&mut BlockAccessList)| {
        let mut wrong = list.clone();
        edit(&mut wrong);
        assert_ne!(&wrong, list, "{what}");
        results.push((what, wrong));
    };
    let mut stranger = AccountChanges::new(alloy_primitives::Address::repeat_byte(0xfd));
    add("an account too many at the end".into(), &|list| list.push(stranger.clone()));
    stranger.address = alloy_primitives::Address::ZERO;
    add("an account too many at the start".into(), &|list| list.insert(0, stranger.clone()));
    add("accounts out of order".into(), &|list| list.reverse());
    for (position, account) in list.iter().enumerate() {
        let name = |what: &str| format!("{what} of {}", account.address);
        add(name("without the entry"), &|list| drop(list.remove(position)));
        add(name("the entry twice"), &|list| list.insert(position, list[position].clone()));
        add(name("a slot too many"), &|list| list[position].storage_reads.push(U256::MAX));
        add(name("a slot change too many"), &|list| {
            let change = StorageChange::new(at(1), number(1));
            list[position].storage_changes.push(SlotChanges::new(U256::MAX, vec![change]));
        });
        add(name("a balance change too many"), &|list| {
            list[position].balance_changes.insert(0, BalanceChange::new(at(0), number(123)));
        });
        add(name("a nonce change too many"), &|list| {
            list[position].nonce_changes.insert(0, NonceChange::new(at(0), 123));
        });
        add(name("a code change too many"), &|list| {
            list[position].code_changes.insert(0, CodeChange::new(at(0), vec![1].into()));
        });
        if !account.storage_reads.is_empty() {
            add(name("a slot too few"), &|list| list[position].storage_reads.truncate(account.storage_reads.len() - 1));
        }
        for (slot, changes) in account.storage_changes.iter().enumerate() {
            add(name("a slot without its changes"), &|list| drop(list[position].storage_changes.remove(slot)));
            add(name("a changed slot as a read"), &|list| {
                let slot = list[position].storage_changes.remove(slot).slot;
                list[position].storage_reads.push(slot);
                list[position].storage_reads.sort();
            });
            for change in 0..changes.changes.len() {
                add(name("another value of a slot"), &|list| {
                    list[position].storage_changes[slot].changes[change].new_value ^= number(1);
                });
                add(name("another index of a slot"), &|list| {
                    list[position].storage_changes[slot].changes[change].block_access_index.0 += 1;
                });
            }
        }
        for change in 0..account.balance_changes.len() {
            add(name("another balance"), &|list| list[position].balance_changes[change].post_balance += number(1));
            add(name("another index of a balance"), &|list| {
                list[position].balance_changes[change].block_access_index.0 += 1;
            });
            add(name("without a balance"), &|list| {
                list[position].balance_changes.remove(change);
            });
        }
        for change in 0..account.nonce_changes.len() {
            add(name("another nonce"), &|list| list[position].nonce_changes[change].new_nonce += 1);
            add(name("without a nonce"), &|list| {
                list[position].nonce_changes.remove(change);
            });
        }
        for change in 0..account.code_changes.len() {
            add(name("other code"), &|list| list[position].code_changes[change].new_code = vec![0].into());
        }
    }
    results
}

/// Accounts that the parent state has without anything in them: a precompile that is called from a contract and then pays for nothing, one that a plain transfer
/// touches, one that is only looked at, and one that is touched only by a call that fails.
fn block_over_left_over_accounts(fork: &str) -> (MemoryState, BlockBuilder) {
    let mut state = state();
    let identity = alloy_primitives::Address::with_last_byte(4);
    let (seen, failed) = (word_address(), alloy_primitives::Address::repeat_byte(0x55));
    state
        .fund(identity, U256::ZERO)
        .fund(NOBODY, U256::ZERO)
        .fund(seen, U256::ZERO)
        .fund(failed, U256::ZERO)
        .deploy(CONTRACT, counter(), &[(2, 7)])
        .deploy(OTHER, router(), &[])
        .deploy(alloy_primitives::Address::repeat_byte(0x66), reader(), &[])
        .deploy(alloy_primitives::Address::repeat_byte(0x77), failer(), &[]);
    let look = |address| [word(address), number(1)];
    let reader = alloy_primitives::Address::repeat_byte(0x66);
    let failer = alloy_primitives::Address::repeat_byte(0x77);
    let mut block = BlockBuilder::new(fork);
    for index in 0..4 {
        block = block
            .call(&key(index), Call::to(OTHER).words(&[word(identity), number(0), number(77)]))
            .call(&key(index), Call::to(reader).words(&look(NOBODY)))
            .call(&key(index), Call::to(NOBODY))
            .call(&key(index), Call::to(reader).words(&look(seen)))
            .call(&key(index), Call::to(failer).words(&[word(failed), number(1)]))
            .call(&key(index), Call::to(CONTRACT).words(&[number(index % 3)]));
    }
    (state, block)
}

#[test]
fn every_list_that_is_false_in_one_point_is_rejected() {
    for fork in ["Shanghai", "Prague"] {
        reject_all_false_lists(fork, block(fork));
    }
}

#[test]
fn lists_over_left_over_accounts_are_told_apart_too() {
    for fork in ["Shanghai", "Prague"] {
        let (state, builder) = block_over_left_over_accounts(fork);
        let after = run(&state, &builder);
        assert!(!after.exists(NOBODY) && !after.exists(alloy_primitives::Address::with_last_byte(4)), "{fork}");
        assert!(after.exists(word_address()) && after.exists(alloy_primitives::Address::repeat_byte(0x55)), "{fork}");
        reject_all_false_lists(fork, (state, builder));
    }
}

#[test]
fn a_left_over_account_that_authorizes_pays_by_whether_it_is_still_there() {
    // An authorization by an account that exists is cheaper (EIP-7702), so it matters whether somebody touched it before.
    let author = key(40);
    let mut state = state();
    state.fund(author.address, U256::ZERO).deploy(CONTRACT, counter(), &[]);
    let authorize = |block: BlockBuilder| {
        let call = Call::to(CONTRACT).words(&[number(0)]);
        block.call(&key(1), call.authorizations(vec![author.authorize(1, CONTRACT, 0)]))
    };
    let gas = |block: &BlockBuilder| run(&state, block).outcome.receipts.last().unwrap().cumulative_gas_used;
    let new = || BlockBuilder::new("Prague");
    let touched = gas(&authorize(new().call(&key(0), Call::to(author.address))));
    let there = gas(&authorize(new().call(&key(0), Call::to(key(2).address))));
    assert!(touched > there, "{touched} and {there} gas");
}

fn reject_all_false_lists(fork: &str, (state, builder): (MemoryState, BlockBuilder)) {
    let (block, spec) = (builder.build(), builder.spec());
    let list = execute_serial(&state, &block, &spec, Outputs::ALL).unwrap().access_list.unwrap();
    let mut engines = [(Mode::Forced, 1), (Mode::Forced, 3), (Mode::Parallel, 2)]
        .map(|(mode, threads)| Engine::new(EngineConfig { mode, threads, ..EngineConfig::default() }).unwrap());
    let falsified = falsified(&list);
    println!("{fork}: {} false lists", falsified.len());
    for engine in &mut engines {
        let mut execute =
            |list| engine.execute_block(&state, &block, &spec, AccessHints::Exact(list), Outputs::default());
        for (what, wrong) in &falsified {
            match execute(wrong) {
                Err(BlockError::Invalid(InvalidBlock::AccessList(_))) => {}
                result => panic!("{fork}, {what}: {result:?}"),
            }
        }
        assert!(execute(&list).is_ok(), "{fork}: the right list is still accepted");
    }
}
