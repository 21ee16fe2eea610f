//! A long chain of DeFi blocks: a genesis with tokens, an exchange, a lending market and many wallets, and signed blocks on it.
//!
//! `wallet` has the keys, `mix` says what a transaction does, [`DefiChain`] builds the blocks with Braid's own producer. Size and seed
//! determine everything.

mod mix;
mod wallet;

use crate::{
    genesis::genesis,
    workload::{BENEFICIARY, WorkloadError},
};
use alloy_consensus::transaction::Recovered;
use alloy_primitives::{Address, KECCAK256_EMPTY, U256, keccak256};
use braid_chain::{Chain, ChainError, ChainOptions, payload::PayloadAttributes};
use braid_runtime::{Block, ChainSpec, ChainSpecError, EngineConfig, Transaction};
use braid_storage::{AccountChange, AccountRecord, Database, Genesis, StorageError};
use mix::Mix;

/// Gas limit of the first block.
const GAS_LIMIT: u64 = 400_000_000;

/// What a chain is made of.
#[derive(Clone, Copy, Debug)]
pub struct DefiChainSize {
    /// Blocks above genesis.
    pub blocks: usize,
    /// Transactions of a block.
    pub transactions: usize,
    /// Wallets that send them.
    pub wallets: usize,
    /// Accounts beside them that nobody touches.
    pub bystanders: usize,
    /// Seed of all choices.
    pub seed: u64,
}

/// A genesis and the blocks on it.
#[derive(Debug)]
pub struct DefiChain {
    /// The rules.
    pub spec: ChainSpec,
    /// The first block with its state.
    pub genesis: Genesis,
    /// The blocks above it.
    pub blocks: Vec<Block>,
    size: DefiChainSize,
    mix: Mix,
}

/// Why a chain could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DefiChainError {
    /// The contracts could not be had or set up.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// A block could not be built.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The rules of the chain are not known.
    #[error(transparent)]
    Rules(#[from] ChainSpecError),
    /// The database could not be made.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl DefiChain {
    /// The genesis; there are no blocks yet.
    pub fn new(size: DefiChainSize) -> Result<Self, DefiChainError> {
        let spec = ChainSpec::from_suite_fork("Prague")?;
        let (mix, mut state) = Mix::deploy(size)?;
        state.accounts.extend((0..size.bystanders as u64).map(bystander));
        let genesis = genesis(&spec, state, GAS_LIMIT);
        Ok(Self { spec, genesis, blocks: Vec::new(), size, mix })
    }

    /// Makes the blocks in a database that holds nothing but the genesis. It holds all of them afterwards.
    pub fn build(&mut self, database: Database) -> Result<(), DefiChainError> {
        let execution = EngineConfig { threads: 2, ..EngineConfig::default() };
        let options = ChainOptions { execution, blocks_in_memory: 0, blocks_per_commit: 64, ..ChainOptions::default() };
        let chain = Chain::new(database, self.spec.clone(), options)?;
        for index in 0..self.size.blocks {
            let head = chain.head();
            let attributes = PayloadAttributes {
                timestamp: self.genesis.header.timestamp + 12 * (index as u64 + 1),
                fee_recipient: BENEFICIARY,
                prev_randao: keccak256(index.to_be_bytes()),
                ..PayloadAttributes::default()
            };
            let candidates: Vec<Recovered<Transaction>> = self.mix.transactions(self.size.transactions);
            let built = chain.build(head.hash, &attributes, candidates)?;
            chain.set_head(built.block.layer.block().hash)?;
            self.blocks.push(Block { header: built.block.header.clone(), body: built.block.body.clone() });
        }
        chain.flush()?;
        Ok(())
    }

    /// Gas that all blocks use.
    pub fn gas(&self) -> u64 {
        self.blocks.iter().map(|block| block.header.gas_used).sum()
    }

    /// Number of all transactions.
    pub fn transactions(&self) -> usize {
        self.blocks.iter().map(|block| block.body.transactions.len()).sum()
    }
}

fn bystander(index: u64) -> AccountChange {
    let record = AccountRecord { nonce: 1, balance: U256::from(index + 1), code_hash: KECCAK256_EMPTY };
    let address = Address::from_word(keccak256([&index.to_be_bytes()[..], b"bystander"].concat()));
    AccountChange { address, present: Some(record), storage_wiped: false }
}
