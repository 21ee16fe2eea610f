//! Profile 10: a price drop on Aave v3, the liquidations it causes, and everybody else's business.

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, Call, ETHER},
    erc20,
    lending_market::{BASE, LendingPool, Market, Oracle, VARIABLE},
    one_block,
    sampling::{accounts, random},
};
use crate::contracts::Deployer;
use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha12Rng;

/// Gas that 50 liquidations and 300 actions use together: the unit in which the profile grows.
const UNIT: u64 = 68_000_000;
const GAS_LIMIT: u64 = 1_500_000;

fn dollars(amount: u64) -> U256 {
    ETHER * U256::from(amount)
}

/// A user with 10 units of collateral, worth 20,000 dollars, who owes `debt` dollars.
pub(super) fn open(deployer: &mut Deployer, market: &Market, user: Address, debt: u64) -> Result<(), WorkloadError> {
    deployer.fund(user, ETHER);
    erc20::endow(deployer, market.collateral, user, dollars(20), market.pool)?;
    erc20::endow(deployer, market.dollar, user, dollars(20_000), market.pool)?;
    let supply =
        LendingPool::supplyCall { asset: market.collateral, amount: dollars(10), onBehalfOf: user, referralCode: 0 };
    deployer.call(user, market.pool, supply)?;
    let borrow = LendingPool::borrowCall {
        asset: market.dollar,
        amount: dollars(debt),
        interestRateMode: VARIABLE,
        referralCode: 0,
        onBehalfOf: user,
    };
    deployer.call(user, market.pool, borrow)?;
    Ok(())
}

/// Gives the market dollars to lend, by `lender`.
fn supply_dollars(deployer: &mut Deployer, market: &Market, lender: Address) -> Result<(), WorkloadError> {
    let supply = dollars(100_000_000);
    erc20::endow(deployer, market.dollar, lender, supply, market.pool)?;
    let call = LendingPool::supplyCall { asset: market.dollar, amount: supply, onBehalfOf: lender, referralCode: 0 };
    deployer.call(lender, market.pool, call)?;
    Ok(())
}

/// Gives the market dollars to lend, by the administrator.
pub(super) fn provide(deployer: &mut Deployer, market: &Market) -> Result<(), WorkloadError> {
    supply_dollars(deployer, market, deployer.admin)
}

pub(super) fn action(random: &mut ChaCha12Rng, market: &Market, user: Address) -> Call {
    let input = match random.random_range(0..4_u8) {
        0 => LendingPool::supplyCall {
            asset: market.collateral,
            amount: dollars(random.random_range(1..5)),
            onBehalfOf: user,
            referralCode: 0,
        }
        .abi_encode(),
        1 => LendingPool::borrowCall {
            asset: market.dollar,
            amount: dollars(random.random_range(1..500)),
            interestRateMode: VARIABLE,
            referralCode: 0,
            onBehalfOf: user,
        }
        .abi_encode(),
        2 => LendingPool::repayCall {
            asset: market.dollar,
            amount: dollars(random.random_range(1..1000)),
            interestRateMode: VARIABLE,
            onBehalfOf: user,
        }
        .abi_encode(),
        _ => {
            LendingPool::withdrawCall { asset: market.collateral, amount: ETHER / U256::from(2), to: user }.abi_encode()
        }
    };
    Call::contract(user, market.pool, input, GAS_LIMIT)
}

pub(super) fn build(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let of = |count: u64| usize::try_from((count * size.gas / UNIT).max(1)).unwrap_or(usize::MAX);
    let (liquidations, actions, bystanders) = (of(50), of(300), of(400));
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let market = Market::deploy(&mut deployer)?;
    let people = accounts(&mut random, 2 * liquidations + bystanders + 1);
    let (lender, people) = people.split_at(1);
    let (risky, people) = people.split_at(liquidations);
    let (liquidators, bystanders) = people.split_at(liquidations);
    supply_dollars(&mut deployer, &market, lender[0])?;
    for user in risky {
        open(&mut deployer, &market, *user, 15_000)?;
    }
    for user in bystanders {
        open(&mut deployer, &market, *user, 5_000)?;
    }
    for liquidator in liquidators {
        deployer.fund(*liquidator, ETHER);
        erc20::endow(&mut deployer, market.dollar, *liquidator, dollars(10_000), market.pool)?;
    }

    let price = U256::from(1700 * BASE);
    let drop = Oracle::setAssetPriceCall { asset: market.collateral, price }.abi_encode();
    let drop = Call::contract(deployer.admin, market.oracle, drop, 100_000);
    let mut calls: Vec<_> = risky
        .iter()
        .zip(liquidators)
        .map(|(user, liquidator)| {
            let input = LendingPool::liquidationCallCall {
                collateralAsset: market.collateral,
                debtAsset: market.dollar,
                user: *user,
                debtToCover: dollars(5_000),
                receiveAToken: false,
            };
            Call::contract(*liquidator, market.pool, input.abi_encode(), GAS_LIMIT)
        })
        .collect();
    for _ in 0..actions {
        let user = bystanders[random.random_range(0..bystanders.len())];
        calls.push(action(&mut random, &market, user));
    }
    calls.shuffle(&mut random);
    let notes = format!("1 price drop, {liquidations} liquidations, {actions} actions of {} others", bystanders.len());
    Ok(one_block(profile, deployer.freeze(), std::iter::once(drop).chain(calls), notes))
}
