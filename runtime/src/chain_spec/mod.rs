//! Fork schedule of a chain: which rules hold in which block.
//!
//! [`ChainSpec`] holds the schedule. It is made from the name or id of a public network (`networks`), from a geth-style
//! genesis (`genesis`) or from a fork name of the Ethereum conformance suites (`suite`). [`ChainSpec::at`] turns it into
//! [`BlockRules`], the schedule as one given block sees it: only there the merge is decided, because on chains that
//! merged at a total difficulty it is the header that tells.

mod block_rules;
mod genesis;
mod networks;
mod suite;

pub use block_rules::BlockRules;

use alloy_consensus::Header;
use alloy_eips::eip7840::BlobParams;
use alloy_evm::{EvmEnv, eth::spec::EthExecutorSpec};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{Address, U256};
use revm::primitives::hardfork::SpecId;

/// Why no fork schedule could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainSpecError {
    /// No network of this name is known.
    #[error("unknown network \"{0}\" (known: mainnet, sepolia, holesky, hoodi)")]
    UnknownNetwork(String),
    /// No network of this chain id is known.
    #[error("unknown chain id {0} (known: 1 mainnet, 11155111 sepolia, 17000 holesky, 560048 hoodi)")]
    UnknownChainId(u64),
    /// No fork of this name is known.
    #[error("unknown fork \"{0}\"")]
    UnknownFork(String),
    /// Constantinople without Petersburg: EIP-1283 gas metering, which no public network ever ran for long.
    #[error("Constantinople without Petersburg (EIP-1283) is not supported")]
    ConstantinopleWithoutPetersburg,
    /// A later fork activates before an earlier one.
    #[error("fork {later} activates before {earlier}")]
    ForkOrder {
        /// The fork that comes first in the history of Ethereum.
        earlier: EthereumHardfork,
        /// The fork that must not activate before it.
        later: EthereumHardfork,
    },
    /// A blob-parameter-only fork is scheduled, but the blob schedule does not tell its parameters (EIP-7892).
    #[error("fork {0} is scheduled without blob parameters")]
    MissingBlobParams(EthereumHardfork),
    /// Blob parameters that make the blob base fee undefined (EIP-7840).
    #[error("blob parameters of {fork}: {field} is out of range")]
    BlobParams {
        /// Fork that the parameters belong to.
        fork: EthereumHardfork,
        /// JSON name of the field.
        field: &'static str,
    },
    /// The genesis file is not valid JSON, or not a genesis.
    #[error("genesis cannot be read: {0}")]
    Json(String),
}

/// When proof of work ended (EIP-3675).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    /// Proof of work never ends.
    Never,
    /// The first block of proof of stake is known.
    AtBlock {
        /// Number of that block.
        number: u64,
        /// Total difficulty at which proof of work ended.
        total_difficulty: U256,
    },
    /// Only the total difficulty is known: a header of difficulty zero is one of proof of stake.
    AtDifficulty(U256),
}

/// Parameters of blobs from some fork on (EIP-7840, EIP-7892).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlobFork {
    pub(crate) fork: EthereumHardfork,
    pub(crate) activation: u64,
    pub(crate) params: BlobParams,
}

/// Fork schedule of a chain.
///
/// As an [`EthereumHardforks`] it knows the merge only by block number. Where a chain merged at a total difficulty whose
/// block is not known, only [`ChainSpec::at`] tells whether a block is before or after the merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    name: String,
    chain_id: u64,
    /// Sorted by fork, without Paris.
    forks: Vec<(EthereumHardfork, ForkCondition)>,
    merge: Merge,
    /// In the order of the forks.
    blob_forks: Vec<BlobFork>,
    deposit_contract: Option<Address>,
    /// See [`ChainSpec::more_id_blocks`].
    more_id_blocks: Vec<u64>,
    /// See [`ChainSpec::with_transactions_only`].
    transactions_only: bool,
    /// See [`ChainSpec::with_contract_senders`].
    contract_senders: bool,
}

impl ChainSpec {
    /// Name for people: the network, the fork of a suite, or `chain N`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Chain id (EIP-155).
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The schedule as the block of this header sees it.
    pub fn at(&self, header: &Header) -> BlockRules<'_> {
        let merged = match self.merge {
            Merge::Never => false,
            Merge::AtBlock { number, .. } => header.number >= number,
            Merge::AtDifficulty(total) => total.is_zero() || header.difficulty.is_zero(),
        };
        BlockRules::new(self, merged)
    }

    /// Rules of the EVM in the block of this header.
    pub fn spec_id(&self, header: &Header) -> SpecId {
        alloy_evm::spec(&self.at(header), header)
    }

    /// Environment of the EVM in the block of this header: block fields, limits, blob base fee.
    pub fn evm_env(&self, header: &Header) -> EvmEnv {
        let mut environment =
            EvmEnv::for_eth_block(header, self.at(header), self.chain_id, self.blob_params(header.timestamp));
        environment.cfg_env.disable_eip3607 = self.contract_senders;
        environment
    }

    /// Blob parameters at a timestamp (seconds), `None` before Cancun.
    pub fn blob_params(&self, timestamp: u64) -> Option<BlobParams> {
        self.blob_forks.iter().rev().find(|fork| fork.activation <= timestamp).map(|fork| fork.params)
    }

    /// The same schedule with other blob parameters from a fork on, as the conformance suites state them. Nothing changes if
    /// the fork never starts.
    pub fn with_blob_params(mut self, fork: EthereumHardfork, params: BlobParams) -> Result<Self, ChainSpecError> {
        let params = genesis::checked(fork, &params)?;
        if let Some(activation) = self.ethereum_fork_activation(fork).as_timestamp() {
            self.blob_forks.retain(|known| known.fork != fork);
            self.blob_forks.push(BlobFork { fork, activation, params });
            self.blob_forks.sort_unstable_by_key(|known| known.fork);
        }
        Ok(self)
    }

    /// The same schedule, but blocks do nothing beside executing their transactions: no system calls, no requests, no rewards, no withdrawals and
    /// no ether moved out of the DAO. That is how the state tests of the conformance suites look at a transaction.
    pub const fn with_transactions_only(mut self) -> Self {
        self.transactions_only = true;
        self
    }

    /// The same schedule, but accounts with code may send transactions, against EIP-3607. Only development chains, on which anybody can be
    /// impersonated, have that.
    pub const fn with_contract_senders(mut self) -> Self {
        self.contract_senders = true;
        self
    }

    /// Whether accounts with code may send transactions.
    pub const fn has_contract_senders(&self) -> bool {
        self.contract_senders
    }

    /// Whether blocks do nothing beside executing their transactions.
    pub const fn has_transactions_only(&self) -> bool {
        self.transactions_only
    }

    /// Numbers of blocks that the fork id counts (EIP-2124) although the schedule may not have them: the one that parted from those who did not follow the
    /// merge, and Petersburg where it came after Constantinople.
    pub fn more_id_blocks(&self) -> &[u64] {
        &self.more_id_blocks
    }

    /// Total difficulty (sum of the difficulties from genesis on) at which proof of work ends, if the chain has one.
    pub const fn terminal_total_difficulty(&self) -> Option<U256> {
        match self.merge {
            Merge::Never => None,
            Merge::AtBlock { total_difficulty, .. } | Merge::AtDifficulty(total_difficulty) => Some(total_difficulty),
        }
    }
}

impl EthereumHardforks for ChainSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        if fork == EthereumHardfork::Paris {
            return match self.merge {
                Merge::Never => ForkCondition::Never,
                Merge::AtBlock { number, total_difficulty } => {
                    ForkCondition::TTD { activation_block_number: number, fork_block: None, total_difficulty }
                }
                Merge::AtDifficulty(total_difficulty) => {
                    let activation_block_number = if total_difficulty.is_zero() { 0 } else { u64::MAX };
                    ForkCondition::TTD { activation_block_number, fork_block: None, total_difficulty }
                }
            };
        }
        self.forks
            .binary_search_by_key(&fork, |(known, _)| *known)
            .map_or(ForkCondition::Never, |index| self.forks[index].1)
    }
}

impl EthExecutorSpec for ChainSpec {
    fn deposit_contract_address(&self) -> Option<Address> {
        self.deposit_contract
    }
}
