//! Schedules from a geth-style genesis.
//!
//! As in geth: a missing fork never happens, a missing Petersburg comes with Constantinople, the DAO moves ether only with
//! `daoForkSupport`, and a chain with a `terminalTotalDifficulty` merges when a header has difficulty zero.
//!
//! Not as in geth: Petersburg always comes with Constantinople, so where a genesis puts it later, storage is priced by the
//! rules from before EIP-1283 in between. A block for which that makes a difference does not use the gas its header states,
//! and is refused.

use super::{BlobFork, ChainSpec, ChainSpecError, Merge, networks::default_blob_params};
use alloy_eips::{eip7594::MAX_BLOBS_PER_TX_FUSAKA, eip7840, eip7840::BlobParams};
use alloy_genesis::{ChainConfig, Genesis};
use alloy_hardforks::{EthereumHardfork, ForkCondition};
use alloy_primitives::U256;

impl ChainSpec {
    /// Schedule of a genesis file (JSON with `config` and `alloc`).
    pub fn from_genesis_json(json: &str) -> Result<Self, ChainSpecError> {
        let genesis = serde_json::from_str::<Genesis>(json).map_err(|error| ChainSpecError::Json(error.to_string()))?;
        Self::from_genesis(&genesis)
    }

    /// Schedule of a genesis.
    pub fn from_genesis(genesis: &Genesis) -> Result<Self, ChainSpecError> {
        Self::from_config(&genesis.config)
    }

    /// Schedule of the `config` object of a genesis.
    pub fn from_config(config: &ChainConfig) -> Result<Self, ChainSpecError> {
        let forks = schedule(config)?;
        let has_timestamp_fork = forks.iter().any(|(_, condition)| condition.is_timestamp());
        let merge = match config.terminal_total_difficulty {
            Some(total) => Merge::AtDifficulty(total),
            // Forks by timestamp exist only after the merge, so such a chain never had proof of work.
            None if has_timestamp_fork || config.terminal_total_difficulty_passed => Merge::AtDifficulty(U256::ZERO),
            None => Merge::Never,
        };
        let blob_forks = blob_forks(config, &forks)?;
        Ok(Self {
            name: format!("chain {}", config.chain_id),
            chain_id: config.chain_id,
            forks,
            merge,
            blob_forks,
            deposit_contract: config.deposit_contract_address,
            more_id_blocks: [config.merge_netsplit_block, config.petersburg_block].into_iter().flatten().collect(),
            transactions_only: false,
            contract_senders: false,
        })
    }
}

/// The forks that ever happen, sorted, without Paris.
fn schedule(config: &ChainConfig) -> Result<Vec<(EthereumHardfork, ForkCondition)>, ChainSpecError> {
    use EthereumHardfork as Fork;
    let petersburg = match (config.constantinople_block, config.petersburg_block) {
        (Some(constantinople), Some(petersburg)) => Some(constantinople.min(petersburg)),
        (constantinople, petersburg) => constantinople.or(petersburg),
    };
    let by_block = [
        (Fork::Frontier, Some(0)),
        (Fork::Homestead, config.homestead_block),
        (Fork::Dao, config.dao_fork_block.filter(|_| config.dao_fork_support)),
        (Fork::Tangerine, config.eip150_block),
        (Fork::SpuriousDragon, config.eip158_block.or(config.eip155_block)),
        (Fork::Byzantium, config.byzantium_block),
        (Fork::Constantinople, config.constantinople_block.or(petersburg)),
        (Fork::Petersburg, petersburg),
        (Fork::Istanbul, config.istanbul_block),
        (Fork::MuirGlacier, config.muir_glacier_block),
        (Fork::Berlin, config.berlin_block),
        (Fork::London, config.london_block),
        (Fork::ArrowGlacier, config.arrow_glacier_block),
        (Fork::GrayGlacier, config.gray_glacier_block),
    ];
    let by_time = [
        (Fork::Shanghai, config.shanghai_time),
        (Fork::Cancun, config.cancun_time),
        (Fork::Prague, config.prague_time),
        (Fork::Osaka, config.osaka_time),
        (Fork::Bpo1, config.bpo1_time),
        (Fork::Bpo2, config.bpo2_time),
        (Fork::Bpo3, config.bpo3_time),
        (Fork::Bpo4, config.bpo4_time),
        (Fork::Bpo5, config.bpo5_time),
        (Fork::Amsterdam, config.amsterdam_time),
    ];
    let mut forks = Vec::with_capacity(by_block.len() + by_time.len());
    forks.extend(ordered(&by_block)?.map(|(fork, number)| (fork, ForkCondition::Block(number))));
    forks.extend(ordered(&by_time)?.map(|(fork, time)| (fork, ForkCondition::Timestamp(time))));
    Ok(forks)
}

/// The forks of `schedule` that happen, refused unless each starts no earlier than the ones before it.
fn ordered(
    schedule: &[(EthereumHardfork, Option<u64>)],
) -> Result<impl Iterator<Item = (EthereumHardfork, u64)> + '_, ChainSpecError> {
    let active = || {
        let is_side_fork = |fork| fork == EthereumHardfork::Dao || EthereumHardfork::bpo_variants().contains(&fork);
        schedule
            .iter()
            .filter(move |(fork, _)| !is_side_fork(*fork))
            .filter_map(|(fork, start)| Some((*fork, (*start)?)))
    };
    for ((earlier, first), (later, second)) in active().zip(active().skip(1)) {
        if second < first {
            return Err(ChainSpecError::ForkOrder { earlier, later });
        }
    }
    Ok(schedule.iter().filter_map(|(fork, start)| Some((*fork, (*start)?))))
}

fn blob_forks(
    config: &ChainConfig,
    forks: &[(EthereumHardfork, ForkCondition)],
) -> Result<Vec<BlobFork>, ChainSpecError> {
    let mut blob_forks = Vec::new();
    for &(fork, condition) in forks.iter().filter(|(fork, _)| *fork >= EthereumHardfork::Cancun) {
        let Some(activation) = condition.as_timestamp() else { continue };
        let scheduled = config.blob_schedule.iter().find(|(key, _)| key.eq_ignore_ascii_case(fork.name()));
        let params = match scheduled {
            Some((_, params)) => Some(checked(fork, params)?),
            None => default_blob_params(fork),
        };
        match params {
            Some(params) => blob_forks.push(BlobFork { fork, activation, params }),
            None if EthereumHardfork::bpo_variants().contains(&fork) => {
                return Err(ChainSpecError::MissingBlobParams(fork));
            }
            None => {}
        }
    }
    Ok(blob_forks)
}

/// Parameters as the genesis states them, completed by the limits that forks bring (EIP-7594, EIP-7918).
pub(super) fn checked(fork: EthereumHardfork, params: &BlobParams) -> Result<BlobParams, ChainSpecError> {
    let out_of_range = |field| ChainSpecError::BlobParams { fork, field };
    // Counts are multiplied by 2^17 gas per blob.
    if params.max_blob_count == 0 || params.max_blob_count > 1 << 40 {
        return Err(out_of_range("max"));
    }
    if params.target_blob_count > params.max_blob_count {
        return Err(out_of_range("target"));
    }
    if params.update_fraction == 0 {
        return Err(out_of_range("baseFeeUpdateFraction"));
    }
    Ok(if fork >= EthereumHardfork::Osaka {
        params.with_blob_base_cost(eip7840::BLOB_BASE_COST).with_max_blobs_per_tx(MAX_BLOBS_PER_TX_FUSAKA)
    } else {
        *params
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::Header;
    use alloy_evm::eth::spec::EthExecutorSpec;
    use alloy_hardforks::EthereumHardforks;
    use alloy_primitives::address;
    use revm::primitives::hardfork::SpecId;

    fn spec(config: &str) -> Result<ChainSpec, ChainSpecError> {
        ChainSpec::from_genesis_json(&format!(
            r#"{{"config": {config}, "alloc": {{}}, "difficulty": "0x1", "gasLimit": "0x1"}}"#
        ))
    }

    const ALL: &str = r#""homesteadBlock": 0, "eip150Block": 0, "eip155Block": 0, "eip158Block": 0, "byzantiumBlock": 0,
        "constantinopleBlock": 0, "petersburgBlock": 0, "istanbulBlock": 0, "berlinBlock": 0, "londonBlock": 0"#;

    #[test]
    fn proof_of_work_until_the_total_difficulty() {
        let spec = spec(&format!(
            r#"{{"chainId": 77, {ALL}, "terminalTotalDifficulty": 131072, "shanghaiTime": 10, "cancunTime": 20,
                "depositContractAddress": "0x1111111111111111111111111111111111111111"}}"#
        ))
        .unwrap();
        assert_eq!(spec.chain_id(), 77);
        assert_eq!(spec.deposit_contract_address(), Some(address!("0x1111111111111111111111111111111111111111")));
        let work = Header { number: 3, difficulty: U256::from(5), timestamp: 3, ..Default::default() };
        assert_eq!(spec.spec_id(&work), SpecId::LONDON);
        let stake = |timestamp| Header { number: 4, timestamp, ..Default::default() };
        assert_eq!(spec.spec_id(&stake(9)), SpecId::MERGE);
        assert_eq!(spec.spec_id(&stake(10)), SpecId::SHANGHAI);
        assert_eq!(spec.spec_id(&stake(20)), SpecId::CANCUN);
        assert!(!spec.at(&work).is_merged() && spec.at(&stake(9)).is_merged());
    }

    #[test]
    fn blob_schedule_with_every_blob_parameter_only_fork() {
        let spec = spec(&format!(
            r#"{{"chainId": 1, {ALL}, "terminalTotalDifficulty": 0, "shanghaiTime": 0, "cancunTime": 1, "pragueTime": 2,
                "osakaTime": 3, "bpo1Time": 4, "bpo2Time": 5, "bpo3Time": 6, "bpo4Time": 7, "bpo5Time": 8,
                "amsterdamTime": 9, "blobSchedule": {{
                "cancun": {{"target": 2, "max": 4, "baseFeeUpdateFraction": 100}},
                "prague": {{"target": 3, "max": 5, "baseFeeUpdateFraction": 101}},
                "osaka": {{"target": 4, "max": 6, "baseFeeUpdateFraction": 102}},
                "bpo1": {{"target": 5, "max": 7, "baseFeeUpdateFraction": 103}},
                "bpo2": {{"target": 6, "max": 8, "baseFeeUpdateFraction": 104}},
                "bpo3": {{"target": 7, "max": 9, "baseFeeUpdateFraction": 105}},
                "bpo4": {{"target": 8, "max": 10, "baseFeeUpdateFraction": 106}},
                "bpo5": {{"target": 9, "max": 11, "baseFeeUpdateFraction": 107}},
                "amsterdam": {{"target": 10, "max": 12, "baseFeeUpdateFraction": 108}}}}}}"#
        ))
        .unwrap();
        assert_eq!(spec.blob_params(0), None);
        for timestamp in 1..=9 {
            let params = spec.blob_params(timestamp).unwrap();
            let expected = (timestamp + 1, timestamp + 3, u128::from(timestamp) + 99);
            assert_eq!((params.target_blob_count, params.max_blob_count, params.update_fraction), expected);
            assert_eq!(params.max_blobs_per_tx, if timestamp < 3 { timestamp + 3 } else { 6 });
        }
        let amsterdam = Header { timestamp: 9, ..Default::default() };
        assert_eq!(spec.spec_id(&amsterdam), SpecId::AMSTERDAM);
    }

    #[test]
    fn dao_needs_support_and_petersburg_comes_with_constantinople() {
        let with = spec(r#"{"chainId": 1, "homesteadBlock": 0, "daoForkBlock": 9, "daoForkSupport": true}"#).unwrap();
        assert_eq!(with.ethereum_fork_activation(EthereumHardfork::Dao), ForkCondition::Block(9));
        let without = spec(r#"{"chainId": 1, "homesteadBlock": 0, "daoForkBlock": 9}"#).unwrap();
        assert_eq!(without.ethereum_fork_activation(EthereumHardfork::Dao), ForkCondition::Never);
        let spec =
            spec(r#"{"chainId": 1, "homesteadBlock": 0, "byzantiumBlock": 0, "constantinopleBlock": 3}"#).unwrap();
        let header = Header { number: 3, difficulty: U256::from(1), ..Default::default() };
        assert_eq!(spec.spec_id(&header), SpecId::PETERSBURG);
        assert_eq!(spec.terminal_total_difficulty(), None);
    }

    #[test]
    fn petersburg_may_come_after_constantinople() {
        let forks = r#""homesteadBlock": 0, "byzantiumBlock": 0, "constantinopleBlock": 3, "petersburgBlock": 5"#;
        let spec = spec(&format!(r#"{{"chainId": 1, {forks}}}"#)).unwrap();
        let at = |number| spec.spec_id(&Header { number, difficulty: U256::from(1), ..Default::default() });
        assert_eq!((at(2), at(3), at(5)), (SpecId::BYZANTIUM, SpecId::PETERSBURG, SpecId::PETERSBURG));
    }

    #[test]
    fn bad_schedules_are_named() {
        assert!(matches!(ChainSpec::from_genesis_json("{"), Err(ChainSpecError::Json(_))));
        assert_eq!(
            spec(r#"{"chainId": 1, "byzantiumBlock": 9, "istanbulBlock": 3}"#),
            Err(ChainSpecError::ForkOrder { earlier: EthereumHardfork::Byzantium, later: EthereumHardfork::Istanbul })
        );
        assert_eq!(
            spec(r#"{"chainId": 1, "osakaTime": 3, "bpo3Time": 4}"#),
            Err(ChainSpecError::MissingBlobParams(EthereumHardfork::Bpo3))
        );
        assert_eq!(
            spec(
                r#"{"chainId": 1, "cancunTime": 3,
                "blobSchedule": {"cancun": {"target": 1, "max": 2, "baseFeeUpdateFraction": 0}}}"#
            ),
            Err(ChainSpecError::BlobParams { fork: EthereumHardfork::Cancun, field: "baseFeeUpdateFraction" })
        );
    }
}
