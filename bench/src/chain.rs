//! The fork rules a workload runs under, kept apart from the engine's own schedule so that the baselines are an
//! independent witness.

use alloy_consensus::Header;
use alloy_eips::{eip7840::BlobParams, eip7892::BlobScheduleBlobParams};
use alloy_evm::{
    EvmEnv,
    eth::spec::{EthExecutorSpec, EthSpec},
};
use alloy_hardforks::{EthereumChainHardforks, EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::Address;

/// A chain with its fork schedule.
#[derive(Clone, Debug)]
pub enum Chain {
    /// Every fork up to Prague from block 0, chain id 1: real gas rules without the 16 Mgas cap of EIP-7825.
    Prague(EthereumChainHardforks),
    /// Ethereum mainnet.
    Mainnet(EthSpec),
}

impl Chain {
    /// The chain of all generated workloads.
    pub fn prague() -> Self {
        let blocks = [
            EthereumHardfork::Frontier,
            EthereumHardfork::Homestead,
            EthereumHardfork::Tangerine,
            EthereumHardfork::SpuriousDragon,
            EthereumHardfork::Byzantium,
            EthereumHardfork::Constantinople,
            EthereumHardfork::Petersburg,
            EthereumHardfork::Istanbul,
            EthereumHardfork::Berlin,
            EthereumHardfork::London,
            EthereumHardfork::Paris,
        ];
        let times = [EthereumHardfork::Shanghai, EthereumHardfork::Cancun, EthereumHardfork::Prague];
        Self::Prague(EthereumChainHardforks::new(
            blocks
                .map(|fork| (fork, ForkCondition::Block(0)))
                .into_iter()
                .chain(times.map(|fork| (fork, ForkCondition::Timestamp(0)))),
        ))
    }

    /// Ethereum mainnet.
    pub fn mainnet() -> Self {
        Self::Mainnet(EthSpec::mainnet())
    }

    /// Chain id, the same for both.
    pub const fn chain_id(&self) -> u64 {
        1
    }

    /// The EVM environment of a block.
    pub fn evm_env(&self, header: &Header) -> EvmEnv {
        EvmEnv::for_eth_block(header, self, self.chain_id(), self.blob_params(header.timestamp))
    }

    fn blob_params(&self, timestamp: u64) -> Option<BlobParams> {
        let schedule = BlobScheduleBlobParams::mainnet();
        if let Self::Mainnet(_) = self
            && let Some(scheduled) = schedule.active_scheduled_params_at_timestamp(timestamp)
        {
            return Some(*scheduled);
        }
        if self.is_osaka_active_at_timestamp(timestamp) {
            Some(*schedule.osaka())
        } else if self.is_prague_active_at_timestamp(timestamp) {
            Some(*schedule.prague())
        } else if self.is_cancun_active_at_timestamp(timestamp) {
            Some(*schedule.cancun())
        } else {
            None
        }
    }
}

impl EthereumHardforks for Chain {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match self {
            Self::Prague(forks) => forks.ethereum_fork_activation(fork),
            Self::Mainnet(spec) => spec.ethereum_fork_activation(fork),
        }
    }
}

impl EthExecutorSpec for Chain {
    fn deposit_contract_address(&self) -> Option<Address> {
        match self {
            Self::Prague(_) => None,
            Self::Mainnet(spec) => spec.deposit_contract_address(),
        }
    }
}
