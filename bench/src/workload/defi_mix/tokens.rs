//! Two dozen tokens of uneven popularity: transfers, approvals, and wrapped ether.

use super::{
    super::{
        WorkloadError,
        block_builder::{Call, ETHER},
        erc20,
        sampling::Zipf,
    },
    stage::Stage,
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{Address, Bytes, U256, address};
use alloy_sol_types::{SolCall, sol};
use rand::Rng;

sol! {
    function initialize(string name, string symbol) external;
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function deposit() external payable;
    function withdraw(uint256 amount) external;
}

/// Tokens of OpenZeppelin's preset, beside the three that are something else.
const PRESETS: usize = 21;
/// Who may exchange the logic behind the proxy. It must be somebody who calls nothing else there.
const PROXY_OWNER: Address = address!("0xad00000000000000000000000000000000000002");
const GAS_LIMIT: u64 = 150_000;

/// How an account comes to hold a token.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The administrator mints.
    Mint,
    /// The administrator has all and hands out.
    Treasury,
    /// The holder wraps ether.
    Wrap,
}

/// Tokens by popularity.
#[derive(Debug)]
pub(super) struct Tokens {
    all: Vec<(Address, Source)>,
    ranks: Zipf,
    pub(super) weth: Address,
    pub(super) uni: Address,
    transfers: usize,
    approvals: usize,
    wraps: usize,
}

/// Deploys OpenZeppelin's preset token as published, which the administrator may mint.
pub(super) fn preset(deployer: &mut Deployer, name: &str) -> Result<Address, WorkloadError> {
    Ok(deployer.deploy("PresetToken", arguments(&(name.to_owned(), name.to_owned())))?)
}

/// The same behind a proxy, as stablecoins are.
fn behind_proxy(deployer: &mut Deployer) -> Result<Address, WorkloadError> {
    let logic = deployer.deploy("PresetUpgradeableToken", Vec::new())?;
    let call = initializeCall { name: "Dollar".to_owned(), symbol: "USD".to_owned() };
    let call: Bytes = call.abi_encode().into();
    Ok(deployer.deploy("TransparentUpgradeableProxy", arguments(&(logic, PROXY_OWNER, call)))?)
}

impl Tokens {
    /// Deploys all of them; the administrator has enough of each for every pool.
    pub(super) fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        let dollar = behind_proxy(deployer)?;
        let weth = deployer.deploy("WETH9", Vec::new())?;
        let admin = deployer.admin;
        let uni = deployer.deploy("Uni", arguments(&(admin, admin, U256::from(super::super::TIMESTAMP))))?;
        let mut all = vec![(dollar, Source::Mint), (weth, Source::Wrap), (uni, Source::Treasury)];
        for index in 0..PRESETS {
            all.push((preset(deployer, &format!("MIX{index}"))?, Source::Mint));
        }
        let ranks = Zipf::new(all.len(), 1.0);
        Ok(Self { all, ranks, weth, uni, transfers: 0, approvals: 0, wraps: 0 })
    }

    /// All tokens but wrapped ether, the popular ones first.
    pub(super) fn traded(&self) -> impl Iterator<Item = Address> {
        self.all.iter().map(|(token, _)| *token).filter(|token| *token != self.weth)
    }

    /// One token, popular ones more often.
    pub(super) fn any(&self, stage: &mut Stage) -> Address {
        self.all[self.ranks.sample(&mut stage.random)].0
    }

    /// Gives an account some of a token.
    pub(super) fn give(
        &self,
        deployer: &mut Deployer,
        token: Address,
        holder: Address,
        amount: U256,
    ) -> Result<(), WorkloadError> {
        let admin = deployer.admin;
        match self.all.iter().find(|(other, _)| *other == token).map_or(Source::Mint, |(_, source)| *source) {
            Source::Mint => deployer.call(admin, token, erc20::mintCall { to: holder, amount }).map(drop)?,
            Source::Treasury => {
                deployer.call(admin, token, erc20::transferCall { to: holder, amount })?;
            }
            Source::Wrap => {
                deployer.call_with_value(admin, token, amount, depositCall {}).map(drop)?;
                if holder != admin {
                    deployer.call(admin, token, erc20::transferCall { to: holder, amount })?;
                }
            }
        }
        Ok(())
    }

    /// The same, and lets `spender` take it.
    pub(super) fn give_for(
        &self,
        deployer: &mut Deployer,
        token: Address,
        holder: Address,
        amount: U256,
        spender: Address,
    ) -> Result<(), WorkloadError> {
        self.give(deployer, token, holder, amount)?;
        deployer.call(holder, token, erc20::approveCall { spender, amount: U256::MAX })?;
        Ok(())
    }

    /// A transfer. One in ten takes from another account that allowed it, one in thirty is of more than there is.
    pub(super) fn transfer(&mut self, stage: &mut Stage, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.transfers;
        self.transfers += 1;
        let (token, to, amount) = (self.any(stage), stage.recipient(), stage.ether(1, 100));
        if stage.random.random_ratio(2, 3) {
            self.give(&mut stage.deployer, token, to, U256::from(1000))?;
        }
        if turn % 10 == 9 {
            let from = stage.stranger();
            self.give_for(&mut stage.deployer, token, from, amount * U256::from(2), sender)?;
            let input = transferFromCall { from, to, amount }.abi_encode();
            return Ok(Call::contract(sender, token, input, GAS_LIMIT));
        }
        let has = if turn % 30 == 29 { amount / U256::from(2) } else { amount * U256::from(2) };
        self.give(&mut stage.deployer, token, sender, has)?;
        let input = erc20::transferCall { to, amount }.abi_encode();
        Ok(Call::contract(sender, token, input, GAS_LIMIT))
    }

    /// An approval for one of `spenders`; every other one renews an older one.
    pub(super) fn approve(
        &mut self,
        stage: &mut Stage,
        sender: Address,
        spenders: &[Address],
    ) -> Result<Call, WorkloadError> {
        let turn = self.approvals;
        self.approvals += 1;
        let token = self.any(stage);
        let spender = spenders[Zipf::new(spenders.len(), 1.0).sample(&mut stage.random)];
        let amount = stage.ether(1, 100_000);
        if turn.is_multiple_of(2) {
            stage.deployer.call(sender, token, erc20::approveCall { spender, amount: ETHER })?;
        }
        let input = erc20::approveCall { spender, amount }.abi_encode();
        Ok(Call::contract(sender, token, input, GAS_LIMIT))
    }

    /// Wraps ether, or unwraps it.
    pub(super) fn wrap(&mut self, stage: &mut Stage, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.wraps;
        self.wraps += 1;
        let amount = stage.ether(1, 3);
        if turn.is_multiple_of(2) {
            let call = Call::contract(sender, self.weth, depositCall {}.abi_encode(), GAS_LIMIT);
            return Ok(Call { value: amount, ..call });
        }
        self.give(&mut stage.deployer, self.weth, sender, amount)?;
        Ok(Call::contract(sender, self.weth, withdrawCall { amount }.abi_encode(), GAS_LIMIT))
    }
}
