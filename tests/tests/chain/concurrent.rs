//! Readers beside a chain that grows, is written and switches branches.

use alloy_primitives::U256;
use braid_chain::{ChainError, ChainOptions};
use braid_storage::StorageError;
use braid_tests::chains::{COUNTER, Producer, chain};
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

#[test]
fn every_snapshot_is_of_its_block_while_the_chain_moves() {
    let mut producer = Producer::new("Cancun");
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 60, 1);
    let side = producer.branch(blocks[29].header.hash_slow(), 10, 5);
    let options = ChainOptions { blocks_in_memory: 4, blocks_per_commit: 2, ..ChainOptions::default() };
    let chain = chain("Cancun", options);
    let (is_done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let head = chain.head();
                    let value = chain.snapshot(head.hash).and_then(|snapshot| {
                        assert_eq!(snapshot.block(), head);
                        Ok(snapshot.slot(COUNTER, U256::ZERO)?)
                    });
                    match value {
                        // Every block counts twice, on whatever branch it is.
                        Ok(value) => {
                            assert_eq!(value, U256::from(2 * head.number), "block {}", head.number);
                            reads.fetch_add(1, Ordering::Relaxed);
                        }
                        // The chain moved on between the two calls.
                        Err(ChainError::UnknownBlock(_)) => {}
                        Err(ChainError::Storage(error)) if matches!(&*error, StorageError::SnapshotOutdated { .. }) => {
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        blocks[..40].iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
        side.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
        blocks[40..].iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
        chain.flush().unwrap();
        is_done.store(true, Ordering::Relaxed);
    });
    assert_eq!(chain.head().hash, blocks[59].header.hash_slow());
    assert!(reads.into_inner() > 0, "nothing was read");
    chain.database().verify(|_| {}).unwrap();
}
