//! Readers on many threads while blocks are appended and taken back.

use super::model::{Model, assert_snapshot, simple, with_each_database};
use crate::{DatabaseOptions, StorageError, snapshot::cache::CacheLimits};
use alloy_primitives::{Address, U256};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Each block sets the nonce of an account to its own number. So whoever reads the account through a snapshot of block N
/// must find the number of the last block up to N that set it, or be told that the snapshot is outdated.
#[test]
fn what_a_snapshot_gives_is_of_its_block_or_an_error() {
    // A small cache, so that values come and go.
    let cache = CacheLimits { accounts: 128, slots: 128, node_bytes: 1 << 14, code_bytes: 1 << 10 };
    let options = DatabaseOptions { cache, ..Default::default() };
    with_each_database(options, |database, _| {
        let blocks = 60;
        let mut model = Model::new();
        let (done, read, outdated) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let snapshot = database.snapshot().unwrap();
                        let number = snapshot.block().number;
                        for address in (0u8..11).chain(0..11) {
                            let last = (0..=number).rev().find(|block| *block > 0 && (block % 11) as u8 == address);
                            let expected = last.unwrap_or_default();
                            let place = Address::repeat_byte(address);
                            let found = snapshot.account(place).and_then(|account| {
                                let slot = snapshot.slot(place, U256::from(expected % 12))?;
                                Ok((account.map_or(0, |account| account.nonce), slot))
                            });
                            match found {
                                Ok((nonce, slot)) => {
                                    let value = if expected == 0 { 0 } else { expected + 1 };
                                    assert_eq!((nonce, slot), (expected, U256::from(value)), "block {number}");
                                    read.fetch_add(1, Ordering::Relaxed);
                                }
                                Err(StorageError::SnapshotOutdated { .. }) => {
                                    outdated.fetch_add(1, Ordering::Relaxed);
                                    break;
                                }
                                Err(error) => panic!("{error}"),
                            }
                        }
                    }
                });
            }
            for number in 1..=blocks {
                model.execute_on(&database, &simple((number % 11) as u8, number));
                database.append(model.from(number)).unwrap();
                if number % 20 == 0 {
                    database.unwind(number - 3).unwrap();
                    let again = model.from(number - 2).to_vec();
                    database.append(&again).unwrap();
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert!(read.into_inner() > 100, "readers came to read");
        assert_snapshot(&database.snapshot().unwrap(), model.states.last().unwrap());
    });
}

#[test]
fn what_is_shared_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<crate::Database>();
    shared::<crate::Snapshot>();
    shared::<crate::PastState>();
    shared::<crate::StateRootTask>();
    shared::<crate::Layer>();
    shared::<StorageError>();
}
