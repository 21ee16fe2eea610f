//! Aave v3 as published: several markets, in which everybody has a position.

use super::{
    super::{WorkloadError, block_builder::Call, lending, lending_market::Market, sampling::Zipf},
    stage::Stage,
    tokens,
};
use crate::contracts::Deployer;
use alloy_primitives::{Address, U256, map::HashSet};

/// The market of the original and of its forks.
const MARKETS: usize = 3;
/// What everybody owes at first, in dollars.
const DEBT: u64 = 5_000;

/// Markets by popularity.
#[derive(Debug)]
pub(super) struct Loans {
    markets: Vec<Market>,
    ranks: Zipf,
    /// Who has a position where.
    opened: HashSet<(usize, Address)>,
}

impl Loans {
    pub(super) fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        let mut markets = Vec::with_capacity(MARKETS);
        for _ in 0..MARKETS {
            let market = Market::deploy_over(deployer, tokens::preset)?;
            lending::provide(deployer, &market)?;
            markets.push(market);
        }
        Ok(Self { markets, ranks: Zipf::new(MARKETS, 1.0), opened: HashSet::default() })
    }

    /// The pools, for approvals.
    pub(super) fn pools(&self) -> impl Iterator<Item = Address> {
        self.markets.iter().map(|market| market.pool)
    }

    /// Supplies, loans, repayments and withdrawals.
    pub(super) fn act(&mut self, stage: &mut Stage, sender: Address, wealth: U256) -> Result<Call, WorkloadError> {
        let index = self.ranks.sample(&mut stage.random);
        let market = &self.markets[index];
        if self.opened.insert((index, sender)) {
            lending::open(&mut stage.deployer, market, sender, DEBT)?;
            // Opening a position leaves an account with one ether.
            stage.deployer.fund(sender, wealth);
        }
        Ok(lending::action(&mut stage.random, market, sender))
    }
}
