//! Fork choice by total difficulty, and ommers.

use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use braid_chain::{Chain, ChainOptions, consensus::next_difficulty};
use braid_runtime::{Block, ChainSpec};
use braid_tests::chains::{Producer, block, chain};

fn import_all(chain: &Chain, blocks: &[Block]) {
    blocks.iter().for_each(|block| drop(chain.import(block.clone()).unwrap_or_else(|error| panic!("{error}"))));
}

#[test]
fn the_heavier_branch_has_the_head() {
    let mut producer = Producer::new("Berlin");
    let genesis = producer.chain.head().hash;
    let short = producer.branch(genesis, 3, 1);
    let long = producer.branch(genesis, 4, 2);
    let chain = chain("Berlin", ChainOptions::default());
    import_all(&chain, &short);
    let head = chain.head().hash;
    import_all(&chain, &long[..3]);
    assert_eq!(chain.head().hash, head, "of equally heavy branches the first one seen stays");
    let last = chain.import(long[3].clone()).unwrap();
    assert!(last.is_head);
    assert_eq!(chain.head().hash, long[3].header.hash_slow());
    let sum = long.iter().map(|block| block.header.difficulty).sum::<U256>() + U256::from(131_072);
    assert_eq!(chain.total_difficulty(&chain.head().hash), Some(sum));
    assert_eq!(chain.canonical_hash(2).unwrap(), Some(long[1].header.hash_slow()));
}

#[test]
fn a_shorter_branch_can_be_heavier() {
    // Two quick blocks are more difficult than three slow ones.
    let mut producer = Producer::new("Berlin");
    let genesis = producer.chain.head().hash;
    let slow = producer.build_with(genesis, &[], |attributes| attributes.timestamp = 900);
    let quick = producer.build_with(genesis, &[], |attributes| attributes.timestamp = 1);
    let chain = chain("Berlin", ChainOptions::default());
    import_all(&chain, &[block(&slow)]);
    assert!(slow.block.header.difficulty < quick.block.header.difficulty);
    import_all(&chain, &[block(&quick)]);
    assert_eq!(chain.head().hash, quick.block.header.hash_slow());
}

/// A branch of four blocks, with an ommer for the fourth or the fifth.
fn with_ommers(change: impl FnOnce(&[Block], &mut Vec<Header>)) -> Result<(), String> {
    let mut producer = Producer::new("London");
    let genesis = producer.chain.head().hash;
    let blocks = producer.branch(genesis, 9, 1);
    let siblings = producer.branch(genesis, 1, 5);
    let second_siblings = producer.branch(blocks[0].header.hash_slow(), 1, 6);
    let chain = chain("London", ChainOptions::default());
    import_all(&chain, &blocks);
    let mut ommers = vec![siblings[0].header.clone(), second_siblings[0].header.clone()];
    change(&blocks, &mut ommers);
    let spec = ChainSpec::from_suite_fork("London").unwrap();
    let parent = &blocks[2].header;
    let mut ommer_block = block(&producer.build(parent.hash_slow(), &[]));
    ommer_block.body.ommers = ommers;
    let header = &mut ommer_block.header;
    header.ommers_hash = alloy_consensus::proofs::calculate_ommers_root(&ommer_block.body.ommers);
    header.difficulty = next_difficulty(parent, header.timestamp, &spec);
    // The rewards change the state; which root they give is not what is looked at here.
    header.state_root = B256::ZERO;
    let error = chain.import(ommer_block).unwrap_err().to_string();
    if error.contains("state root") { Ok(()) } else { Err(error) }
}

#[test]
fn ommers_must_be_near_new_and_right() {
    assert_eq!(with_ommers(|_, _| {}), Ok(()));
    let found = |change: fn(&[Block], &mut Vec<Header>), expected: &str| {
        let error = with_ommers(change).unwrap_err();
        assert!(error.contains(expected), "{error}");
    };
    found(|_, ommers| ommers.push(ommers[0].clone()), "3 ommers, more than two");
    found(|_, ommers| ommers[1] = ommers[0].clone(), "it was included before");
    found(|blocks, ommers| ommers[0] = blocks[1].header.clone(), "it is an ancestor of the block");
    found(|blocks, ommers| ommers[0] = blocks[3].header.clone(), "not an ancestor of the second to the seventh");
    found(|_, ommers| ommers[0].difficulty += U256::from(1), "the difficulty is");
    found(|_, ommers| ommers[0].gas_limit *= 2, "the gas limit is");
    found(|_, ommers| ommers[0].parent_hash = B256::ZERO, "not an ancestor");
}
