//! Profile 8: a hot pool, paths over several pools, arbitrage, and swaps that slip.

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, ETHER},
    erc20, one_block,
    sampling::{accounts, random},
    uniswap::{Pair, Uniswap, Version, tokens},
};
use crate::contracts::Deployer;
use alloy_primitives::{Address, U256};
use rand::{Rng, seq::SliceRandom};

/// The pools by the numbers of their tokens: four triangles that hang together.
const POOLS: [(usize, usize); 12] =
    [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4), (4, 5), (5, 6), (4, 6), (6, 7), (0, 7), (0, 6)];
const TRIANGLES: [[usize; 3]; 4] = [[0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 0]];
/// Mean over the mix.
const GAS: u64 = 122_000;

pub(super) fn build(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let tokens = tokens(&mut deployer, 8)?;
    let pairs = POOLS.map(|(first, second)| Pair { first: tokens[first], second: tokens[second] });
    let exchange = Uniswap::deploy(&mut deployer, Version::V2, &pairs)?;

    let arbitrages = count / 10;
    let mut top = Vec::new();
    let mut rest = Vec::new();
    for (index, trader) in accounts(&mut random, count).into_iter().enumerate() {
        let kind = if index < arbitrages { 0 } else { 1 + random.random_range(0..90_u32) };
        let (path, slips): (Vec<Address>, bool) = match kind {
            0 => {
                let [a, b, c] = TRIANGLES[random.random_range(0..TRIANGLES.len())];
                (vec![tokens[a], tokens[b], tokens[c], tokens[a]], false)
            }
            1..=50 => {
                let reversed = random.random_bool(0.5);
                (if reversed { vec![tokens[1], tokens[0]] } else { vec![tokens[0], tokens[1]] }, false)
            }
            51..=80 => {
                let [a, b, c] = TRIANGLES[random.random_range(0..TRIANGLES.len())];
                (vec![tokens[a], tokens[b], tokens[c]], false)
            }
            _ => {
                let (a, b) = POOLS[random.random_range(0..POOLS.len())];
                (vec![tokens[a], tokens[b]], true)
            }
        };
        deployer.fund(trader, ETHER);
        erc20::endow(&mut deployer, path[0], trader, ETHER * U256::from(1000), exchange.router)?;
        let amount = ETHER * U256::from(random.random_range(1..100_u64));
        // More out than in cannot be had at a price of 1: such a swap runs most of its way and reverts.
        let least = if slips { amount * U256::from(2) } else { U256::ZERO };
        let call = exchange.swap_along(trader, path, amount, least);
        if kind == 0 { top.push(call) } else { rest.push(call) }
    }
    rest.shuffle(&mut random);
    let notes = format!("{count} swaps on 12 pools, {arbitrages} of them arbitrage");
    Ok(one_block(profile, deployer.freeze(), top.into_iter().chain(rest), notes))
}
