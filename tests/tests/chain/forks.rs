//! Blocks of every fork, built by one chain and imported by others.

use braid_chain::{ChainOptions, Novelty};
use braid_runtime::{EngineConfig, Mode};
use braid_tests::chains::{Producer, chain};

const FORKS: &[&str] = &[
    "Frontier",
    "Homestead",
    "EIP150",
    "EIP158",
    "Byzantium",
    "ConstantinopleFix",
    "Istanbul",
    "Berlin",
    "London",
    "Paris",
    "Shanghai",
    "Cancun",
    "Prague",
    "Osaka",
    "FrontierToHomesteadAt5",
    "HomesteadToEIP150At5",
    "EIP158ToByzantiumAt5",
    "BerlinToLondonAt5",
    "ParisToShanghaiAtTime15k",
];

#[test]
fn what_one_chain_builds_others_import_serially_and_in_parallel() {
    for fork in FORKS {
        let mut producer = Producer::new(fork);
        let genesis = producer.chain.head().hash;
        let blocks = producer.branch(genesis, 8, 1);
        for (mode, threads) in
            [(Mode::Serial, 1), (Mode::Forced, 1), (Mode::Forced, 2), (Mode::Forced, 4), (Mode::Forced, 8)]
        {
            let execution = EngineConfig { mode, threads, ..EngineConfig::default() };
            let chain = chain(fork, ChainOptions { execution, ..ChainOptions::default() });
            for block in &blocks {
                let inserted = chain.import(block.clone()).unwrap_or_else(|error| panic!("{fork}, {mode:?}: {error}"));
                assert_eq!(inserted.block.hash, block.header.hash_slow());
                assert_eq!((inserted.novelty, inserted.is_head, inserted.divergence), (Novelty::New, true, None));
            }
            assert_eq!(chain.head().hash, blocks[7].header.hash_slow());
            let again = chain.import(blocks[3].clone()).unwrap();
            assert_eq!((again.novelty, again.is_head), (Novelty::Known, false));
        }
    }
}
