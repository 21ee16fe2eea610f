//! What the transactions of a DeFi chain do: the shares that were measured on mainnet, with the contracts at hand.

use super::{DefiChainSize, wallet::Wallet};
use crate::{
    contracts::Deployer,
    workload::{BENEFICIARY, Call, DefiContracts, ETHER, WorkloadError},
};
use alloy_consensus::transaction::Recovered;
use alloy_primitives::U256;
use braid_runtime::Transaction;
use braid_storage::BlockChange;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

#[derive(Debug)]
pub(super) struct Mix {
    random: ChaCha12Rng,
    wallets: Vec<Wallet>,
    contracts: DefiContracts,
    /// Wallets, counted from the first, that the lending market knows.
    borrowers: usize,
}

impl Mix {
    /// Deploys everything and gives every wallet what it needs. The state comes as a change to nothing.
    pub(super) fn deploy(size: DefiChainSize) -> Result<(Self, BlockChange), WorkloadError> {
        let mut deployer = Deployer::new();
        deployer.fund(BENEFICIARY, ETHER);
        let contracts = DefiContracts::deploy(&mut deployer)?;
        let wallets: Vec<Wallet> = (0..size.wallets as u64).map(|number| Wallet::new(size.seed, number)).collect();
        let borrowers = (wallets.len() / 10).max(1);
        for (index, wallet) in wallets.iter().enumerate() {
            contracts.endow(&mut deployer, wallet.address, index < borrowers)?;
        }
        for wallet in &wallets {
            deployer.set_nonce(wallet.address, 0);
        }
        let state = deployer.freeze().to_change();
        let random = ChaCha12Rng::seed_from_u64(size.seed);
        Ok((Self { random, wallets, contracts, borrowers }, state))
    }

    /// The transactions of the next block.
    pub(super) fn transactions(&mut self, count: usize) -> Vec<Recovered<Transaction>> {
        (0..count).map(|_| self.transaction()).collect()
    }

    /// Half of the wallets do little, a few do much: the square of a uniform choice.
    fn choose(&mut self, among: usize) -> usize {
        let point: f64 = self.random.random();
        ((point * point * among as f64) as usize).min(among - 1)
    }

    fn transaction(&mut self) -> Recovered<Transaction> {
        let share = self.random.random_range(0..100_u32);
        let among = if (83..88).contains(&share) { self.borrowers } else { self.wallets.len() };
        let from = self.choose(among);
        let to = self.choose(self.wallets.len());
        let (sender, recipient) = (self.wallets[from].address, self.wallets[to].address);
        let amount = U256::from(self.random.random_range(1..1_000_000_u64));
        let call = match share {
            0..44 => Call::transfer(sender, recipient, amount),
            44..74 => self.contracts.transfer(sender, recipient, amount, &mut self.random),
            74..83 => self.contracts.approve(sender, recipient, amount, &mut self.random),
            83..88 => self.contracts.lend(sender, &mut self.random),
            _ => self.contracts.swap(sender, &mut self.random),
        };
        self.wallets[from].sign(call)
    }
}
