//! A header seen together with that of its parent.

use super::{
    ConsensusError,
    next_block::{gas_limits, next_base_fee, next_excess_blob_gas, parent_gas_limit},
    next_difficulty,
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::{B64, U256};
use braid_runtime::{ChainSpec, chain_spec::BlockRules};

const MAX_EXTRA_DATA: usize = 32;
const DAO_EXTRA_DATA: &[u8] = b"dao-hard-fork";
const DAO_EXTRA_DATA_BLOCKS: u64 = 10;

/// Checks everything that the header of the parent and the sum of the difficulties up to it determine. The seal of proof of
/// work is not checked.
pub fn validate_header(
    header: &Header,
    parent: &Header,
    parent_total_difficulty: U256,
    spec: &ChainSpec,
) -> Result<(), ConsensusError> {
    let rules = spec.at(header);
    if parent.number.checked_add(1) != Some(header.number) {
        return Err(ConsensusError::Number { number: header.number, parent: parent.number });
    }
    if header.timestamp <= parent.timestamp {
        return Err(ConsensusError::Timestamp { timestamp: header.timestamp, parent: parent.timestamp });
    }
    validate_extra_data(header, spec)?;
    validate_gas(header, parent, spec)?;
    validate_seal(header, parent, parent_total_difficulty, &rules)?;
    validate_fields(header, &rules)?;
    validate_blob_gas(header, parent, spec)?;
    Ok(())
}

fn validate_extra_data(header: &Header, spec: &ChainSpec) -> Result<(), ConsensusError> {
    if header.extra_data.len() > MAX_EXTRA_DATA {
        return Err(ConsensusError::ExtraData(header.extra_data.len()));
    }
    if let ForkCondition::Block(fork) = spec.ethereum_fork_activation(EthereumHardfork::Dao)
        && header.number.checked_sub(fork).is_some_and(|after| after < DAO_EXTRA_DATA_BLOCKS)
        && *header.extra_data != *DAO_EXTRA_DATA
    {
        return Err(ConsensusError::DaoExtraData);
    }
    Ok(())
}

fn validate_gas(header: &Header, parent: &Header, spec: &ChainSpec) -> Result<(), ConsensusError> {
    if header.gas_used > header.gas_limit {
        return Err(ConsensusError::GasUsed { used: header.gas_used, limit: header.gas_limit });
    }
    let is_london = spec.is_london_active_at_block(header.number);
    let (limit, parent_limit) = (header.gas_limit, parent_gas_limit(parent, spec));
    if !gas_limits(parent_limit).contains(&limit) {
        return Err(ConsensusError::GasLimit { limit, parent: parent_limit });
    }
    let Some(actual) = header.base_fee_per_gas else {
        return if is_london { Err(ConsensusError::MissingField("baseFeePerGas")) } else { Ok(()) };
    };
    if !is_london {
        return Err(ConsensusError::UnexpectedField("baseFeePerGas"));
    }
    let expected = next_base_fee(parent, spec).ok_or(ConsensusError::MissingField("baseFeePerGas of the parent"))?;
    if actual != expected {
        return Err(ConsensusError::BaseFee { expected, actual });
    }
    Ok(())
}

/// Difficulty and nonce; whether it is time for proof of stake (EIP-3675).
fn validate_seal(
    header: &Header,
    parent: &Header,
    parent_total_difficulty: U256,
    rules: &BlockRules<'_>,
) -> Result<(), ConsensusError> {
    let spec = rules.spec();
    // Where the first block of proof of stake is not known by its number, the header itself claims what it is.
    if let ForkCondition::TTD { activation_block_number: u64::MAX, total_difficulty, .. } =
        spec.ethereum_fork_activation(EthereumHardfork::Paris)
        && (parent_total_difficulty >= total_difficulty) != rules.is_merged()
    {
        return Err(ConsensusError::Merge { total: parent_total_difficulty, terminal: total_difficulty });
    }
    let expected = if rules.is_merged() { U256::ZERO } else { next_difficulty(parent, header.timestamp, spec) };
    if header.difficulty != expected {
        return Err(ConsensusError::Difficulty { expected, actual: header.difficulty });
    }
    if rules.is_merged() {
        if header.nonce != B64::ZERO {
            return Err(ConsensusError::Nonce);
        }
        if header.ommers_hash != EMPTY_OMMER_ROOT_HASH {
            return Err(ConsensusError::UnexpectedField("ommers"));
        }
    }
    Ok(())
}

/// Fields that came with forks are there from then on, and not before.
fn validate_fields(header: &Header, rules: &BlockRules<'_>) -> Result<(), ConsensusError> {
    let timestamp = header.timestamp;
    let shanghai = rules.is_shanghai_active_at_timestamp(timestamp);
    let cancun = rules.is_cancun_active_at_timestamp(timestamp);
    let prague = rules.is_prague_active_at_timestamp(timestamp);
    let amsterdam = rules.is_amsterdam_active_at_timestamp(timestamp);
    for (name, is_there, is_known) in [
        ("withdrawalsRoot", header.withdrawals_root.is_some(), shanghai),
        ("blobGasUsed", header.blob_gas_used.is_some(), cancun),
        ("excessBlobGas", header.excess_blob_gas.is_some(), cancun),
        ("parentBeaconBlockRoot", header.parent_beacon_block_root.is_some(), cancun),
        ("requestsHash", header.requests_hash.is_some(), prague),
        ("blockAccessListHash", header.block_access_list_hash.is_some(), amsterdam),
        ("slotNumber", header.slot_number.is_some(), amsterdam),
    ] {
        match (is_there, is_known) {
            (false, true) => return Err(ConsensusError::MissingField(name)),
            (true, false) => return Err(ConsensusError::UnexpectedField(name)),
            _ => {}
        }
    }
    Ok(())
}

fn validate_blob_gas(header: &Header, parent: &Header, spec: &ChainSpec) -> Result<(), ConsensusError> {
    let (Some(used), Some(actual), Some(params)) =
        (header.blob_gas_used, header.excess_blob_gas, spec.blob_params(header.timestamp))
    else {
        return Ok(());
    };
    let limit = params.max_blob_gas_per_block();
    if used > limit || !used.is_multiple_of(DATA_GAS_PER_BLOB) {
        return Err(ConsensusError::BlobGasUsed { used, limit });
    }
    let expected = next_excess_blob_gas(parent, params);
    if actual != expected {
        return Err(ConsensusError::ExcessBlobGas { expected, actual });
    }
    Ok(())
}
