//! What a parent determines of the next block: needed to check one and to make one.

use alloy_consensus::Header;
use alloy_eips::{
    eip1559::{BaseFeeParams, INITIAL_BASE_FEE},
    eip7840::BlobParams,
};
use alloy_hardforks::EthereumHardforks;
use braid_runtime::ChainSpec;
use std::ops::RangeInclusive;

const MIN_GAS_LIMIT: u64 = 5000;
/// Nodes count gas in signed numbers.
const MAX_GAS_LIMIT: u64 = i64::MAX as u64;
/// The gas limit changes by less than this part of the parent's.
const GAS_LIMIT_BOUND: u64 = 1024;
/// London doubles the gas limit, so that the target stays (EIP-1559).
const ELASTICITY: u64 = 2;

/// Whether the block after `parent` is the first one of London.
fn begins_london(parent: &Header, spec: &ChainSpec) -> bool {
    spec.is_london_active_at_block(parent.number.saturating_add(1)) && !spec.is_london_active_at_block(parent.number)
}

/// The gas limit from which that of the next block may differ a little: the parent's, doubled in the first block of London.
pub(crate) fn parent_gas_limit(parent: &Header, spec: &ChainSpec) -> u64 {
    parent.gas_limit.saturating_mul(if begins_london(parent, spec) { ELASTICITY } else { 1 })
}

/// The gas limits that may follow [`parent_gas_limit`]; none if that is itself too small.
pub(crate) fn gas_limits(parent_limit: u64) -> RangeInclusive<u64> {
    let step = (parent_limit / GAS_LIMIT_BOUND).saturating_sub(1);
    let least = parent_limit.saturating_sub(step).max(MIN_GAS_LIMIT);
    least..=parent_limit.saturating_add(step).min(MAX_GAS_LIMIT)
}

/// Base fee of the block after `parent`, in wei; `None` before London (EIP-1559).
pub fn next_base_fee(parent: &Header, spec: &ChainSpec) -> Option<u64> {
    if begins_london(parent, spec) {
        return Some(INITIAL_BASE_FEE);
    }
    parent.next_block_base_fee(BaseFeeParams::ethereum())
}

/// Excess blob gas of a block with these parameters after `parent` (EIP-4844, EIP-7918).
pub fn next_excess_blob_gas(parent: &Header, params: BlobParams) -> u64 {
    params.next_block_excess_blob_gas_osaka(
        parent.excess_blob_gas.unwrap_or_default(),
        parent.blob_gas_used.unwrap_or_default(),
        parent.base_fee_per_gas.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::gas_limits;

    #[test]
    fn the_gas_limit_moves_by_less_than_a_1024th() {
        assert_eq!(gas_limits(30_000_000), 29_970_705..=30_029_295);
        assert_eq!(gas_limits(5_000), 5_000..=5_003);
        assert!(gas_limits(4_990).is_empty() && gas_limits(0).is_empty());
        assert_eq!(*gas_limits(u64::MAX).end(), i64::MAX as u64);
    }
}
