//! Going back below what is in memory.

use alloy_primitives::U256;
use braid_chain::{Chain, ChainOptions};
use braid_tests::chains::{COUNTER, Producer, chain};

fn shallow(fork: &str) -> Chain {
    chain(fork, ChainOptions { blocks_in_memory: 0, blocks_per_commit: 1, ..ChainOptions::default() })
}

#[test]
fn the_head_can_go_back_to_a_stored_block() {
    let mut producer = Producer::new("Osaka");
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 6, 1);
    let chain = shallow("Osaka");
    blocks.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    chain.flush().unwrap();
    let second = blocks[1].header.hash_slow();
    let reorganisation = chain.set_head(second).unwrap();
    let removed: Vec<_> = reorganisation.removed.iter().map(|block| block.header.number).collect();
    assert_eq!(removed, [6, 5, 4, 3]);
    assert_eq!(chain.head().hash, second);
    assert_eq!(chain.snapshot(second).unwrap().slot(COUNTER, U256::ZERO).unwrap(), U256::from(4));
    let other = producer.branch(second, 3, 9);
    other.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    assert_eq!(chain.head().hash, other[2].header.hash_slow());
}

#[test]
fn a_heavier_branch_below_the_stored_head_takes_over() {
    let mut producer = Producer::new("Berlin");
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 6, 1);
    let other = producer.branch(blocks[1].header.hash_slow(), 6, 9);
    let chain = shallow("Berlin");
    blocks.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    chain.flush().unwrap();
    for block in &other[..4] {
        assert!(!chain.import(block.clone()).unwrap().is_head);
        assert_eq!(chain.head().hash, blocks[5].header.hash_slow());
    }
    assert!(chain.import(other[4].clone()).unwrap().is_head);
    assert_eq!(chain.head().hash, other[4].header.hash_slow());
    chain.import(other[5].clone()).unwrap();
    let head = chain.flush().unwrap();
    assert_eq!(head.hash, other[5].header.hash_slow());
    assert_eq!(chain.snapshot(head.hash).unwrap().slot(COUNTER, U256::ZERO).unwrap(), U256::from(16));
    chain.database().verify(|_| {}).unwrap();
    // And back.
    let longer = producer.branch(blocks[5].header.hash_slow(), 3, 4);
    longer.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    assert_eq!(chain.flush().unwrap().hash, longer[2].header.hash_slow());
    chain.database().verify(|_| {}).unwrap();
}

#[test]
fn an_invalid_block_on_a_deep_branch_changes_nothing() {
    let mut producer = Producer::new("Osaka");
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 4, 1);
    let mut other = producer.branch(blocks[0].header.hash_slow(), 1, 9);
    other[0].header.state_root = blocks[0].header.state_root;
    let chain = shallow("Osaka");
    blocks.iter().for_each(|block| drop(chain.import(block.clone()).unwrap()));
    chain.flush().unwrap();
    let error = chain.import(other[0].clone()).unwrap_err();
    assert!(error.is_invalid(), "{error}");
    assert_eq!(chain.head().hash, blocks[3].header.hash_slow());
    assert_eq!(chain.database().head().unwrap().hash, blocks[3].header.hash_slow());
}
