//! Tokens, an exchange and a lending market side by side, for chains of many blocks.

use super::{
    WorkloadError,
    block_builder::{Call, ETHER},
    erc20, lending,
    lending_market::Market,
    uniswap::{Pair, Uniswap, Version, tokens},
};
use crate::contracts::Deployer;
use alloy_primitives::{Address, U256};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

/// Tokens of which every two neighbours have a pool.
const TOKENS: usize = 5;

/// The contracts that a chain of DeFi blocks calls.
#[derive(Debug)]
pub struct DefiContracts {
    tokens: Vec<Address>,
    exchange: Uniswap,
    market: Market,
}

impl DefiContracts {
    /// Deploys everything.
    pub fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        let tokens = tokens(deployer, TOKENS)?;
        let pairs: Vec<Pair> = tokens.windows(2).map(|pair| Pair { first: pair[0], second: pair[1] }).collect();
        let exchange = Uniswap::deploy(deployer, Version::V2, &pairs)?;
        let market = Market::deploy(deployer)?;
        let contracts = Self { tokens, exchange, market };
        lending::provide(deployer, &contracts.market)?;
        Ok(contracts)
    }

    /// Gives an account tokens that the exchange may take, ether, and if it lends a position in the market.
    pub fn endow(&self, deployer: &mut Deployer, account: Address, lends: bool) -> Result<(), WorkloadError> {
        if lends {
            lending::open(deployer, &self.market, account, 5_000)?;
        }
        for token in &self.tokens {
            erc20::endow(deployer, *token, account, ETHER * U256::from(1_000_000), self.exchange.router)?;
        }
        deployer.fund(account, ETHER * U256::from(1_000));
        Ok(())
    }

    fn token(&self, random: &mut ChaCha12Rng) -> Address {
        self.tokens[random.random_range(0..self.tokens.len())]
    }

    /// A transfer of some token.
    pub fn transfer(&self, from: Address, to: Address, amount: U256, random: &mut ChaCha12Rng) -> Call {
        erc20::transfer_call(self.token(random), from, to, amount)
    }

    /// An approval of some token.
    pub fn approve(&self, from: Address, spender: Address, amount: U256, random: &mut ChaCha12Rng) -> Call {
        erc20::approve_call(self.token(random), from, spender, amount)
    }

    /// A swap over one pool or two.
    pub fn swap(&self, from: Address, random: &mut ChaCha12Rng) -> Call {
        let hops = random.random_range(1..=2_usize);
        let first = random.random_range(0..self.tokens.len() - hops);
        let mut path = self.tokens[first..=first + hops].to_vec();
        if random.random_bool(0.5) {
            path.reverse();
        }
        self.exchange.swap_along(from, path, U256::from(random.random_range(1..1_000_000_000_u64)), U256::ZERO)
    }

    /// Something that a customer of the lending market does.
    pub fn lend(&self, from: Address, random: &mut ChaCha12Rng) -> Call {
        lending::action(random, &self.market, from)
    }
}
