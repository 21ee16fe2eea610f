//! A long chain of DeFi blocks: a genesis with tokens, an exchange, a lending market and many wallets, and signed blocks on it.
//!
//! `wallet` has the keys, `mix` says what a transaction does, [`DefiChain`] builds the blocks with Braid's own producer. Size and seed
//! determine everything.

mod mix;
mod wallet;

use crate::workload::WorkloadError;
use alloy_consensus::{Header, constants::EMPTY_WITHDRAWALS, transaction::Recovered};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{Address, B256, U256, keccak256};
use braid_chain::{Chain, ChainError, ChainOptions, payload::PayloadAttributes};
use braid_runtime::{Block, ChainSpec, ChainSpecError, EngineConfig, Transaction};
use braid_storage::{AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, Genesis, StorageError, state_root};
use mix::Mix;

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
#[derive(Clone, Debug)]
pub struct DefiChain {
    /// The rules.
    pub spec: ChainSpec,
    /// The first block with its state.
    pub genesis: Genesis,
    /// The blocks above it.
    pub blocks: Vec<Block>,
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
    /// Makes the chain. `progress` is told each block.
    pub fn build(size: DefiChainSize, progress: impl Fn(usize)) -> Result<Self, DefiChainError> {
        let spec = ChainSpec::from_suite_fork("Prague")?;
        let (mut mix, mut state) = Mix::deploy(size)?;
        state.accounts.extend((0..size.bystanders as u64).map(bystander));
        let genesis = genesis(&spec, state);
        let database = Database::in_memory(&genesis, DatabaseOptions::default())?;
        let execution = EngineConfig { threads: 2, ..EngineConfig::default() };
        let options = ChainOptions { execution, blocks_in_memory: 0, ..ChainOptions::default() };
        let chain = Chain::new(database, spec.clone(), options)?;
        let mut blocks = Vec::with_capacity(size.blocks);
        for index in 0..size.blocks {
            let head = chain.head();
            let attributes = PayloadAttributes {
                timestamp: genesis.header.timestamp + 12 * (index as u64 + 1),
                fee_recipient: crate::workload::BENEFICIARY,
                prev_randao: keccak256(index.to_be_bytes()),
                ..PayloadAttributes::default()
            };
            let candidates: Vec<Recovered<Transaction>> = mix.transactions(size.transactions);
            let built = chain.build(head.hash, &attributes, candidates)?;
            chain.set_head(built.block.layer.block().hash)?;
            blocks.push(Block { header: built.block.header.clone(), body: built.block.body.clone() });
            progress(index + 1);
        }
        Ok(Self { spec, genesis, blocks })
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
    let record = AccountRecord { nonce: 1, balance: U256::from(index + 1), code_hash: alloy_primitives::KECCAK256_EMPTY };
    let address = Address::from_word(keccak256([&index.to_be_bytes()[..], b"bystander"].concat()));
    AccountChange { address, present: Some(record), storage_wiped: false }
}

fn genesis(spec: &ChainSpec, state: BlockChange) -> Genesis {
    let mut slots = alloy_primitives::map::AddressMap::<Vec<(U256, U256)>>::default();
    for slot in &state.slots {
        slots.entry(slot.address).or_default().push((slot.slot, slot.present));
    }
    let accounts = state.accounts.iter().filter_map(|account| {
        let slots = slots.get(&account.address).cloned().unwrap_or_default();
        Some((account.address, account.present?, slots))
    });
    let header = Header {
        state_root: state_root(accounts),
        gas_limit: 400_000_000,
        timestamp: crate::workload::TIMESTAMP,
        base_fee_per_gas: Some(1_000_000_000),
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    };
    Genesis { chain_id: spec.chain_id(), header, body: Body::default(), state }
}
