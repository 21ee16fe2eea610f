//! The pool beside a chain that grows, reorganises, and is changed by hand.

use super::world::{GWEI, Key, RICH, World, fees};
use crate::pool::{Origin, PoolOptions};
use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, TxKind, U256};
use braid_storage::{AccountChange, AccountRecord, BlockChange};
use parking_lot::Mutex;
use std::sync::Arc;

fn world() -> World {
    World::new("Prague", PoolOptions::default())
}

fn hash_of(built: &crate::payload::BuiltPayload) -> B256 {
    built.block.layer.block().hash
}

/// Everything that watchers were told.
fn watch(world: &World) -> Arc<Mutex<Vec<B256>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    world.pool.watch_added(move |transaction| told.lock().push(transaction.hash()));
    seen
}

#[test]
fn watchers_hear_of_everything_that_becomes_pending() {
    let world = world();
    let seen = watch(&world);
    let key = Key::new(0);
    let second = world.add(&key.pay(1, 2, 1)).unwrap();
    assert!(seen.lock().is_empty());
    let first = world.add(&key.pay(0, 2, 1)).unwrap();
    assert_eq!(*seen.lock(), [first, second]);
    let better = world.add(&key.pay(0, 3, 2)).unwrap();
    assert_eq!(*seen.lock(), [first, second, better]);
    world.mine();
    assert_eq!(seen.lock().len(), 3);
}

#[test]
fn the_best_come_first_and_senders_in_their_order() {
    let world = world();
    // Base fee 0.875 gwei: of a fee of 3 there are 2.125 left.
    let adds = [(0, 0, 9, 4), (0, 1, 99, 9), (1, 0, 3, 3), (2, 0, 9, 5), (2, 1, 9, 1), (3, 0, 9, 2)];
    let hashes: Vec<B256> =
        adds.map(|(key, nonce, fee, tip)| world.add(&Key::new(key).pay(nonce, fee, tip)).unwrap()).into();
    let header = world.chain.head_header().1;
    let best = |base_fee: u128, gas| -> Vec<usize> {
        let best = world.pool.best_transactions(&header, base_fee as u64, gas);
        best.iter().map(|tx| hashes.iter().position(|hash| *hash == tx.hash()).unwrap()).collect()
    };
    assert_eq!(best(875_000_000, 1_000_000), [3, 0, 1, 2, 5, 4]);
    assert_eq!(best(875_000_000, 2 * 21_000), [3, 0]);
    assert_eq!(best(4 * GWEI, 1_000_000), [3, 0, 1, 5, 4], "the fee of 3 does not pay");
    assert_eq!(best(9 * GWEI, 1_000_000).len(), 5);
    assert_eq!(best(10 * GWEI, 1_000_000), [0usize; 0], "nobody comes before the first of the sender");
    assert!(world.pool.ready(9 * GWEI as u64) && !world.pool.ready(10 * GWEI as u64));
    assert_eq!(world.pool.ready_count(4 * GWEI as u64), 5);
    assert_eq!(world.mine().len(), 6);
}

#[test]
fn what_does_not_pay_the_base_fee_stays_without_being_offered() {
    let world = world();
    let cheap = Key::new(0).sign(TxEip1559 { max_fee_per_gas: 10, max_priority_fee_per_gas: 1, ..fees(1, 0) });
    world.add(&cheap).unwrap();
    assert_eq!(world.counts(), (1, 0));
    assert!(world.mine().is_empty());
    assert_eq!(world.counts(), (1, 0));
}

#[test]
fn what_is_taken_back_returns() {
    let world = world();
    let genesis = world.chain.head().hash;
    let (first, second) =
        (world.add(&Key::new(0).pay(0, 9, 1)).unwrap(), world.add(&Key::new(0).pay(1, 9, 1)).unwrap());
    world.mine();
    let third = world.add(&Key::new(1).pay(0, 9, 1)).unwrap();
    world.mine();
    assert_eq!(world.counts(), (0, 0));
    let seen = watch(&world);
    // Another branch, with one of them only.
    let transaction = Key::new(1).pay(0, 9, 1);
    let transaction = Recovered::new_unchecked(transaction.into(), Key::new(1).address);
    let other = world.build_of(genesis, 1, vec![transaction]);
    world.chain.set_head(hash_of(&other)).unwrap();
    assert_eq!(world.counts(), (2, 0));
    let pending: Vec<_> = world.pool.pending().iter().map(|tx| (tx.hash(), tx.origin())).collect();
    assert_eq!(pending, [(first, Origin::External), (second, Origin::External)]);
    assert_eq!(*seen.lock(), [first, second]);
    assert!(world.pool.get(&third).is_none());
    assert_eq!(world.mine(), [first, second]);
}

#[test]
fn who_goes_back_in_time_does_not_get_transactions_back() {
    let world = world();
    let genesis = world.chain.head().hash;
    world.add(&Key::new(0).pay(0, 9, 1)).unwrap();
    world.mine();
    world.add(&Key::new(0).pay(1, 9, 1)).unwrap();
    world.pool.without_reinjection(|| world.chain.set_head(genesis)).unwrap();
    assert_eq!(world.counts(), (0, 1), "the nonce before is missing now");
    world.add(&Key::new(0).pay(0, 9, 2)).unwrap();
    assert_eq!(world.counts(), (2, 0));
}

#[test]
fn blocks_of_others_change_what_senders_can_do() {
    let world = world();
    let key = Key::new(0);
    let pay = |nonce, value: u64, to| {
        key.sign(TxEip1559 { nonce, value: U256::from(value), to: TxKind::Call(to), ..fees(9, 1) })
    };
    world.add(&pay(0, 1, Address::ZERO)).unwrap();
    world.add(&pay(1, RICH / 2, Address::ZERO)).unwrap();
    // Somebody else's block has another first transaction, which takes nearly everything.
    let other = pay(0, RICH / 10 * 9, Address::repeat_byte(3));
    let built = world.build_of(world.chain.head().hash, 1, vec![Recovered::new_unchecked(other.into(), key.address)]);
    world.chain.set_head(hash_of(&built)).unwrap();
    assert_eq!(world.counts(), (0, 1), "the first one is stale, the second one not affordable");
    // Ether makes it executable.
    let gift = Key::new(1).sign(TxEip1559 { value: U256::from(RICH / 2), to: TxKind::Call(key.address), ..fees(9, 1) });
    world.add(&gift).unwrap();
    world.mine();
    assert_eq!(world.counts(), (1, 0));
    assert_eq!(world.mine().len(), 1);
}

#[test]
fn claimed_senders_are_mined_and_return() {
    let world = world();
    let genesis = world.chain.head().hash;
    let sender = Key::new(0).address;
    let signature = crate::senders::impersonated_signature(sender);
    let claimed = fees(9, 1).into_signed(signature);
    let hash = world.pool.add(Recovered::new_unchecked(claimed.into(), sender), Origin::Local).unwrap();
    assert_eq!(world.mine(), [hash]);
    world.chain.set_head(genesis).unwrap();
    assert_eq!(world.pool.get(&hash).unwrap().sender(), sender);
}

#[test]
fn a_backlog_is_mined_steadily() {
    let world = world();
    let raws: Vec<_> =
        (0..240u64).map(|index| Key::new(index % 8).pay(index / 8, 9, 1).encoded_2718().into()).collect();
    assert!(world.pool.add_raw_batch(&raws, Origin::External).iter().all(Result::is_ok));
    let mut mined = 0;
    while world.pool.status().pending > 0 {
        let header = world.chain.head_header().1;
        let candidates = world.pool.best_transactions(&header, GWEI as u64, 50 * 21_000);
        let candidates = candidates.iter().map(|tx| tx.recovered().clone()).collect();
        let built = world.build_of(world.chain.head().hash, 0, candidates);
        world.chain.set_head(hash_of(&built)).unwrap();
        world.check();
        mined += built.block.body.transactions.len();
        assert!(mined == 240 || mined % 50 == 0, "{mined}");
    }
    assert_eq!(mined, 240);
}

#[test]
fn many_threads_send_while_blocks_are_made() {
    const EACH: u64 = 60;
    let world = world();
    let mined = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|number| {
                let world = &world;
                scope.spawn(move || {
                    let key = Key::new(number);
                    // In pairs the wrong way round, so that some of them wait.
                    for nonce in 0..EACH {
                        world.add(&key.pay(nonce ^ 1, 9, 1)).expect("it is taken");
                        // An account of nobody's, to be read while the head moves.
                        assert!(world.add(&Key::new(1000 * number + nonce + 100).pay(0, 9, 1)).is_err());
                    }
                })
            })
            .collect();
        let mut mined = 0;
        while !senders.iter().all(|sender| sender.is_finished()) || world.pool.status().pending > 0 {
            mined += world.mine().len();
        }
        mined
    });
    assert_eq!((mined as u64, world.counts()), (4 * EACH, (0, 0)));
}

#[test]
fn accounts_changed_by_hand_are_read_again() {
    let world = world();
    let key = Key::new(0);
    (0..3).for_each(|nonce| assert!(world.add(&key.pay(nonce, 9, 1)).is_ok()));
    let set = |nonce, balance| {
        let present = Some(AccountRecord { nonce, balance: U256::from(balance), code_hash: KECCAK256_EMPTY });
        let account = AccountChange { address: key.address, present, storage_wiped: false };
        world.chain.amend(&BlockChange { accounts: vec![account], ..BlockChange::default() }).unwrap();
        let before = world.pool.version();
        world.pool.refresh(&[key.address, Key::new(77).address]);
        assert_ne!(world.pool.version(), before);
    };
    set(0, 300_000_000_000_000);
    assert_eq!(world.counts(), (1, 2), "enough for one");
    set(0, RICH);
    assert_eq!(world.counts(), (3, 0));
    set(2, RICH);
    assert_eq!(world.counts(), (1, 0), "two nonces were used");
    set(1, RICH);
    assert_eq!(world.counts(), (0, 1), "one of them is missing again");
}
