//! Profile 11: contracts around one counter, and the same contracts partitioned.

use super::{
    Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, Call, ETHER},
    erc20, one_block,
    sampling::{accounts, random},
};
use crate::contracts::{Deployer, arguments};
use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use rand::{Rng, seq::SliceRandom};

sol! {
    interface Collection {
        function mint() external returns (uint256 id);
    }
    interface Rewards {
        function stake(uint256 amount) external;
        function getReward() external;
        function notifyRewardAmount(uint256 reward) external;
    }
    interface Votes {
        function mint(address to, uint256 amount) external;
        function delegate(address delegatee) external;
    }
    interface Government {
        function propose(address[] targets, uint256[] values, bytes[] calldatas, string description) external returns (uint256 id);
        function castVote(uint256 id, uint8 support) external returns (uint256 weight);
    }
}

/// Mean over the mix.
const GAS: u64 = 90_000;
const GAS_LIMIT: u64 = 300_000;

/// One of each contract.
struct Partition {
    collection: Address,
    rewards: Address,
    staked: Address,
    votes: Address,
    government: Address,
    proposal: U256,
}

impl Partition {
    fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        let admin = deployer.admin;
        let collection = deployer.deploy("BenchCollection", Vec::new())?;
        let staked = erc20::token(deployer, "STAKED")?;
        let reward = erc20::token(deployer, "REWARD")?;
        let rewards = deployer.deploy("StakingRewards", arguments(&(admin, reward, staked)))?;
        let funds = ETHER * U256::from(6_048_000);
        deployer.call(admin, reward, erc20::mintCall { to: rewards, amount: funds })?;
        deployer.call(admin, rewards, Rewards::notifyRewardAmountCall { reward: funds })?;
        let votes = deployer.deploy("BenchVotes", Vec::new())?;
        let government = deployer.deploy("BenchGovernor", arguments(&(votes,)))?;
        Ok(Self { collection, rewards, staked, votes, government, proposal: U256::ZERO })
    }

    /// Makes the proposal; voters must have their votes by now.
    fn propose(&mut self, deployer: &mut Deployer) -> Result<(), WorkloadError> {
        let call = Government::proposeCall {
            targets: vec![deployer.admin],
            values: vec![U256::ZERO],
            calldatas: vec![Bytes::new()],
            description: "more counters".to_owned(),
        };
        self.proposal = deployer.call(deployer.admin, self.government, call)?;
        Ok(())
    }
}

pub(super) fn build(profile: &Profile, size: Size, seed: u64, partitions: usize) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let count = size.transactions(GAS);
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let mut contracts = (0..partitions).map(|_| Partition::deploy(&mut deployer)).collect::<Result<Vec<_>, _>>()?;
    let people = accounts(&mut random, count);
    deployer.advance(1, 12);
    for (index, person) in people.iter().enumerate() {
        let contracts = &contracts[(index / 4) % partitions];
        deployer.fund(*person, ETHER);
        match index % 4 {
            1 | 2 => {
                let amount = ETHER * U256::from(random.random_range(1..100_u64));
                erc20::endow(&mut deployer, contracts.staked, *person, amount * U256::from(2), contracts.rewards)?;
                deployer.call(*person, contracts.rewards, Rewards::stakeCall { amount })?;
            }
            3 => {
                deployer.call(deployer.admin, contracts.votes, Votes::mintCall { to: *person, amount: ETHER })?;
                deployer.call(*person, contracts.votes, Votes::delegateCall { delegatee: *person })?;
            }
            _ => {}
        }
    }
    deployer.advance(1, 12);
    for contracts in &mut contracts {
        contracts.propose(&mut deployer)?;
    }
    let mut calls: Vec<_> = people
        .iter()
        .enumerate()
        .map(|(index, person)| {
            let contracts = &contracts[(index / 4) % partitions];
            let (to, input) = match index % 4 {
                0 => (contracts.collection, Collection::mintCall {}.abi_encode()),
                1 => (contracts.rewards, Rewards::stakeCall { amount: U256::from(1000) }.abi_encode()),
                2 => (contracts.rewards, Rewards::getRewardCall {}.abi_encode()),
                _ => {
                    let support = random.random_range(0..3_u8);
                    let vote = Government::castVoteCall { id: contracts.proposal, support };
                    (contracts.government, vote.abi_encode())
                }
            };
            Call::contract(*person, to, input, GAS_LIMIT)
        })
        .collect();
    calls.shuffle(&mut random);
    let notes = format!("{count} calls: mints, stakes, harvests and votes, {partitions} contract(s) of each kind");
    Ok(one_block(profile, deployer.freeze(), calls, notes))
}
