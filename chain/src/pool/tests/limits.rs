//! What happens when the pool is full, and how long things are kept.

use super::world::{Key, World, fees};
use crate::pool::{Origin, PoolOptions};
use alloy_consensus::TxEip1559;
use alloy_eips::Encodable2718;
use alloy_primitives::{Bytes, TxKind};
use std::time::Duration;

#[test]
fn the_cheapest_last_transaction_makes_room() {
    let world = World::new("Prague", PoolOptions { pending: 4, ..PoolOptions::default() });
    for (key, nonce, tip) in [(0, 0, 5), (0, 1, 9), (1, 0, 6), (2, 0, 7)] {
        world.add(&Key::new(key).pay(nonce, 20, tip)).unwrap();
    }
    // The second one of the first sender offers most, but cannot come before the first one.
    assert_eq!(world.refuse(&Key::new(3).pay(0, 20, 5)), "transaction underpriced");
    assert_eq!(world.counts(), (4, 0));
    world.add(&Key::new(3).pay(0, 20, 8)).unwrap();
    assert_eq!(world.counts(), (4, 0));
    assert_eq!(world.pool.next_nonce(Key::new(0).address), Some(1));
    world.add(&Key::new(4).pay(0, 20, 8)).unwrap();
    assert_eq!(world.pool.next_nonce(Key::new(0).address), None);
    // A fee that leaves little above the base fee (one gwei) counts for that.
    world.add(&Key::new(5).pay(0, 20, 8)).unwrap();
    assert_eq!(world.pool.next_nonce(Key::new(1).address), None);
    assert_eq!(world.refuse(&Key::new(6).pay(0, 7, 7)), "transaction underpriced");
}

#[test]
fn queued_ones_have_their_own_place() {
    let options = PoolOptions { pending: 2, queued: 2, sender_queued: 2, ..PoolOptions::default() };
    let world = World::new("Prague", options);
    world.add(&Key::new(0).pay(5, 20, 5)).unwrap();
    world.add(&Key::new(0).pay(7, 20, 5)).unwrap();
    assert_eq!(world.refuse(&Key::new(0).pay(8, 20, 9)), "account limit exceeded: pooled 2 txs");
    world.add(&Key::new(0).pay(6, 20, 5)).unwrap();
    assert!(world.pool.get_by_nonce(&Key::new(0).address, 7).is_none(), "the last one made room");
    assert_eq!(world.refuse(&Key::new(1).pay(3, 20, 4)), "txpool is full");
    world.add(&Key::new(1).pay(3, 20, 6)).unwrap();
    assert_eq!(world.counts(), (0, 2));
}

#[test]
fn a_sender_has_so_many_pending_and_the_rest_waits() {
    let world = World::new("Prague", PoolOptions { sender_pending: 3, ..PoolOptions::default() });
    for nonce in 0..5 {
        world.add(&Key::new(0).pay(nonce, 2, 1)).unwrap();
    }
    assert_eq!(world.counts(), (3, 2));
    assert_eq!(world.mine().len(), 3);
    assert_eq!(world.counts(), (2, 0));
}

#[test]
fn bytes_are_limited() {
    let options = PoolOptions { bytes: 3000, transaction_bytes: 2000, ..PoolOptions::default() };
    let world = World::new("Prague", options);
    let with_data = |key: u64, tip, length| {
        let input = Bytes::from(vec![0; length]);
        Key::new(key).sign(TxEip1559 { input, gas_limit: 100_000, ..fees(20, tip) })
    };
    let error = world.refuse(&with_data(0, 5, 2000));
    assert!(error.starts_with("oversized data: transaction size 21") && error.ends_with(", limit 2000"), "{error}");
    world.add(&with_data(0, 5, 1200)).unwrap();
    world.add(&with_data(1, 6, 1200)).unwrap();
    assert_eq!(world.refuse(&with_data(2, 4, 1200)), "transaction underpriced");
    world.add(&with_data(2, 7, 1200)).unwrap();
    assert_eq!(world.counts(), (2, 0));
    assert!(world.pool.status().bytes <= 3000);
    assert!(world.pool.content_from(Key::new(0).address).pending.is_empty());
}

#[test]
fn queued_ones_from_outside_expire() {
    let world = World::new("Prague", PoolOptions { lifetime: Duration::ZERO, ..PoolOptions::default() });
    world.pool.add_raw(&Key::new(0).pay(1, 2, 1).encoded_2718(), Origin::External).unwrap();
    world.pool.add_raw(&Key::new(0).pay(1, 3, 2).encoded_2718(), Origin::External).unwrap();
    world.add(&Key::new(1).pay(1, 2, 1)).unwrap();
    world.pool.add_raw(&Key::new(2).pay(0, 2, 1).encoded_2718(), Origin::External).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    world.pool.expire();
    assert_eq!(world.counts(), (1, 1), "what is pending or local stays");
    world.pool.clear();
    assert_eq!(world.counts(), (0, 0));
    world.add(&Key::new(1).sign(TxEip1559 { to: TxKind::Call(Key::new(2).address), ..fees(2, 1) })).unwrap();
    assert_eq!(world.counts(), (1, 0));
}

#[test]
fn what_is_put_back_has_no_more_place_than_what_comes() {
    let world = World::new("Prague", PoolOptions { queued: 2, ..PoolOptions::default() });
    let hashes: Vec<_> = (0..6).map(|nonce| world.add(&Key::new(0).pay(nonce, 20, 5)).unwrap()).collect();
    world.pool.remove(&hashes[0]).unwrap();
    assert_eq!(world.counts(), (0, 2));
    assert!(world.pool.get(&hashes[1]).is_some() && world.pool.get(&hashes[5]).is_none(), "the newest go first");
}
