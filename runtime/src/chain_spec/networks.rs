//! The public networks.

use super::{BlobFork, ChainSpec, ChainSpecError, Merge};
use alloy_eips::{eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS, eip7840::BlobParams};
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::{Address, address};

impl ChainSpec {
    /// Ethereum mainnet.
    pub fn mainnet() -> Self {
        Self::network("mainnet", 1, &EthereumHardfork::mainnet(), MAINNET_DEPOSIT_CONTRACT_ADDRESS)
    }

    /// The Sepolia test network.
    pub fn sepolia() -> Self {
        let deposits = address!("0x7f02c3e3c98b133055b8b348b2ac625669ed295d");
        Self::network("sepolia", 11_155_111, &EthereumHardfork::sepolia(), deposits)
    }

    /// The Holesky test network.
    pub fn holesky() -> Self {
        let deposits = address!("0x4242424242424242424242424242424242424242");
        Self::network("holesky", 17_000, &EthereumHardfork::holesky(), deposits)
    }

    /// The Hoodi test network.
    pub fn hoodi() -> Self {
        Self::network("hoodi", 560_048, &EthereumHardfork::hoodi(), MAINNET_DEPOSIT_CONTRACT_ADDRESS)
    }

    /// A public network by its name, in any case.
    pub fn from_name(name: &str) -> Result<Self, ChainSpecError> {
        match name.to_ascii_lowercase().as_str() {
            "mainnet" | "ethereum" => Ok(Self::mainnet()),
            "sepolia" => Ok(Self::sepolia()),
            "holesky" => Ok(Self::holesky()),
            "hoodi" => Ok(Self::hoodi()),
            _ => Err(ChainSpecError::UnknownNetwork(name.to_owned())),
        }
    }

    /// A public network by its chain id.
    pub fn from_chain_id(chain_id: u64) -> Result<Self, ChainSpecError> {
        match chain_id {
            1 => Ok(Self::mainnet()),
            11_155_111 => Ok(Self::sepolia()),
            17_000 => Ok(Self::holesky()),
            560_048 => Ok(Self::hoodi()),
            _ => Err(ChainSpecError::UnknownChainId(chain_id)),
        }
    }

    fn network(
        name: &str,
        chain_id: u64,
        schedule: &[(EthereumHardfork, ForkCondition)],
        deposit_contract: Address,
    ) -> Self {
        let (mut merge, mut netsplit) = (Merge::Never, None);
        let mut forks = Vec::with_capacity(schedule.len());
        for &(fork, condition) in schedule {
            match condition {
                ForkCondition::TTD { activation_block_number, total_difficulty, fork_block } => {
                    netsplit = fork_block;
                    merge = Merge::AtBlock { number: activation_block_number, total_difficulty };
                }
                // The DAO moved ether on mainnet only.
                _ if fork == EthereumHardfork::Dao && chain_id != 1 => {}
                condition => forks.push((fork, condition)),
            }
        }
        forks.sort_unstable();
        let blob_forks = forks
            .iter()
            .filter_map(|&(fork, condition)| {
                Some(BlobFork { fork, activation: condition.as_timestamp()?, params: default_blob_params(fork)? })
            })
            .collect();
        let deposit_contract = Some(deposit_contract);
        Self {
            name: name.to_owned(),
            chain_id,
            forks,
            merge,
            blob_forks,
            deposit_contract,
            more_id_blocks: netsplit.into_iter().collect(),
            transactions_only: false,
            contract_senders: false,
        }
    }
}

/// Blob parameters that a fork brought to the public networks, `None` where it changed nothing.
pub(super) fn default_blob_params(fork: EthereumHardfork) -> Option<BlobParams> {
    match fork {
        EthereumHardfork::Cancun => Some(BlobParams::cancun()),
        EthereumHardfork::Prague => Some(BlobParams::prague()),
        EthereumHardfork::Osaka => Some(BlobParams::osaka()),
        EthereumHardfork::Bpo1 => Some(BlobParams::bpo1()),
        EthereumHardfork::Bpo2 => Some(BlobParams::bpo2()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::Header;
    use alloy_evm::eth::spec::EthExecutorSpec;
    use alloy_hardforks::EthereumHardforks;
    use alloy_primitives::{B256, U256};
    use revm::primitives::hardfork::SpecId;

    fn header(number: u64, timestamp: u64) -> Header {
        Header { number, timestamp, mix_hash: B256::repeat_byte(7), ..Default::default() }
    }

    #[test]
    fn mainnet_rules_by_block() {
        let spec = ChainSpec::mainnet();
        for (number, timestamp, expected) in [
            (0, 0, SpecId::FRONTIER),
            (1_149_999, 0, SpecId::FRONTIER),
            (1_150_000, 0, SpecId::HOMESTEAD),
            (1_920_000, 0, SpecId::HOMESTEAD),
            (2_463_000, 0, SpecId::TANGERINE),
            (2_675_000, 0, SpecId::SPURIOUS_DRAGON),
            (4_370_000, 0, SpecId::BYZANTIUM),
            (7_280_000, 0, SpecId::PETERSBURG),
            (9_069_000, 0, SpecId::ISTANBUL),
            (12_244_000, 0, SpecId::BERLIN),
            (12_965_000, 0, SpecId::LONDON),
            (15_537_393, 1_663_224_162, SpecId::LONDON),
            (15_537_394, 1_663_224_179, SpecId::MERGE),
            (17_034_870, 1_681_338_455, SpecId::SHANGHAI),
            (19_426_587, 1_710_338_135, SpecId::CANCUN),
            (22_431_084, 1_746_612_311, SpecId::PRAGUE),
            (23_935_694, 1_764_798_551, SpecId::OSAKA),
        ] {
            assert_eq!(spec.spec_id(&header(number, timestamp)), expected, "block {number}");
        }
    }

    #[test]
    fn merge_decides_difficulty_or_randomness() {
        let spec = ChainSpec::mainnet();
        let before = spec.evm_env(&Header { difficulty: U256::from(9), ..header(15_537_393, 1_663_224_162) });
        assert_eq!((before.block_env.difficulty, before.block_env.prevrandao), (U256::from(9), None));
        let after = spec.evm_env(&header(15_537_394, 1_663_224_179));
        assert_eq!((after.block_env.difficulty, after.block_env.prevrandao), (U256::ZERO, Some(B256::repeat_byte(7))));
    }

    #[test]
    fn blob_parameters_follow_the_schedule() {
        let spec = ChainSpec::mainnet();
        let counts = |timestamp| spec.blob_params(timestamp).map(|p| (p.target_blob_count, p.max_blob_count));
        assert_eq!(counts(1_710_338_134), None);
        assert_eq!(counts(1_710_338_135), Some((3, 6)));
        assert_eq!(counts(1_746_612_311), Some((6, 9)));
        assert_eq!(counts(1_764_798_551), Some((6, 9)));
        assert_eq!(counts(1_765_290_071), Some((10, 15)));
        assert_eq!(counts(1_767_747_671), Some((14, 21)));
        let osaka = spec.evm_env(&Header { excess_blob_gas: Some(0), ..header(23_935_694, 1_764_798_551) });
        assert_eq!(osaka.cfg_env.max_blobs_per_tx, Some(6));
        assert_eq!(osaka.cfg_env.tx_gas_limit_cap, Some(1 << 24));
        assert_eq!(osaka.block_env.blob_excess_gas_and_price.map(|b| b.blob_gasprice), Some(1));
    }

    #[test]
    fn every_network_by_name_and_id() {
        for (name, id) in [("mainnet", 1), ("Sepolia", 11_155_111), ("holesky", 17_000), ("hoodi", 560_048)] {
            let by_name = ChainSpec::from_name(name).unwrap();
            assert_eq!(by_name, ChainSpec::from_chain_id(id).unwrap());
            assert_eq!(by_name.chain_id(), id);
            assert!(by_name.deposit_contract_address().is_some());
            let dao = by_name.ethereum_fork_activation(EthereumHardfork::Dao);
            assert_eq!(dao.block_number(), (id == 1).then_some(1_920_000), "{name}");
        }
        assert_eq!(ChainSpec::from_name("ropsten"), Err(ChainSpecError::UnknownNetwork("ropsten".into())));
        assert_eq!(ChainSpec::from_chain_id(3), Err(ChainSpecError::UnknownChainId(3)));
    }
}
