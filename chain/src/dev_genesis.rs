//! The first block of a development chain.

use alloy_consensus::constants::ETH_TO_WEI;
use alloy_eips::{eip2935, eip4788, eip7002, eip7251};
use alloy_genesis::{ChainConfig, Genesis, GenesisAccount};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, Bytes, U256, address, bytes};

/// Chain id that development tools expect.
pub const DEV_CHAIN_ID: u64 = 31337;

/// Where Arachnid's deployer is on every chain: contracts deployed through it with CREATE2 have the same address everywhere. `forge script` uses it.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");
const CREATE2_DEPLOYER_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

/// Gas limit of a development chain: a third of it is below the limit of a transaction (EIP-7825, 16,777,216 gas), which wallets count on.
pub const DEV_GAS_LIMIT: u64 = 30_000_000;
/// Base fee of the first block, in wei.
pub const DEV_BASE_FEE: u64 = 1_000_000_000;

/// What a development chain begins with.
#[derive(Clone, Debug, PartialEq)]
pub struct DevGenesis {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// The fork whose rules hold from the first block on.
    pub hardfork: EthereumHardfork,
    /// Gas limit, in gas.
    pub gas_limit: u64,
    /// Base fee of the first block, in wei.
    pub base_fee: u64,
    /// Timestamp of the first block, in seconds.
    pub timestamp: u64,
    /// Accounts with money.
    pub accounts: Vec<Address>,
    /// What each of them has, in wei.
    pub balance: U256,
}

impl Default for DevGenesis {
    fn default() -> Self {
        Self {
            chain_id: DEV_CHAIN_ID,
            hardfork: EthereumHardfork::Osaka,
            gas_limit: DEV_GAS_LIMIT,
            base_fee: DEV_BASE_FEE,
            timestamp: 0,
            accounts: Vec::new(),
            balance: U256::from(10_000 * ETH_TO_WEI),
        }
    }
}

impl DevGenesis {
    /// The genesis file. Beside the accounts there are the deployer for CREATE2 and the system contracts of the fork.
    pub fn genesis(&self) -> Genesis {
        let mut genesis = Genesis {
            config: config(self.chain_id, self.hardfork),
            timestamp: self.timestamp,
            gas_limit: self.gas_limit,
            base_fee_per_gas: (self.hardfork >= EthereumHardfork::London).then_some(u128::from(self.base_fee)),
            ..Genesis::default()
        };
        let rich = GenesisAccount { balance: self.balance, ..GenesisAccount::default() };
        genesis.alloc.extend(self.accounts.iter().map(|account| (*account, rich.clone())));
        let mut contract = |address, code: &Bytes| {
            let account = GenesisAccount { nonce: Some(1), code: Some(code.clone()), ..GenesisAccount::default() };
            genesis.alloc.insert(address, account);
        };
        contract(CREATE2_DEPLOYER, &CREATE2_DEPLOYER_CODE);
        if self.hardfork >= EthereumHardfork::Cancun {
            contract(eip4788::BEACON_ROOTS_ADDRESS, &eip4788::BEACON_ROOTS_CODE);
        }
        if self.hardfork >= EthereumHardfork::Prague {
            contract(eip2935::HISTORY_STORAGE_ADDRESS, &eip2935::HISTORY_STORAGE_CODE);
            contract(eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_CODE);
            contract(eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_CODE);
        }
        genesis
    }
}

/// A schedule in which a fork and all before it hold from the first block on.
fn config(chain_id: u64, fork: EthereumHardfork) -> ChainConfig {
    let block = |since: EthereumHardfork| (fork >= since).then_some(0);
    let is_merged = fork >= EthereumHardfork::Paris;
    ChainConfig {
        chain_id,
        homestead_block: block(EthereumHardfork::Homestead),
        eip150_block: block(EthereumHardfork::Tangerine),
        eip155_block: block(EthereumHardfork::SpuriousDragon),
        eip158_block: block(EthereumHardfork::SpuriousDragon),
        byzantium_block: block(EthereumHardfork::Byzantium),
        constantinople_block: block(EthereumHardfork::Constantinople),
        petersburg_block: block(EthereumHardfork::Petersburg),
        istanbul_block: block(EthereumHardfork::Istanbul),
        muir_glacier_block: block(EthereumHardfork::MuirGlacier),
        berlin_block: block(EthereumHardfork::Berlin),
        london_block: block(EthereumHardfork::London),
        arrow_glacier_block: block(EthereumHardfork::ArrowGlacier),
        gray_glacier_block: block(EthereumHardfork::GrayGlacier),
        merge_netsplit_block: block(EthereumHardfork::Paris),
        terminal_total_difficulty: is_merged.then_some(U256::ZERO),
        terminal_total_difficulty_passed: is_merged,
        shanghai_time: block(EthereumHardfork::Shanghai),
        cancun_time: block(EthereumHardfork::Cancun),
        prague_time: block(EthereumHardfork::Prague),
        osaka_time: block(EthereumHardfork::Osaka),
        ..ChainConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Chain, ChainOptions, GenesisFile, payload::PayloadAttributes};
    use braid_storage::Database;

    #[test]
    fn every_fork_makes_a_chain_on_which_blocks_can_be_built() {
        use EthereumHardfork::{
            Berlin, Byzantium, Cancun, Frontier, Homestead, Istanbul, London, Osaka, Paris, Petersburg, Prague,
            Shanghai, SpuriousDragon, Tangerine,
        };
        let forks = [
            Frontier,
            Homestead,
            Tangerine,
            SpuriousDragon,
            Byzantium,
            Petersburg,
            Istanbul,
            Berlin,
            London,
            Paris,
            Shanghai,
            Cancun,
            Prague,
            Osaka,
        ];
        for hardfork in forks {
            let dev = DevGenesis { hardfork, accounts: vec![Address::repeat_byte(1)], ..DevGenesis::default() };
            // It must survive being written to a file.
            let json = serde_json::to_string(&dev.genesis()).unwrap();
            let file = GenesisFile::from_json(&json).unwrap_or_else(|error| panic!("{hardfork}: {error}"));
            let database = Database::in_memory(&file.genesis, Default::default()).unwrap();
            let chain = Chain::new(database, file.spec, ChainOptions::default()).unwrap();
            let attributes = PayloadAttributes { timestamp: 12, ..PayloadAttributes::default() };
            let built = chain.build(chain.head().hash, &attributes, Vec::new());
            let built = built.unwrap_or_else(|error| panic!("{hardfork}: {error}"));
            assert_eq!(built.block.header.difficulty.is_zero(), hardfork >= Paris, "{hardfork}");
        }
    }
}
