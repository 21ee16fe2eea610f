//! Local transactions over restarts.

use super::world::{Key, World, fees};
use crate::{
    pool::{JournalContent, Origin, PoolOptions, TransactionPool},
    senders::impersonated_signature,
};
use alloy_consensus::{SignableTransaction, transaction::Recovered};
use alloy_eips::Encodable2718;
use std::{fs, sync::Arc};

#[test]
fn local_transactions_are_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("transactions.rlp");
    let world = World::new("Prague", PoolOptions::default());
    assert_eq!(world.pool.open_journal(&path).unwrap(), JournalContent::default());
    let key = Key::new(0);
    let first = world.add(&key.pay(0, 2, 1)).unwrap();
    let second = world.add(&key.pay(1, 2, 1)).unwrap();
    world.pool.add_raw(&Key::new(1).pay(0, 2, 1).encoded_2718(), Origin::External).unwrap();
    let sender = Key::new(2).address;
    let claimed = Recovered::new_unchecked(fees(2, 1).into_signed(impersonated_signature(sender)).into(), sender);
    let third = world.pool.add(claimed, Origin::Local).unwrap();

    let restart = || TransactionPool::new(Arc::clone(&world.chain), PoolOptions::default());
    let pool = restart();
    assert_eq!(pool.open_journal(&path).unwrap(), JournalContent { loaded: 3, ..Default::default() });
    let hashes: Vec<_> = pool.pending().iter().map(|transaction| transaction.hash()).collect();
    assert_eq!(hashes, [first, second, third]);
    assert_eq!(pool.get(&third).unwrap().sender(), sender);

    // A cut end, and something that is no transaction before it.
    let mut bytes = fs::read(&path).unwrap();
    let whole = bytes.len();
    bytes.splice(0..0, [0x83, 1, 2, 3]);
    bytes.truncate(whole);
    fs::write(&path, &bytes).unwrap();
    let pool = restart();
    assert_eq!(pool.open_journal(&path).unwrap(), JournalContent { loaded: 2, refused: 0, damaged: 2 });
    pool.remove(&first).unwrap();
    pool.rotate_journal().unwrap();
    drop(pool);
    let pool = restart();
    assert_eq!(pool.open_journal(&path).unwrap().loaded, 1);
    assert_eq!(pool.status().queued, 1, "the first one is gone");
    assert!(pool.open_journal(folder.path()).is_err());
}
