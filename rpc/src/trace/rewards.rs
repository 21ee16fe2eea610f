//! Rewards of blocks of proof of work, as traces.

use alloy_eips::BlockNumHash;
use alloy_evm::block::calc;
use alloy_primitives::{Address, U256};
use alloy_rpc_types_trace::parity::{LocalizedTransactionTrace, RewardAction, RewardType};
use braid_chain::ChainBlock;
use braid_runtime::ChainSpec;

/// The rewards of a block: first that of the block itself, then those of its ommers. None since proof of stake, and none for the genesis.
pub(super) fn of_block(spec: &ChainSpec, block: &ChainBlock) -> Vec<LocalizedTransactionTrace> {
    let header = block.header();
    let Some(base) = calc::base_block_reward(spec.at(header), header.number).filter(|_| header.number > 0) else {
        return Vec::new();
    };
    let ommers = &block.body().ommers;
    let place = BlockNumHash { number: header.number, hash: block.hash() };
    let reward = |author: Address, reward_type, value: u128| {
        RewardAction { author, reward_type, value: U256::from(value) }.into_localized_trace(place)
    };
    let mut rewards = vec![reward(header.beneficiary, RewardType::Block, calc::block_reward(base, ommers.len()))];
    rewards.extend(ommers.iter().map(|ommer| {
        reward(ommer.beneficiary, RewardType::Uncle, calc::ommer_reward(base, header.number, ommer.number))
    }));
    rewards
}
