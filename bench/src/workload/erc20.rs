//! Profiles 5 and 6: OpenZeppelin tokens.

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, Call, ETHER},
    one_block,
    sampling::{Zipf, accounts, random},
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use rand::Rng;
use rand_chacha::ChaCha12Rng;

sol! {
    function mint(address to, uint256 amount) external;
    function transfer(address to, uint256 amount) external returns (bool);
    function approve(address spender, uint256 amount) external returns (bool);
    function initialize(string name) external;
}

/// What a transfer between holders uses, calldata included.
const TRANSFER_GAS: u64 = 34_500;
/// The same through a proxy.
const PROXY_TRANSFER_GAS: u64 = 42_000;
const GAS_LIMIT: u64 = 100_000;

/// Deploys a plain token.
pub(super) fn token(deployer: &mut Deployer, name: &str) -> Result<Address, WorkloadError> {
    Ok(deployer.deploy("BenchToken", arguments(&(name.to_owned(),)))?)
}

/// Deploys a token behind OpenZeppelin's transparent proxy.
fn token_behind_proxy(deployer: &mut Deployer, name: &str) -> Result<Address, WorkloadError> {
    let logic = deployer.deploy("BenchUpgradeableToken", Vec::new())?;
    let call: Bytes = initializeCall { name: name.to_owned() }.abi_encode().into();
    let owner = deployer.admin;
    Ok(deployer.deploy("BenchProxy", arguments(&(logic, owner, call)))?)
}

fn transfer(token: Address, from: Address, to: Address, random: &mut ChaCha12Rng) -> Call {
    transfer_call(token, from, to, U256::from(random.random_range(1..1_000_000_u64)))
}

/// A transfer of `amount` of a token.
pub(super) fn transfer_call(token: Address, from: Address, to: Address, amount: U256) -> Call {
    Call::contract(from, token, transferCall { to, amount }.abi_encode(), GAS_LIMIT)
}

/// An approval of `amount` of a token.
pub(super) fn approve_call(token: Address, from: Address, spender: Address, amount: U256) -> Call {
    Call::contract(from, token, approveCall { spender, amount }.abi_encode(), GAS_LIMIT)
}

pub(super) fn independent(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(TRANSFER_GAS);
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let token = token(&mut deployer, "INDEPENDENT")?;
    let holders = accounts(&mut random, 2 * count);
    for holder in &holders {
        deployer.fund(*holder, ETHER);
        deployer.call(deployer.admin, token, mintCall { to: *holder, amount: ETHER })?;
    }
    let calls: Vec<_> = holders.chunks_exact(2).map(|pair| transfer(token, pair[0], pair[1], &mut random)).collect();
    Ok(one_block(profile, deployer.freeze(), calls, format!("{count} transfers of one token")))
}

/// Mints tokens to an account and lets `spender` move them.
pub(super) fn endow(
    deployer: &mut Deployer,
    token: Address,
    holder: Address,
    amount: U256,
    spender: Address,
) -> Result<(), WorkloadError> {
    deployer.call(deployer.admin, token, mintCall { to: holder, amount })?;
    deployer.call(holder, token, approveCall { spender, amount: U256::MAX })?;
    Ok(())
}

/// Three tokens, the last behind a proxy, and accounts that hold all of them.
fn three_tokens(random: &mut ChaCha12Rng, size: Size) -> Result<(Deployer, [Address; 3], Vec<Address>), WorkloadError> {
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let tokens = [
        token(&mut deployer, "FIRST")?,
        token(&mut deployer, "SECOND")?,
        token_behind_proxy(&mut deployer, "PROXIED")?,
    ];
    let holders = accounts(random, size.scaled(100_000).max(10_000));
    for holder in &holders {
        deployer.fund(*holder, ETHER);
        for token in tokens {
            deployer.call(deployer.admin, token, mintCall { to: *holder, amount: ETHER })?;
        }
    }
    Ok((deployer, tokens, holders))
}

const fn mean_gas() -> u64 {
    (2 * TRANSFER_GAS + PROXY_TRANSFER_GAS) / 3
}

pub(super) fn hot_ratio(profile: &Profile, size: Size, seed: u64, percent: u32) -> Result<Workload, WorkloadError> {
    const HOT: usize = 10;
    let mut random = random(seed, profile.name);
    let (deployer, tokens, holders) = three_tokens(&mut random, size)?;
    let (hot, cold) = holders.split_at(HOT);
    let count = size.transactions(mean_gas());
    let calls: Vec<_> = (0..count)
        .map(|_| {
            let token = tokens[random.random_range(0..tokens.len())];
            let (mut from, mut to) =
                (cold[random.random_range(0..cold.len())], cold[random.random_range(0..cold.len())]);
            if random.random_ratio(percent, 100) {
                let account = hot[random.random_range(0..HOT)];
                // A hot account mostly receives, as exchanges and pools do.
                if random.random_ratio(3, 4) { to = account } else { from = account }
            }
            transfer(token, from, to, &mut random)
        })
        .collect();
    let notes = format!("{count} transfers of three tokens among {} accounts", holders.len());
    Ok(one_block(profile, deployer.freeze(), calls, notes))
}

pub(super) fn zipf(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let (deployer, tokens, holders) = three_tokens(&mut random, size)?;
    let ranks = Zipf::new(holders.len(), 1.0);
    let count = size.transactions(mean_gas());
    let calls: Vec<_> = (0..count)
        .map(|_| {
            let token = tokens[random.random_range(0..tokens.len())];
            let (from, to) = (holders[ranks.sample(&mut random)], holders[ranks.sample(&mut random)]);
            transfer(token, from, to, &mut random)
        })
        .collect();
    let notes = format!("{count} transfers of three tokens among {} accounts", holders.len());
    Ok(one_block(profile, deployer.freeze(), calls, notes))
}
