//! Profile 7: swaps in clusters, from a pool for every swap to one pool for all.

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, ETHER},
    erc20, one_block,
    sampling::{accounts, random},
    uniswap::{Uniswap, Version, tokens_for},
};
use crate::contracts::Deployer;
use alloy_primitives::U256;
use rand::{Rng, seq::SliceRandom};

/// What a v2 swap through the router uses: the first in a pool, and later ones.
const V2_GAS: (u64, u64) = (133_000, 89_000);
/// The same in v3.
const V3_GAS: (u64, u64) = (126_000, 102_000);

fn count(size: Size, clusters: usize, (first, later): (u64, u64)) -> usize {
    let first_ones = clusters as u64 * (first - later);
    if clusters == 0 {
        size.transactions(first)
    } else {
        Size { gas: size.gas.saturating_sub(first_ones) }.transactions(later)
    }
}

/// v2 swaps in `clusters` pools; 0 gives every swap its own.
pub(super) fn v2(profile: &Profile, size: Size, seed: u64, clusters: usize) -> Result<Workload, WorkloadError> {
    build(profile, count(size, clusters, V2_GAS), seed, clusters, Version::V2)
}

/// v3 swaps in `clusters` pools; 0 gives every swap its own.
pub(super) fn v3(profile: &Profile, size: Size, seed: u64, clusters: usize) -> Result<Workload, WorkloadError> {
    build(profile, count(size, clusters, V3_GAS), seed, clusters, Version::V3)
}

fn build(
    profile: &Profile,
    count: usize,
    seed: u64,
    clusters: usize,
    version: Version,
) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let pools = if clusters == 0 { count } else { clusters.min(count) };
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let pairs = tokens_for(&mut deployer, pools)?;
    let exchange = Uniswap::deploy(&mut deployer, version, &pairs)?;
    let mut calls = Vec::with_capacity(count);
    for (index, trader) in accounts(&mut random, count).into_iter().enumerate() {
        let mut pair = pairs[index % pools];
        // Both directions, so that shared pools stay near their price.
        if random.random_bool(0.5) {
            (pair.first, pair.second) = (pair.second, pair.first);
        }
        deployer.fund(trader, ETHER);
        erc20::endow(&mut deployer, pair.first, trader, ETHER * U256::from(1000), exchange.router)?;
        // Traders of a pair hold some of both tokens, as people who trade do.
        erc20::endow(&mut deployer, pair.second, trader, ETHER, exchange.router)?;
        let amount = ETHER * U256::from(random.random_range(1..100_u64));
        calls.push(exchange.swap(trader, pair, amount));
    }
    calls.shuffle(&mut random);
    Ok(one_block(profile, deployer.freeze(), calls, format!("{count} swaps on {pools} pools")))
}
