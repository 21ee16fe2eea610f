//! Blocks leave the memory for the database, and come back from it.

use alloy_primitives::U256;
use braid_chain::{Chain, ChainOptions};
use braid_storage::{Database, DatabaseOptions, store::MemoryStore};
use braid_tests::chains::{COUNTER, Producer, chain, genesis};
use std::sync::Arc;

fn options(blocks_in_memory: usize, blocks_per_commit: usize) -> ChainOptions {
    ChainOptions { blocks_in_memory, blocks_per_commit, ..ChainOptions::default() }
}

#[test]
fn whatever_stays_in_memory_the_end_is_the_same() {
    let mut producer = Producer::new("Prague");
    let first = producer.chain.head().hash;
    let blocks = producer.branch(first, 40, 1);
    let expected = blocks.last().unwrap().header.state_root;
    for (in_memory, per_commit) in [(0, 1), (0, 7), (3, 1), (10, 4), (64, 16)] {
        let chain = chain("Prague", options(in_memory, per_commit));
        for block in &blocks {
            chain.import(block.clone()).unwrap();
            let above = chain.head().number - chain.database().head().unwrap().number;
            assert!(above <= (in_memory + 2 * per_commit + 1) as u64, "{above} blocks in memory");
        }
        let head = chain.flush().unwrap();
        assert_eq!((head.number, head.state_root), (40, expected));
        assert_eq!(chain.database().head().unwrap(), head);
        let count = chain.snapshot(head.hash).unwrap().slot(COUNTER, U256::ZERO).unwrap();
        assert_eq!(count, U256::from(80));
        let past = chain.database().state_at(10).unwrap().slot(COUNTER, U256::ZERO).unwrap();
        assert_eq!(past, U256::from(20));
        chain.database().verify(|_| {}).unwrap();
    }
}

#[test]
fn a_chain_goes_on_where_its_database_ends() {
    let (spec, genesis) = genesis("Berlin");
    let mut producer = Producer::new("Berlin");
    let first = producer.chain.head().hash;
    let blocks = producer.branch(first, 10, 1);
    let heavier = producer.branch(blocks[8].header.hash_slow(), 2, 7);
    let store = Arc::new(MemoryStore::new());
    let open = || {
        let database = Database::create_in(store.clone(), &genesis, DatabaseOptions::default()).unwrap();
        Chain::new(database, spec.clone(), options(0, 4)).unwrap()
    };
    let chain = open();
    blocks[..9].iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    chain.flush().unwrap();
    drop(chain);
    let chain = open();
    assert_eq!(chain.head().number, 9);
    let total: U256 = blocks[..9].iter().map(|block| block.header.difficulty).sum::<U256>() + U256::from(131_072);
    assert_eq!(chain.total_difficulty(&chain.head().hash), Some(total));
    blocks[..9].iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    chain.import(blocks[9].clone()).unwrap();
    heavier.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    assert_eq!(chain.head().hash, heavier[1].header.hash_slow());
}

#[test]
fn what_was_not_flushed_is_only_in_memory() {
    let mut producer = Producer::new("Osaka");
    let first = producer.chain.head().hash;
    let blocks = producer.branch(first, 5, 1);
    let chain = chain("Osaka", ChainOptions::default());
    blocks.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    assert_eq!((chain.head().number, chain.database().head().unwrap().number), (5, 0));
    assert_eq!(chain.canonical_hash(3).unwrap(), Some(blocks[2].header.hash_slow()));
    assert_eq!(chain.receipts(&blocks[2].header.hash_slow()).unwrap().unwrap().len(), 3);
    chain.flush().unwrap();
    assert_eq!(chain.database().durable_head().number, 5);
    assert_eq!(chain.receipts(&blocks[2].header.hash_slow()).unwrap().unwrap().len(), 3);
}

#[test]
fn a_block_beside_the_one_that_is_being_written_is_executed() {
    let mut producer = Producer::new("Berlin");
    let first = producer.chain.head().hash;
    let blocks = producer.branch(first, 120, 1);
    let parents = std::iter::once(first).chain(blocks.iter().map(|block| block.header.hash_slow()));
    let siblings: Vec<_> = parents.take(120).map(|parent| producer.branch(parent, 1, 1_000).remove(0)).collect();
    let chain = chain("Berlin", options(0, 1));
    for (block, sibling) in blocks.iter().zip(siblings) {
        assert!(chain.import(block.clone()).unwrap().is_head);
        assert!(!chain.import(sibling).unwrap().is_head, "the first one seen stays");
    }
    assert_eq!(chain.flush().unwrap().hash, blocks[119].header.hash_slow());
    chain.database().verify(|_| {}).unwrap();
}
