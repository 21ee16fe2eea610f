//! Profiles 1 to 4: plain transfers.

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, Call, MAX_FEE},
    one_block,
    sampling::{accounts, chain_lengths, random},
};
use crate::{contracts::genesis, snapshot::Snapshot};
use alloy_primitives::{Address, U256};
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha12Rng;

const GAS: u64 = 21_000;

/// 1000 ether.
fn wealth() -> U256 {
    U256::from(10).pow(U256::from(21))
}

fn world<'a>(holders: impl IntoIterator<Item = &'a Address>) -> Snapshot {
    let mut snapshot = genesis();
    snapshot.set_balance(BENEFICIARY, wealth());
    for holder in holders {
        snapshot.set_balance(*holder, wealth());
    }
    snapshot
}

fn value(random: &mut ChaCha12Rng) -> U256 {
    U256::from(random.random_range(1..1_000_000_000_000_u64))
}

pub(super) fn independent(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let people = accounts(&mut random, 2 * count);
    let calls: Vec<_> =
        people.chunks_exact(2).map(|pair| Call::transfer(pair[0], pair[1], value(&mut random))).collect();
    Ok(one_block(profile, world(&people), calls, format!("{count} transfers")))
}

pub(super) fn hot_recipient(
    profile: &Profile,
    size: Size,
    seed: u64,
    exchange_pays: bool,
) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let deposits = count * 2 / 5;
    let withdrawals = size.scaled(200).min(count - deposits);
    let people = accounts(&mut random, 2 * count + 2);
    let (special, people) = people.split_at(2);
    let (exchange, payer) = (special[0], if exchange_pays { special[0] } else { special[1] });
    let mut pairs = people.chunks_exact(2);
    let mut calls = Vec::with_capacity(count);
    for (index, pair) in pairs.by_ref().take(count).enumerate() {
        let (from, to) = match index {
            index if index < deposits => (pair[0], exchange),
            index if index < deposits + withdrawals => (payer, pair[1]),
            _ => (pair[0], pair[1]),
        };
        calls.push(Call::transfer(from, to, value(&mut random)));
    }
    calls.shuffle(&mut random);
    let notes = format!("{count} transfers, {deposits} of them deposits, {withdrawals} withdrawals");
    Ok(one_block(profile, world(special.iter().chain(people)), calls, notes))
}

pub(super) fn nonce_chains(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    const LENGTH: usize = 20;
    let mut random = random(seed, profile.name);
    let senders = size.transactions(GAS * LENGTH as u64);
    let people = accounts(&mut random, senders * (LENGTH + 1));
    let (payers, recipients) = people.split_at(senders);
    let mut order: Vec<Address> = payers.iter().flat_map(|payer| [*payer; LENGTH]).collect();
    order.shuffle(&mut random);
    let calls: Vec<_> =
        order.iter().zip(recipients).map(|(from, to)| Call::transfer(*from, *to, value(&mut random))).collect();
    Ok(one_block(profile, world(&people), calls, format!("{senders} senders with {LENGTH} transfers each")))
}

pub(super) fn nonce_chains_zipf(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let people = accounts(&mut random, 2 * count);
    let lengths = chain_lengths(&mut random, count, 15);
    let chains = lengths.iter().filter(|length| **length > 1).count();
    let payers = people.iter().step_by(2).zip(lengths);
    let mut order: Vec<Address> = payers.flat_map(|(payer, length)| std::iter::repeat_n(*payer, length)).collect();
    order.shuffle(&mut random);
    let calls: Vec<_> = order
        .iter()
        .zip(people.iter().skip(1).step_by(2))
        .map(|(from, to)| Call::transfer(*from, *to, value(&mut random)))
        .collect();
    Ok(one_block(profile, world(&people), calls, format!("{count} transfers, {chains} chains")))
}

pub(super) fn serial_chain(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let people = accounts(&mut random, count + 1);
    let fee = U256::from(u128::from(GAS) * MAX_FEE);
    let mut amount = wealth();
    let mut calls = Vec::with_capacity(count);
    for pair in people.windows(2) {
        // All that arrived goes on, but for the fee that must be affordable; what the base fee leaves over stays behind.
        amount -= fee;
        calls.push(Call::transfer(pair[0], pair[1], amount));
    }
    Ok(one_block(profile, world(&people[..1]), calls, format!("one chain of {count} transfers")))
}
