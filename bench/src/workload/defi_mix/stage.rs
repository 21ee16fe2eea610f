//! What all activities share: the chain that set-up transactions run on, the choices, and the people.

use super::super::sampling::{Zipf, accounts};
use crate::contracts::Deployer;
use alloy_primitives::{Address, U256};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

/// Addresses of exchanges: everybody pays in there.
const EXCHANGES: usize = 24;
/// Accounts that have been there before, for every transaction of the block.
const RESIDENTS_PER_TRANSACTION: usize = 3;
/// The least number of such accounts, however small the block.
const FEWEST_RESIDENTS: usize = 10_000;

/// Set-up transactions run on `deployer`; the state it ends with is the parent of the block.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) deployer: Deployer,
    pub(super) random: ChaCha12Rng,
    people: People,
}

/// Who is paid.
#[derive(Debug)]
struct People {
    exchanges: Vec<Address>,
    exchange_ranks: Zipf,
    residents: Vec<Address>,
    resident_ranks: Zipf,
}

impl Stage {
    /// A stage with funded people for a block of `transactions`.
    pub(super) fn new(mut deployer: Deployer, mut random: ChaCha12Rng, transactions: usize) -> Self {
        let count = (transactions * RESIDENTS_PER_TRANSACTION).max(FEWEST_RESIDENTS);
        let mut exchanges = accounts(&mut random, EXCHANGES + count);
        let residents = exchanges.split_off(EXCHANGES);
        for account in exchanges.iter().chain(&residents) {
            deployer.fund(*account, U256::from(random.random_range(1..u64::MAX)));
        }
        let people = People {
            exchange_ranks: Zipf::new(exchanges.len(), 1.0),
            resident_ranks: Zipf::new(residents.len(), 0.7),
            exchanges,
            residents,
        };
        Self { deployer, random, people }
    }

    /// Somebody to pay: three in ten an exchange, two in ten an account that was never used, the others accounts that were there before,
    /// some more often than others.
    pub(super) fn recipient(&mut self) -> Address {
        match self.random.random_range(0..10_u8) {
            0..3 => self.people.exchanges[self.people.exchange_ranks.sample(&mut self.random)],
            3..5 => self.stranger(),
            _ => self.people.residents[self.people.resident_ranks.sample(&mut self.random)],
        }
    }

    /// An account that was never used.
    pub(super) fn stranger(&mut self) -> Address {
        let mut bytes: [u8; 20] = self.random.random();
        // Neither a precompile nor one of the accounts that have been drawn before.
        bytes[0] = 0xb0;
        Address::from(bytes)
    }

    /// An amount between `from` and `to` ether, to the wei.
    pub(super) fn ether(&mut self, from: u64, to: u64) -> U256 {
        const ETHER: u128 = 1_000_000_000_000_000_000;
        U256::from(self.random.random_range(u128::from(from) * ETHER..u128::from(to) * ETHER))
    }
}
