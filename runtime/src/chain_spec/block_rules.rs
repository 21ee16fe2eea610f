//! The fork schedule as one block sees it.

use super::ChainSpec;
use alloy_evm::eth::spec::EthExecutorSpec;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_primitives::Address;

/// A [`ChainSpec`] together with the verdict on whether the block at hand is before or after the merge.
#[derive(Clone, Copy, Debug)]
pub struct BlockRules<'a> {
    spec: &'a ChainSpec,
    merged: bool,
}

impl<'a> BlockRules<'a> {
    pub(super) const fn new(spec: &'a ChainSpec, merged: bool) -> Self {
        Self { spec, merged }
    }

    /// Whether the block is one of proof of stake: no difficulty, no ommers, no block reward.
    pub const fn is_merged(&self) -> bool {
        self.merged
    }

    /// Whether ether is moved out of the DAO before the first transaction of block `number` (EIP-779).
    ///
    /// As an [`EthereumHardforks`] the rules never have this fork: alloy-evm would move the ether after the transactions,
    /// and delete the accounts that it empties although EIP-161 does not hold yet.
    pub fn is_dao_block(&self, number: u64) -> bool {
        self.spec.ethereum_fork_activation(EthereumHardfork::Dao).transitions_at_block(number)
    }

    /// The schedule of the whole chain.
    pub const fn spec(&self) -> &'a ChainSpec {
        self.spec
    }
}

impl EthereumHardforks for BlockRules<'_> {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        match fork {
            EthereumHardfork::Paris if self.merged => ForkCondition::ZERO_BLOCK,
            EthereumHardfork::Paris | EthereumHardfork::Dao => ForkCondition::Never,
            fork => self.spec.ethereum_fork_activation(fork),
        }
    }
}

impl EthExecutorSpec for BlockRules<'_> {
    fn deposit_contract_address(&self) -> Option<Address> {
        self.spec.deposit_contract_address()
    }
}
