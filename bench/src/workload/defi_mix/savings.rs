//! Where tokens rest: staking contracts, vaults, and governors that count their votes.

use super::{
    super::{
        WorkloadError,
        block_builder::{Call, ETHER},
        sampling::Zipf,
    },
    stage::Stage,
    tokens::{Tokens, preset},
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, sol};

sol! {
    interface Staking {
        function stake(uint256 amount) external;
        function withdraw(uint256 amount) external;
        function getReward() external;
        function exit() external;
        function notifyRewardAmount(uint256 reward) external;
    }
    interface Vault {
        function deposit(uint256 assets, address receiver) external returns (uint256 shares);
        function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets);
        function withdraw(uint256 assets, address receiver, address owner) external returns (uint256 shares);
    }
    interface Governor {
        function propose(address[] targets, uint256[] values, string[] signatures, bytes[] calldatas, string description) external returns (uint256);
        function castVote(uint256 proposalId, bool support) external;
    }
    function delegate(address delegatee) external;
}

const STAKING_CONTRACTS: usize = 10;
const VAULTS: usize = 8;
const GOVERNORS: usize = 4;
const GAS_LIMIT: u64 = 400_000;

/// Synthetix's staking contract as Uniswap published it, with tokens of its own each.
#[derive(Debug)]
pub(super) struct StakingContracts {
    /// Contract and staked token.
    all: Vec<(Address, Address)>,
    ranks: Zipf,
    turn: usize,
}

impl StakingContracts {
    /// Deploys them; rewards begin to flow.
    pub(super) fn deploy(deployer: &mut Deployer, tokens: &Tokens) -> Result<Self, WorkloadError> {
        let admin = deployer.admin;
        let mut all = Vec::with_capacity(STAKING_CONTRACTS);
        for index in 0..STAKING_CONTRACTS {
            let (staked, reward) =
                (preset(deployer, &format!("STAKED{index}"))?, preset(deployer, &format!("REWARD{index}"))?);
            let contract = deployer.deploy("StakingRewards", arguments(&(admin, reward, staked)))?;
            let funds = ETHER * U256::from(6_048_000);
            tokens.give(deployer, reward, contract, funds)?;
            deployer.call(admin, contract, Staking::notifyRewardAmountCall { reward: funds })?;
            all.push((contract, staked));
        }
        Ok(Self { all, ranks: Zipf::new(STAKING_CONTRACTS, 1.0), turn: 0 })
    }

    /// Staking, harvesting (twice as often), taking a part back, and taking all.
    pub(super) fn act(&mut self, stage: &mut Stage, tokens: &Tokens, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.turn;
        self.turn += 1;
        let (contract, staked) = self.all[self.ranks.sample(&mut stage.random)];
        let amount = stage.ether(1, 100);
        tokens.give_for(&mut stage.deployer, staked, sender, amount * U256::from(2), contract)?;
        stage.deployer.call(sender, contract, Staking::stakeCall { amount })?;
        let input = match turn % 5 {
            0 => Staking::stakeCall { amount }.abi_encode(),
            1 | 3 => Staking::getRewardCall {}.abi_encode(),
            2 => Staking::withdrawCall { amount: amount / U256::from(2) }.abi_encode(),
            _ => Staking::exitCall {}.abi_encode(),
        };
        Ok(Call::contract(sender, contract, input, GAS_LIMIT))
    }
}

/// ERC-4626 vaults over the popular tokens.
#[derive(Debug)]
pub(super) struct Vaults {
    /// Vault and its asset.
    all: Vec<(Address, Address)>,
    ranks: Zipf,
    turn: usize,
}

impl Vaults {
    /// Deploys them; the administrator is in each already.
    pub(super) fn deploy(deployer: &mut Deployer, tokens: &Tokens) -> Result<Self, WorkloadError> {
        let admin = deployer.admin;
        let mut all = Vec::with_capacity(VAULTS);
        let assets: Vec<Address> = std::iter::once(tokens.weth).chain(tokens.traded()).take(VAULTS).collect();
        for asset in assets {
            let vault = deployer.deploy("BenchVault", arguments(&(asset,)))?;
            let assets = ETHER * U256::from(10_000);
            tokens.give_for(deployer, asset, admin, assets, vault)?;
            deployer.call(admin, vault, Vault::depositCall { assets, receiver: admin })?;
            // A first gain, so that a share is not worth exactly one.
            tokens.give(deployer, asset, vault, ETHER * U256::from(137))?;
            all.push((vault, asset));
        }
        Ok(Self { all, ranks: Zipf::new(VAULTS, 1.0), turn: 0 })
    }

    /// A deposit, or half as often each a redemption of shares and a withdrawal of assets.
    pub(super) fn act(&mut self, stage: &mut Stage, tokens: &Tokens, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.turn;
        self.turn += 1;
        let (vault, asset) = self.all[self.ranks.sample(&mut stage.random)];
        let assets = stage.ether(1, 100);
        tokens.give_for(&mut stage.deployer, asset, sender, assets, vault)?;
        let deposit = Vault::depositCall { assets, receiver: sender };
        let input = if turn.is_multiple_of(2) {
            deposit.abi_encode()
        } else {
            let shares = stage.deployer.call(sender, vault, deposit)?;
            match turn % 4 {
                1 => Vault::redeemCall { shares, receiver: sender, owner: sender }.abi_encode(),
                _ => {
                    let assets = assets / U256::from(2);
                    Vault::withdrawCall { assets, receiver: sender, owner: sender }.abi_encode()
                }
            }
        };
        Ok(Call::contract(sender, vault, input, GAS_LIMIT))
    }
}

/// Compound's governor as Uniswap published it, over UNI: a proposal is open in each.
#[derive(Debug)]
pub(super) struct Governors {
    /// Governor and proposal.
    all: Vec<(Address, U256)>,
    ranks: Zipf,
    uni: Address,
    turn: usize,
}

impl Governors {
    /// Deploys them and makes the proposals. Who delegates in the next block can still vote.
    pub(super) fn deploy(deployer: &mut Deployer, tokens: &Tokens) -> Result<Self, WorkloadError> {
        let admin = deployer.admin;
        // Who proposes must have a hundredth of all votes in an earlier block.
        deployer.call(admin, tokens.uni, delegateCall { delegatee: admin })?;
        deployer.advance(1, 12);
        let mut all = Vec::with_capacity(GOVERNORS);
        for _ in 0..GOVERNORS {
            let governor = deployer.deploy("GovernorAlpha", arguments(&(admin, tokens.uni)))?;
            let proposal = Governor::proposeCall {
                targets: vec![admin],
                values: vec![U256::ZERO],
                signatures: vec![String::new()],
                calldatas: vec![Bytes::new()],
                description: "more of everything".to_owned(),
            };
            all.push((governor, deployer.call(admin, governor, proposal)?));
        }
        deployer.advance(1, 12);
        Ok(Self { all, ranks: Zipf::new(GOVERNORS, 1.0), uni: tokens.uni, turn: 0 })
    }

    /// A vote.
    pub(super) fn vote(&mut self, stage: &mut Stage, tokens: &Tokens, sender: Address) -> Result<Call, WorkloadError> {
        let turn = self.turn;
        self.turn += 1;
        let (governor, proposal) = self.all[self.ranks.sample(&mut stage.random)];
        let votes = stage.ether(1, 1000);
        tokens.give(&mut stage.deployer, self.uni, sender, votes)?;
        stage.deployer.call(sender, self.uni, delegateCall { delegatee: sender })?;
        let input = Governor::castVoteCall { proposalId: proposal, support: turn % 3 != 2 }.abi_encode();
        Ok(Call::contract(sender, governor, input, GAS_LIMIT))
    }
}
