//! Which chain a block belongs to.

use alloy_genesis::ChainConfig;
use braid_runtime::{ChainSpec, ChainSpecError};

/// A chain: by the id under which everybody knows it, or spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainReference {
    /// A public chain, by its chain id.
    Known(u64),
    /// The `config` object of a geth-style genesis file.
    Config(Box<ChainConfig>),
}

const MAINNET: u64 = 1;
const MAINNET_HOMESTEAD: u64 = 1_150_000;
const MAINNET_BYZANTIUM: u64 = 4_370_000;

impl ChainReference {
    /// Ethereum mainnet.
    pub const MAINNET: Self = Self::Known(MAINNET);

    /// Chain id (EIP-155).
    pub fn chain_id(&self) -> u64 {
        match self {
            Self::Known(id) => *id,
            Self::Config(config) => config.chain_id,
        }
    }

    /// The fork schedule of the chain.
    pub fn spec(&self) -> Result<ChainSpec, ChainSpecError> {
        match self {
            Self::Known(id) => ChainSpec::from_chain_id(*id),
            Self::Config(config) => ChainSpec::from_config(config),
        }
    }

    /// Whether Homestead rules hold in this block: signatures with a high `s` are not valid (EIP-2).
    pub fn is_homestead(&self, number: u64) -> bool {
        match self {
            Self::Known(MAINNET) => number >= MAINNET_HOMESTEAD,
            Self::Known(_) => true,
            Self::Config(config) => starts_by(config.homestead_block, number) || self.is_byzantium(number),
        }
    }

    /// Whether Byzantium rules hold in this block: receipts carry a status (EIP-658), not a state root.
    pub fn is_byzantium(&self, number: u64) -> bool {
        match self {
            Self::Known(MAINNET) => number >= MAINNET_BYZANTIUM,
            // The public test networks that are still alive began with it.
            Self::Known(_) => true,
            // A file may name later forks alone.
            Self::Config(config) => {
                [
                    config.byzantium_block,
                    config.constantinople_block,
                    config.petersburg_block,
                    config.istanbul_block,
                    config.berlin_block,
                    config.london_block,
                    config.merge_netsplit_block,
                ]
                .into_iter()
                .any(|fork| starts_by(fork, number))
                    || config.shanghai_time == Some(0)
            }
        }
    }
}

fn starts_by(fork: Option<u64>, number: u64) -> bool {
    fork.is_some_and(|fork| fork <= number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_changes_rules_at_its_fork_blocks() {
        let mainnet = ChainReference::MAINNET;
        assert_eq!(mainnet.chain_id(), 1);
        assert!(!mainnet.is_homestead(1_149_999) && mainnet.is_homestead(1_150_000));
        assert!(!mainnet.is_byzantium(4_369_999) && mainnet.is_byzantium(4_370_000));
    }

    #[test]
    fn a_config_is_asked_for_its_own_blocks() {
        let config =
            ChainConfig { chain_id: 7, homestead_block: Some(3), istanbul_block: Some(9), ..ChainConfig::default() };
        let chain = ChainReference::Config(Box::new(config));
        assert_eq!(chain.chain_id(), 7);
        assert!(!chain.is_homestead(2) && chain.is_homestead(3));
        assert!(!chain.is_byzantium(8) && chain.is_byzantium(9), "a later fork implies it");
    }
}
