//! What one spender takes from the wallets of one owner, as of a market maker or an exchange: the allowance, and the balance behind it.

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, Call, ETHER},
    erc20, one_block,
    sampling::{accounts, random},
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{Address, U256, address};
use alloy_sol_types::{SolCall, sol};
use rand::Rng;

sol! {
    function pay(uint256 amount) external;
}

const GAS: u64 = 45_000;
const GAS_LIMIT: u64 = 150_000;
/// The first wallet; the others follow.
const WALLET: Address = address!("0xca5e000000000000000000000000000000000000");

/// `wallets` that allow what is taken: counted down, or without end.
pub(super) fn build(
    profile: &Profile,
    size: Size,
    seed: u64,
    wallets: u64,
    is_counted: bool,
) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let token = erc20::token(&mut deployer, "PAID")?;
    let till = deployer.deploy("BenchTill", arguments(&(token, WALLET, U256::from(wallets))))?;
    let funds = ETHER * U256::from(1_000_000_000_u64);
    for index in 0..wallets {
        let wallet = Address::from_word((U256::from_be_slice(WALLET.as_slice()) + U256::from(index)).into());
        erc20::endow(&mut deployer, token, wallet, funds, till)?;
        if is_counted {
            deployer.call(wallet, token, erc20::approveCall { spender: till, amount: funds })?;
        }
    }
    let mut calls = Vec::with_capacity(count);
    for payee in accounts(&mut random, count) {
        deployer.fund(payee, ETHER);
        // Payees hold some of the token already, as customers do.
        deployer.call(deployer.admin, token, erc20::mintCall { to: payee, amount: ETHER })?;
        let amount = U256::from(random.random_range(1..1_000_000_u64));
        calls.push(Call::contract(payee, till, payCall { amount }.abi_encode(), GAS_LIMIT));
    }
    let allowed = if is_counted { "counted" } else { "without end" };
    let notes = format!("{count} payments out of {wallets} wallet(s), allowances {allowed}");
    Ok(one_block(profile, deployer.freeze(), calls, notes))
}
