//! What waits: contended contracts among transactions that do not meet, with tips as wallets set them.

use super::BuildingError;
use crate::{
    contracts::Deployer,
    snapshot::Snapshot,
    workload::{self, BENEFICIARY, Call, DefiContracts, ETHER, Size, WorkloadError},
};
use alloy_consensus::{SignableTransaction, Transaction as _, TxEip1559, transaction::Recovered};
use alloy_primitives::{Address, Signature, U256, hex, keccak256, map::AddressMap};
use braid_runtime::Transaction;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha12Rng;

/// Wei of a gwei.
const GWEI: u128 = 1_000_000_000;
/// So much of a block's gas teaches the chain what the contracts touch, before anything is measured.
const LESSON: f64 = 0.4;

/// How much waits.
#[derive(Clone, Copy, Debug)]
pub struct PoolSize {
    /// Gas limit of a block.
    pub block_gas: u64,
    /// Blocks that what waits fills, about.
    pub blocks: u64,
    /// Seed of all choices.
    pub seed: u64,
}

/// A kind of pool.
#[derive(Clone, Copy, Debug)]
pub struct PoolKind {
    /// Its name.
    pub name: &'static str,
    /// What waits in it.
    pub contents: &'static str,
    make: fn(&PoolSize, &mut ChaCha12Rng) -> Result<Sent, WorkloadError>,
    /// Whether the contended calls were all sent before the others.
    is_burst: bool,
}

/// All pools.
pub const POOLS: &[PoolKind] = &[
    pool("dex-1", "30 % of the gas swaps in one pool, the rest transfers of five tokens and of ether", dex_1, false),
    pool("dex-1-burst", "the same, the swaps sent first", dex_1, true),
    pool("dex-4", "50 % swaps in four pools", dex_4, false),
    pool("dex-4-burst", "the same, the swaps sent first", dex_4, true),
    pool("dex-16", "60 % swaps in 16 pools, the rest plain transfers", dex_16, false),
    pool("mint-burst", "30 % mints of one collection, sent first", mint, true),
    pool("mint", "the same, sent among the others", mint, false),
    pool("erc20-hot-30", "30 % of transfers from or to ten accounts", erc20_30, false),
    pool("erc20-hot-50", "50 % of transfers from or to ten accounts", erc20_50, false),
    pool("defi", "44 % transfers, 30 % ERC-20, 9 % approvals, 5 % lending, 12 % swaps", defi, false),
];

const fn pool(
    name: &'static str,
    contents: &'static str,
    make: fn(&PoolSize, &mut ChaCha12Rng) -> Result<Sent, WorkloadError>,
    is_burst: bool,
) -> PoolKind {
    PoolKind { name, contents, make, is_burst }
}

/// State and calls, each with whether it is contended.
struct Sent {
    snapshot: Snapshot,
    calls: Vec<(Call, bool)>,
}

/// What waits, and the state before it.
#[derive(Clone, Debug)]
pub struct Pool {
    /// State before the lesson.
    pub snapshot: Snapshot,
    /// What teaches the chain.
    pub lesson: Vec<Recovered<Transaction>>,
    /// What waits, in the order in which it was sent, with whether it is contended.
    pub waiting: Vec<(Recovered<Transaction>, bool)>,
}

impl PoolKind {
    /// Makes the pool.
    pub fn build(&self, size: &PoolSize) -> Result<Pool, BuildingError> {
        let material = [&size.seed.to_be_bytes()[..], self.name.trim_end_matches("-burst").as_bytes()].concat();
        let mut random = ChaCha12Rng::from_seed(keccak256(material).0);
        let Sent { snapshot, mut calls } = (self.make)(size, &mut random)?;
        calls.shuffle(&mut random);
        let lesson = (calls.len() as f64 * LESSON / (size.blocks as f64 + LESSON)) as usize;
        let mut waiting = calls.split_off(lesson);
        if self.is_burst {
            waiting.sort_by_key(|(_, is_hot)| !is_hot);
        }
        let mut wallets = Wallets { random, nonces: AddressMap::default(), tips: AddressMap::default() };
        let mut sign = |(call, is_hot): (Call, bool)| (wallets.sign(call, &snapshot), is_hot);
        let lesson = calls.into_iter().map(|call| sign(call).0).collect();
        let waiting = waiting.into_iter().map(&mut sign).collect();
        Ok(Pool { snapshot, lesson, waiting })
    }
}

/// Nonces, and the tip that each wallet offers.
struct Wallets {
    random: ChaCha12Rng,
    nonces: AddressMap<u64>,
    tips: AddressMap<u128>,
}

impl Wallets {
    /// Most wallets offer what is set beforehand; the others are spread over three powers of ten.
    fn tip(random: &mut ChaCha12Rng) -> u128 {
        match random.random_range(0..100_u32) {
            0..60 => GWEI,
            60..72 => 2 * GWEI,
            72..80 => GWEI * 3 / 2,
            80..88 => GWEI / 10,
            _ => (GWEI as f64 * 10_f64.powf(random.random_range(-2.0..1.0))) as u128,
        }
    }

    fn sign(&mut self, call: Call, snapshot: &Snapshot) -> Recovered<Transaction> {
        let nonce = self.nonces.entry(call.from).or_insert_with(|| snapshot.nonce(call.from));
        let tip = *self.tips.entry(call.from).or_insert_with(|| Self::tip(&mut self.random));
        let transaction = TxEip1559 {
            chain_id: 1,
            nonce: *nonce,
            gas_limit: call.gas,
            max_fee_per_gas: 50 * GWEI,
            max_priority_fee_per_gas: tip,
            to: call.to,
            value: call.value,
            access_list: call.access_list,
            input: call.input,
        };
        *nonce += 1;
        // The sender is taken as told; the signature tells transactions of two senders apart.
        let signature = Signature::new(U256::from_be_bytes(call.from.into_word().0), U256::from(1), false);
        Recovered::new_unchecked(transaction.into_signed(signature).into(), call.from)
    }
}

fn gas(size: &PoolSize, share: f64) -> f64 {
    size.block_gas as f64 * (size.blocks as f64 + LESSON) * share
}

fn account(random: &mut ChaCha12Rng) -> Address {
    let mut bytes = [0_u8; 20];
    random.fill(&mut bytes[..]);
    bytes[0] = 0xb0;
    Address::from(bytes)
}

/// Contracts with people who use them.
struct Town {
    deployer: Deployer,
    contracts: DefiContracts,
    people: Vec<Address>,
}

impl Town {
    fn new(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Self, WorkloadError> {
        let mut deployer = Deployer::new();
        deployer.fund(BENEFICIARY, ETHER);
        let contracts = DefiContracts::deploy(&mut deployer)?;
        let people: Vec<Address> = (0..gas(size, 1.0) as u64 / 30_000).map(|_| account(random)).collect();
        for (index, person) in people.iter().enumerate() {
            contracts.endow(&mut deployer, *person, index % 10 == 0)?;
        }
        Ok(Self { deployer, contracts, people })
    }

    fn person(&self, random: &mut ChaCha12Rng) -> Address {
        self.people[random.random_range(0..self.people.len())]
    }

    /// Transfers of ether and of tokens that hardly meet.
    fn quiet(&self, size: &PoolSize, share: f64, random: &mut ChaCha12Rng) -> Vec<(Call, bool)> {
        const MEAN_GAS: f64 = 30_000.0;
        let count = (gas(size, share) / MEAN_GAS) as usize;
        let call = |_| {
            let (from, to) = (self.person(random), self.person(random));
            let amount = U256::from(random.random_range(1..1_000_000_u64));
            let call = match random.random_range(0..10_u32) {
                0..4 => Call::transfer(from, to, amount),
                4..9 => self.contracts.transfer(from, to, amount, random),
                _ => self.contracts.approve(from, to, amount, random),
            };
            (call, false)
        };
        (0..count).map(call).collect()
    }

    /// Swaps over one of the first `pools` pools each.
    fn swaps(&self, size: &PoolSize, share: f64, pools: usize, random: &mut ChaCha12Rng) -> Vec<(Call, bool)> {
        const MEAN_GAS: f64 = 95_000.0;
        let count = (gas(size, share) / MEAN_GAS) as usize;
        let mut known: Vec<Vec<u8>> = Vec::new();
        let mut calls = Vec::with_capacity(count);
        while calls.len() < count {
            let call = self.contracts.swap(self.person(random), random);
            let Some(pool) = pool_of(&call) else { continue };
            if !known.contains(&pool) && known.len() < pools {
                known.push(pool.clone());
            }
            if known.contains(&pool) {
                calls.push((call, true));
            }
        }
        calls
    }

    fn sent(self, calls: Vec<(Call, bool)>) -> Sent {
        // Everybody begins with nonce 0: setting up took some.
        let Self { mut deployer, people, .. } = self;
        people.iter().for_each(|person| deployer.set_nonce(*person, 0));
        Sent { snapshot: deployer.freeze(), calls }
    }
}

/// The two tokens of a swap over one pool, in the order of their addresses: what its call data has behind five arguments and the length of the path.
fn pool_of(call: &Call) -> Option<Vec<u8>> {
    let path = call.input.get(4 + 5 * 32..)?;
    let mut tokens = path.get(32..)?.chunks_exact(32).take(2).collect::<Vec<_>>();
    tokens.sort_unstable();
    (path.get(31) == Some(&2)).then(|| tokens.concat())
}

fn dex(size: &PoolSize, random: &mut ChaCha12Rng, share: f64, pools: usize) -> Result<Sent, WorkloadError> {
    let town = Town::new(size, random)?;
    let calls = [town.swaps(size, share, pools, random), town.quiet(size, 1.0 - share, random)].concat();
    Ok(town.sent(calls))
}

fn dex_1(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Sent, WorkloadError> {
    dex(size, random, 0.3, 1)
}

fn dex_4(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Sent, WorkloadError> {
    dex(size, random, 0.5, 4)
}

fn mint(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Sent, WorkloadError> {
    const MEAN_GAS: f64 = 75_000.0;
    const SHARE: f64 = 0.3;
    let mut town = Town::new(size, random)?;
    let collection = town.deployer.deploy("BenchCollection", Vec::new())?;
    let mut calls = town.quiet(size, 1.0 - SHARE, random);
    // mint()
    let input = hex!("1249c58b").to_vec();
    let count = (gas(size, SHARE) / MEAN_GAS) as usize;
    calls.extend((0..count).map(|_| (Call::contract(town.person(random), collection, input.clone(), 300_000), true)));
    Ok(town.sent(calls))
}

fn defi(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Sent, WorkloadError> {
    const MEAN_GAS: f64 = 50_000.0;
    let town = Town::new(size, random)?;
    let count = (gas(size, 1.0) / MEAN_GAS) as usize;
    let borrowers: Vec<Address> = town.people.iter().copied().step_by(10).collect();
    let call = |_| {
        let (from, to) = (town.person(random), town.person(random));
        let amount = U256::from(random.random_range(1..1_000_000_u64));
        match random.random_range(0..100_u32) {
            0..44 => (Call::transfer(from, to, amount), false),
            44..74 => (town.contracts.transfer(from, to, amount, random), false),
            74..83 => (town.contracts.approve(from, to, amount, random), false),
            83..88 => {
                let borrower = borrowers[random.random_range(0..borrowers.len())];
                (town.contracts.lend(borrower, random), true)
            }
            _ => (town.contracts.swap(from, random), true),
        }
    };
    let calls = (0..count).map(call).collect();
    Ok(town.sent(calls))
}

/// The calls of a profile of the main benchmark, of so many shares of the gas; plain transfers make up the rest.
fn profile(
    size: &PoolSize,
    random: &mut ChaCha12Rng,
    name: &str,
    share: f64,
    is_hot: bool,
) -> Result<Sent, WorkloadError> {
    let workload = workload::build(name, Size { gas: gas(size, share) as u64 }, size.seed)?;
    let case = workload.cases.into_iter().next().ok_or_else(|| WorkloadError::Unknown(name.to_owned()))?;
    let mut snapshot = (*case.snapshot).clone();
    let senders = case.block.senders().iter();
    let mut calls: Vec<(Call, bool)> = (case.block.transactions().iter().zip(senders))
        .map(|(tx, from)| {
            let call = Call {
                from: *from,
                to: tx.kind(),
                value: tx.value(),
                input: tx.input().clone(),
                gas: tx.gas_limit(),
                access_list: Default::default(),
            };
            (call, is_hot)
        })
        .collect();
    for _ in 0..(gas(size, 1.0 - share) / 21_000.0) as usize {
        let (from, to) = (account(random), account(random));
        snapshot.set_balance(from, ETHER);
        calls.push((Call::transfer(from, to, U256::from(1)), false));
    }
    Ok(Sent { snapshot, calls })
}

fn dex_16(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Sent, WorkloadError> {
    profile(size, random, "dex-v2-16", 0.6, true)
}

fn erc20_30(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Sent, WorkloadError> {
    profile(size, random, "erc20-hot-30", 1.0, false)
}

fn erc20_50(size: &PoolSize, random: &mut ChaCha12Rng) -> Result<Sent, WorkloadError> {
    profile(size, random, "erc20-hot-50", 1.0, false)
}
