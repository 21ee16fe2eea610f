//! Fork names of the Ethereum conformance suites: `Frontier`, `ConstantinopleFix`, `CancunToPragueAtTime15k`, …

use super::{BlobFork, ChainSpec, ChainSpecError, Merge, networks::default_blob_params};
use alloy_eips::eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS;
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::U256;

/// Where the second fork of a transition starts.
#[derive(Clone, Copy)]
enum Start {
    Block(u64),
    Time(u64),
    Difficulty(U256),
}

impl ChainSpec {
    /// Schedule of a fork of the conformance suites, with chain id 1.
    ///
    /// Either one fork that is active from genesis on, or a transition `XToYAt5` (block), `XToYAtTime15k` (timestamp, `k`
    /// for thousands) or `XToYAtDiffC0000` (total difficulty, hexadecimal). `BPO3` to `BPO5` have no blob parameters of their
    /// own on any network; state them with [`ChainSpec::with_blob_params`].
    pub fn from_suite_fork(name: &str) -> Result<Self, ChainSpecError> {
        let unknown = || ChainSpecError::UnknownFork(name.to_owned());
        let Some((first, rest)) = name.split_once("To") else {
            return Ok(Self::suite(name, fork(name)?, None));
        };
        let (second, start) = rest.split_once("At").ok_or_else(unknown)?;
        let start = if let Some(time) = start.strip_prefix("Time") {
            let (digits, scale) = time.strip_suffix('k').map_or((time, 1), |digits| (digits, 1000));
            let time = digits.parse::<u64>().ok().and_then(|time| time.checked_mul(scale));
            Start::Time(time.ok_or_else(unknown)?)
        } else if let Some(difficulty) = start.strip_prefix("Diff") {
            Start::Difficulty(U256::from_str_radix(difficulty, 16).map_err(|_| unknown())?)
        } else {
            Start::Block(start.parse().map_err(|_| unknown())?)
        };
        Ok(Self::suite(name, fork(first)?, Some((fork(second)?, start))))
    }

    fn suite(name: &str, base: EthereumHardfork, transition: Option<(EthereumHardfork, Start)>) -> Self {
        let last = transition.map_or(base, |(second, _)| second);
        let mut merge = Merge::Never;
        let mut forks = Vec::new();
        let mut blob_forks = Vec::new();
        for &fork in EthereumHardfork::VARIANTS.iter().filter(|fork| **fork <= last) {
            // The irregular state change of the DAO is tested by its transition only.
            if fork == EthereumHardfork::Dao && last != fork {
                continue;
            }
            let start = transition.filter(|_| fork > base).map(|(_, start)| start);
            if fork == EthereumHardfork::Paris {
                merge = match start {
                    Some(Start::Difficulty(total)) => Merge::AtDifficulty(total),
                    Some(Start::Block(number)) => Merge::AtBlock { number, total_difficulty: U256::ZERO },
                    _ => Merge::AtBlock { number: 0, total_difficulty: U256::ZERO },
                };
                continue;
            }
            let condition = match start {
                Some(Start::Block(number)) if fork < EthereumHardfork::Paris => ForkCondition::Block(number),
                Some(Start::Time(time)) if fork > EthereumHardfork::Paris => ForkCondition::Timestamp(time),
                _ if fork < EthereumHardfork::Paris => ForkCondition::ZERO_BLOCK,
                _ => ForkCondition::ZERO_TIMESTAMP,
            };
            if let (Some(activation), Some(params)) = (condition.as_timestamp(), default_blob_params(fork)) {
                blob_forks.push(BlobFork { fork, activation, params });
            }
            forks.push((fork, condition));
        }
        let deposit_contract = Some(MAINNET_DEPOSIT_CONTRACT_ADDRESS);
        let name = name.to_owned();
        Self {
            name,
            chain_id: 1,
            forks,
            merge,
            blob_forks,
            deposit_contract,
            more_id_blocks: Vec::new(),
            transactions_only: false,
            contract_senders: false,
        }
    }
}

fn fork(name: &str) -> Result<EthereumHardfork, ChainSpecError> {
    Ok(match name {
        "Frontier" => EthereumHardfork::Frontier,
        "Homestead" => EthereumHardfork::Homestead,
        "Dao" => EthereumHardfork::Dao,
        "EIP150" | "TangerineWhistle" => EthereumHardfork::Tangerine,
        "EIP158" | "SpuriousDragon" => EthereumHardfork::SpuriousDragon,
        "Byzantium" => EthereumHardfork::Byzantium,
        "Constantinople" => return Err(ChainSpecError::ConstantinopleWithoutPetersburg),
        "ConstantinopleFix" | "Petersburg" => EthereumHardfork::Petersburg,
        "Istanbul" => EthereumHardfork::Istanbul,
        "MuirGlacier" => EthereumHardfork::MuirGlacier,
        "Berlin" => EthereumHardfork::Berlin,
        "London" => EthereumHardfork::London,
        "ArrowGlacier" => EthereumHardfork::ArrowGlacier,
        "GrayGlacier" => EthereumHardfork::GrayGlacier,
        "Merge" | "Paris" => EthereumHardfork::Paris,
        "Shanghai" => EthereumHardfork::Shanghai,
        "Cancun" => EthereumHardfork::Cancun,
        "Prague" => EthereumHardfork::Prague,
        "Osaka" => EthereumHardfork::Osaka,
        "BPO1" => EthereumHardfork::Bpo1,
        "BPO2" => EthereumHardfork::Bpo2,
        "BPO3" => EthereumHardfork::Bpo3,
        "BPO4" => EthereumHardfork::Bpo4,
        "BPO5" => EthereumHardfork::Bpo5,
        "Amsterdam" => EthereumHardfork::Amsterdam,
        _ => return Err(ChainSpecError::UnknownFork(name.to_owned())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::Header;
    use revm::primitives::hardfork::SpecId;

    fn at(spec: &ChainSpec, number: u64, timestamp: u64, difficulty: u64) -> SpecId {
        spec.spec_id(&Header { number, timestamp, difficulty: U256::from(difficulty), ..Default::default() })
    }

    #[test]
    fn forks_from_genesis_on() {
        for (name, expected) in [
            ("Frontier", SpecId::FRONTIER),
            ("Homestead", SpecId::HOMESTEAD),
            ("EIP150", SpecId::TANGERINE),
            ("EIP158", SpecId::SPURIOUS_DRAGON),
            ("Byzantium", SpecId::BYZANTIUM),
            ("ConstantinopleFix", SpecId::PETERSBURG),
            ("Istanbul", SpecId::ISTANBUL),
            ("Berlin", SpecId::BERLIN),
            ("London", SpecId::LONDON),
            ("Paris", SpecId::MERGE),
            ("Merge", SpecId::MERGE),
            ("Shanghai", SpecId::SHANGHAI),
            ("Cancun", SpecId::CANCUN),
            ("Prague", SpecId::PRAGUE),
            ("Osaka", SpecId::OSAKA),
            ("BPO1", SpecId::OSAKA),
            ("Amsterdam", SpecId::AMSTERDAM),
        ] {
            assert_eq!(at(&ChainSpec::from_suite_fork(name).unwrap(), 1, 1000, 0), expected, "{name}");
        }
    }

    #[test]
    fn transitions() {
        let by_time = ChainSpec::from_suite_fork("CancunToPragueAtTime15k").unwrap();
        assert_eq!(at(&by_time, 1, 14_999, 0), SpecId::CANCUN);
        assert_eq!(at(&by_time, 1, 15_000, 0), SpecId::PRAGUE);
        assert_eq!(by_time.blob_params(14_999).map(|params| params.max_blob_count), Some(6));
        assert_eq!(by_time.blob_params(15_000).map(|params| params.max_blob_count), Some(9));

        let blobs_only = ChainSpec::from_suite_fork("OsakaToBPO1AtTime15k").unwrap();
        assert_eq!(blobs_only.blob_params(14_999).map(|params| params.max_blob_count), Some(9));
        assert_eq!(blobs_only.blob_params(15_000).map(|params| params.max_blob_count), Some(15));

        let by_block = ChainSpec::from_suite_fork("ByzantiumToConstantinopleFixAt5").unwrap();
        assert_eq!(at(&by_block, 4, 0, 1), SpecId::BYZANTIUM);
        assert_eq!(at(&by_block, 5, 0, 1), SpecId::PETERSBURG);

        let by_difficulty = ChainSpec::from_suite_fork("ArrowGlacierToParisAtDiffC0000").unwrap();
        assert_eq!(by_difficulty.terminal_total_difficulty(), Some(U256::from(0xC0000)));
        assert_eq!(at(&by_difficulty, 7, 0, 131_072), SpecId::LONDON);
        assert_eq!(at(&by_difficulty, 7, 0, 0), SpecId::MERGE);
    }

    #[test]
    fn the_dao_moves_ether_only_in_its_own_transition() {
        use alloy_hardforks::EthereumHardforks;
        let dao = |name| {
            let spec = ChainSpec::from_suite_fork(name).unwrap();
            spec.ethereum_fork_activation(EthereumHardfork::Dao)
        };
        assert_eq!(dao("HomesteadToDaoAt5"), ForkCondition::Block(5));
        assert_eq!(dao("HomesteadToEIP150At5"), ForkCondition::Never);
        assert_eq!(dao("Byzantium"), ForkCondition::Never);
    }

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "Atlantis", "CancunToPrague", "CancunToPragueAtTimek", "ParisToAtlantisAtTime15k"] {
            assert!(matches!(ChainSpec::from_suite_fork(name), Err(ChainSpecError::UnknownFork(_))), "{name}");
        }
        let error = ChainSpec::from_suite_fork("Constantinople");
        assert_eq!(error, Err(ChainSpecError::ConstantinopleWithoutPetersburg));
    }
}
