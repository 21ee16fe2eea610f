//! Profile 9, the headline: the mix measured on mainnet, with the contracts that its authors published.
//!
//! `kinds` says how many transactions do what; every other file is one thing that transactions do: it deploys the contracts (the same with
//! every seed), keeps what the block will have used, and gives one call after another, in the order of the block, so that wallets,
//! accounts and channels whose orders are numbered get them in turn. What a call needs (tokens, allowances, positions, wallets) is set up
//! by the real contracts before the block. `stage` holds the people: senders are drawn for the block, recipients are hot exchanges, accounts
//! that were there before, and new ones.

mod account_abstraction;
mod channels;
mod collections;
mod exchanges;
mod keys;
mod kinds;
mod loans;
mod multisig;
mod savings;
mod stage;
#[cfg(test)]
mod tests;
mod tokens;

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, Call, ETHER},
    one_block,
    sampling::{accounts, chain_lengths, random},
};
use crate::{
    baseline::Bundle,
    contracts::{Artifact, Deployer, arguments},
    side::Side,
};
use account_abstraction::AccountAbstraction;
use alloy_primitives::{Address, TxKind, U256, address};
use channels::Channels;
use collections::Collections;
use exchanges::Exchanges;
use kinds::{Kind, SHARES};
use loans::Loans;
use multisig::Safes;
use rand::{Rng, seq::SliceRandom};
use savings::{Governors, StakingContracts, Vaults};
use stage::Stage;
use std::fmt::Write;
use tokens::Tokens;

/// Mean over the mix.
const GAS: u64 = 68_000;
/// Transactions of senders who send several, in percent.
const CHAINED: usize = 15;
/// What senders have: 1000 ether.
const WEALTH: u64 = 1000;
/// Somebody to allow things to who is no contract of the mix.
const OTHER_SPENDER: Address = address!("0xad00000000000000000000000000000000000003");

/// Everything that was deployed.
struct World {
    tokens: Tokens,
    exchanges: Exchanges,
    loans: Loans,
    staking: StakingContracts,
    collections: Collections,
    safes: Safes,
    abstraction: AccountAbstraction,
    channels: Channels,
    vaults: Vaults,
    governors: Governors,
    spenders: Vec<Address>,
    creations: usize,
}

impl World {
    fn deploy(deployer: &mut Deployer, kinds: &[Kind]) -> Result<Self, WorkloadError> {
        let uses = |kind: Kind| kinds.iter().filter(|other| **other == kind).count();
        let tokens = Tokens::deploy(deployer)?;
        let exchanges = Exchanges::deploy(deployer, &tokens)?;
        let loans = Loans::deploy(deployer)?;
        let mut spenders = vec![exchanges.v2.router, exchanges.v3.router];
        spenders.extend(loans.pools());
        spenders.push(OTHER_SPENDER);
        Ok(Self {
            staking: StakingContracts::deploy(deployer, &tokens)?,
            collections: Collections::deploy(deployer)?,
            safes: Safes::deploy(deployer, uses(Kind::Multisig))?,
            abstraction: AccountAbstraction::deploy(deployer, uses(Kind::AccountAbstraction))?,
            channels: Channels::deploy(deployer)?,
            vaults: Vaults::deploy(deployer, &tokens)?,
            // The last: proposals wait for votes from here on.
            governors: Governors::deploy(deployer, &tokens)?,
            tokens,
            exchanges,
            loans,
            spenders,
            creations: 0,
        })
    }

    fn call(&mut self, kind: Kind, stage: &mut Stage, sender: Address) -> Result<Call, WorkloadError> {
        let tokens = &mut self.tokens;
        match kind {
            Kind::EtherTransfer => {
                let value = U256::from(stage.random.random_range(1..1_000_000_000_000_000_000_u64));
                Ok(Call::transfer(sender, stage.recipient(), value))
            }
            Kind::TokenTransfer => tokens.transfer(stage, sender),
            Kind::Approval => tokens.approve(stage, sender, &self.spenders),
            Kind::WrappedEther => tokens.wrap(stage, sender),
            Kind::Swap => self.exchanges.swap(stage, tokens, sender),
            Kind::Lending => self.loans.act(stage, sender, wealth()),
            Kind::Staking => self.staking.act(stage, tokens, sender),
            Kind::Collectible => self.collections.act(stage, sender),
            Kind::Multisig => self.safes.execute(stage, tokens, &self.exchanges, sender),
            Kind::AccountAbstraction => self.abstraction.bundle(stage, tokens, sender),
            Kind::Channel => self.channels.act(stage, tokens, sender),
            Kind::Vault => self.vaults.act(stage, tokens, sender),
            Kind::Vote => self.governors.vote(stage, tokens, sender),
            Kind::Creation => self.create(stage, sender),
        }
    }

    /// A contract comes into being: wallets by their factories, wallets and tokens by transactions without recipient.
    fn create(&mut self, stage: &mut Stage, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.creations;
        self.creations += 1;
        let (name, arguments, gas) = match turn % 8 {
            0 | 4 => return Ok(self.safes.create(stage, sender)),
            1 | 5 => return Ok(self.abstraction.create(stage, sender)),
            3 | 7 => {
                let name = format!("NEW{turn}");
                ("PresetToken", arguments(&(name.clone(), name)), 3_000_000)
            }
            _ => ("SafeProxy", arguments(&(self.safes.singleton(),)), 300_000),
        };
        let input = [&Artifact::load(name)?.init_code()?[..], &arguments].concat();
        let call = Call::contract(sender, Address::ZERO, input, gas);
        Ok(Call { to: TxKind::Create, ..call })
    }
}

fn wealth() -> U256 {
    ETHER * U256::from(WEALTH)
}

pub(super) fn build(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let mut kinds = kinds::kinds(count);
    kinds.shuffle(&mut random);
    let lengths = chain_lengths(&mut random, count, CHAINED);
    let senders = accounts(&mut random, lengths.len());
    let (chains, longest) = (lengths.iter().filter(|length| **length > 1), lengths.iter().max());
    let chains = (chains.clone().count(), chains.sum::<usize>(), longest.copied().unwrap_or_default());
    let mut order: Vec<Address> =
        senders.iter().zip(&lengths).flat_map(|(sender, length)| std::iter::repeat_n(*sender, *length)).collect();
    order.shuffle(&mut random);

    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let mut world = World::deploy(&mut deployer, &kinds)?;
    for sender in &senders {
        deployer.fund(*sender, wealth());
    }
    let mut stage = Stage::new(deployer, random, count);
    let calls = kinds
        .iter()
        .zip(order)
        .map(|(kind, sender)| world.call(*kind, &mut stage, sender))
        .collect::<Result<Vec<_>, _>>()?;
    let mut workload = one_block(profile, stage.deployer.freeze(), calls, String::new());
    workload.notes = notes(&workload, &kinds, chains)?;
    Ok(workload)
}

/// What came out, by a serial run: transactions, failures and mean gas of each kind.
fn notes(workload: &Workload, kinds: &[Kind], chains: (usize, usize, usize)) -> Result<String, WorkloadError> {
    let [case] = &workload.cases[..] else { return Ok(String::new()) };
    let receipts = Bundle.execute(0, case).map_err(|source| WorkloadError::Block(Box::new(source)))?.receipts;
    let mut before = 0;
    let mut sums = SHARES.map(|_| (0_u64, 0_u64, 0_u64));
    for (receipt, kind) in receipts.iter().zip(kinds) {
        let gas = receipt.cumulative_gas_used - before;
        before = receipt.cumulative_gas_used;
        for (_, (count, failed, sum)) in SHARES.iter().zip(&mut sums).filter(|(share, _)| share.0 == *kind) {
            *count += 1;
            *failed += u64::from(!receipt.success);
            *sum += gas;
        }
    }
    let failed = receipts.iter().filter(|receipt| !receipt.success).count();
    let mut text = format!(
        "{} transactions of {} gas on average, {failed} of which fail, {} in {} nonce chains of up to {}; transactions and mean gas in \
         thousands:",
        receipts.len(),
        before / receipts.len().max(1) as u64,
        chains.1,
        chains.0,
        chains.2,
    );
    for ((_, name, _), (count, failed, gas)) in SHARES.iter().zip(sums) {
        let _ = write!(text, " {name} {count} × {}", gas / count.max(1) / 1000);
        if failed > 0 {
            let _ = write!(text, " ({failed} fail)");
        }
        text.push(',');
    }
    text.push_str(
        " all contracts as published but the ERC-4626 vaults, which OpenZeppelin publishes as an abstract contract without bytecode",
    );
    Ok(text)
}
