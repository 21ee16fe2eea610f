//! Profile 12: everything that makes predictions wrong, or a wrong prediction costly.
//!
//! By gas: an eighth each of pointer chases through a shared cursor, pointer chases of one's own, delegations (EIP-7702) set
//! and used in the block, children made by CREATE2, poked and destroyed, reads of the beneficiary's balance, calls with wrong
//! access lists, plain transfers between, and giants as large as the fork of today allows (16 Mgas).

use super::{
    BlockBuilder, Profile, Size, Workload, WorkloadError,
    block_builder::{BENEFICIARY, Call, ETHER},
    generated,
    sampling::{accounts, random},
};
use crate::contracts::Deployer;
use alloy_eips::{
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::{SolCall, sol};
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha12Rng;
use std::sync::Arc;

sol! {
    interface Chase {
        function chase(uint256 rounds) external;
        function chaseOwn(uint256 rounds) external;
    }
    interface Reader {
        function observe() external;
        function glance() external;
    }
    interface Factory {
        function makeAndDestroy(bytes32 salt) external payable;
        function make(bytes32 salt) external payable;
        function poke(address child) external returns (bool ok);
    }
    interface Child {
        function destroy(address to) external;
    }
    interface Delegate {
        function increment() external payable;
    }
    interface Giant {
        function grind(uint256 key, uint256 rounds) external;
    }
}

/// The largest transaction that EIP-7825 allows, rounded down.
const GIANT_GAS: u64 = 16_000_000;
/// One round of the giants' loop.
const GIANT_ROUND_GAS: u64 = 244;

/// What one step puts into the block.
enum Step {
    Call(Call),
    /// An authorisation of `authority` for the delegate, carried by `call`.
    Authorize {
        call: Call,
        to: Address,
        authorization: SignedAuthorization,
        authority: Address,
    },
}

struct Contracts {
    chase: Address,
    reader: Address,
    factory: Address,
    delegate: Address,
    giant: Address,
    child_code_hash: B256,
}

/// Senders that are used once.
struct Fresh {
    accounts: std::vec::IntoIter<Address>,
}

impl Fresh {
    /// The next account. There are more of them than any mix takes.
    fn next(&mut self) -> Address {
        self.accounts.next().unwrap_or(BENEFICIARY)
    }
}

impl Contracts {
    fn deploy(deployer: &mut Deployer) -> Result<Self, WorkloadError> {
        let child = crate::contracts::Artifact::load("BenchChild")?.init_code()?;
        Ok(Self {
            chase: deployer.deploy("BenchPointerChase", Vec::new())?,
            reader: deployer.deploy("BenchCoinbaseReader", Vec::new())?,
            factory: deployer.deploy("BenchFactory", Vec::new())?,
            delegate: deployer.deploy("BenchDelegate", Vec::new())?,
            giant: deployer.deploy("BenchGiant", Vec::new())?,
            child_code_hash: keccak256(child),
        })
    }

    fn child(&self, salt: B256) -> Address {
        self.factory.create2(salt, self.child_code_hash)
    }
}

/// An authorisation that somebody signed: any signature that recovers belongs to some account, which is then the authority.
fn authorization(random: &mut ChaCha12Rng, delegate: Address) -> (SignedAuthorization, Address) {
    let unsigned = Authorization { chain_id: U256::from(1), address: delegate, nonce: 0 };
    loop {
        let r = U256::from_be_bytes(random.random::<[u8; 32]>()) >> 1;
        let s = U256::from_be_bytes(random.random::<[u8; 32]>()) >> 2;
        let signed = SignedAuthorization::new_unchecked(unsigned.clone(), 0, r, s);
        if let Ok(authority) = signed.recover_authority() {
            return (signed, authority);
        }
    }
}

pub(super) fn build(profile: &Profile, size: Size, seed: u64) -> Result<Workload, WorkloadError> {
    let mut random = random(seed, profile.name);
    let mut deployer = Deployer::new();
    deployer.fund(BENEFICIARY, ETHER);
    let contracts = Contracts::deploy(&mut deployer)?;
    let people = accounts(&mut random, size.transactions(21_000));
    for person in &people {
        deployer.fund(*person, ETHER);
    }
    let mut fresh = Fresh { accounts: people.into_iter() };
    let share = Size { gas: size.gas / 8 };

    let mut steps: Vec<Vec<Step>> = Vec::new();
    let mut alone = |call| steps.push(vec![Step::Call(call)]);
    for _ in 0..share.transactions(200_000) {
        let rounds = U256::from(random.random_range(4..10_u64));
        alone(Call::contract(fresh.next(), contracts.chase, Chase::chaseCall { rounds }.abi_encode(), 400_000));
    }
    for _ in 0..share.transactions(220_000) {
        let rounds = U256::from(random.random_range(4..10_u64));
        alone(Call::contract(fresh.next(), contracts.chase, Chase::chaseOwnCall { rounds }.abi_encode(), 500_000));
    }
    for index in 0..share.transactions(47_000) {
        let input =
            if index % 4 == 0 { Reader::glanceCall {}.abi_encode() } else { Reader::observeCall {}.abi_encode() };
        alone(Call::contract(fresh.next(), contracts.reader, input, 100_000));
    }
    for _ in 0..share.transactions(21_000) {
        let (from, to) = (fresh.next(), random.random::<[u8; 20]>().into());
        alone(Call::transfer(from, to, U256::from(random.random_range(1..1_000_000_u64))));
    }
    let giant = GIANT_GAS.min(share.gas);
    for index in 0..share.transactions(giant) {
        let rounds = U256::from(giant.saturating_sub(100_000) / GIANT_ROUND_GAS);
        let input = Giant::grindCall { key: U256::from(index), rounds }.abi_encode();
        alone(Call::contract(fresh.next(), contracts.giant, input, GIANT_GAS));
    }
    wrong_lists(&mut steps, &mut fresh, &contracts, share, &mut random);
    delegations(&mut steps, &mut fresh, &contracts, share, &mut random, &mut deployer);
    children(&mut steps, &mut fresh, &contracts, share, &mut random);
    steps.shuffle(&mut random);
    let order = interleaved(steps, &mut random);

    let snapshot = Arc::new(deployer.freeze());
    let mut builder = BlockBuilder::new(&snapshot);
    for step in order {
        match step {
            Step::Call(call) => builder.push(call),
            Step::Authorize { call, to, authorization, authority } => {
                builder.push_with_authorizations(call, to, vec![authorization]);
                builder.take_nonce(authority);
            }
        }
    }
    let notes = format!("{} transactions of eight kinds", builder.len());
    let block = builder.finish();
    Ok(generated(profile, snapshot, block, notes))
}

/// Calls whose access lists name keys that the call never touches.
fn wrong_lists(
    steps: &mut Vec<Vec<Step>>,
    fresh: &mut Fresh,
    contracts: &Contracts,
    share: Size,
    random: &mut ChaCha12Rng,
) {
    const KEYS: usize = 100;
    for index in 0..share.transactions(400_000) {
        // Every twentieth is huge, where the block is large enough for it.
        let keys = if index % 20 == 19 { 40 * KEYS } else { KEYS };
        let list = AccessList(vec![AccessListItem {
            address: contracts.chase,
            storage_keys: (0..keys).map(|_| B256::from(random.random::<[u8; 32]>())).collect(),
        }]);
        let input = Chase::chaseOwnCall { rounds: U256::from(4) }.abi_encode();
        let gas = 600_000 + 2_000 * keys as u64;
        steps.push(vec![Step::Call(Call::contract(fresh.next(), contracts.chase, input, gas).with_access_list(list))]);
    }
}

/// Accounts that get a delegation in the block, are called, and then send a transaction of their own.
fn delegations(
    steps: &mut Vec<Vec<Step>>,
    fresh: &mut Fresh,
    contracts: &Contracts,
    share: Size,
    random: &mut ChaCha12Rng,
    deployer: &mut Deployer,
) {
    for _ in 0..share.transactions(46_000 + 2 * 30_000 + 31_000) {
        let (authorization, authority) = authorization(random, contracts.delegate);
        deployer.fund(authority, ETHER);
        let increment = || Delegate::incrementCall {}.abi_encode();
        let carrier = Call::contract(fresh.next(), authority, increment(), 200_000);
        steps.push(vec![
            Step::Authorize { call: carrier, to: authority, authorization, authority },
            Step::Call(Call::contract(fresh.next(), authority, increment(), 100_000)),
            Step::Call(Call { value: U256::from(7), ..Call::contract(fresh.next(), authority, increment(), 100_000) }),
            Step::Call(Call::contract(authority, authority, increment(), 100_000)),
        ]);
    }
}

/// Children of CREATE2 under salts that are used again and again, poked before, while and after they exist.
fn children(
    steps: &mut Vec<Vec<Step>>,
    fresh: &mut Fresh,
    contracts: &Contracts,
    share: Size,
    random: &mut ChaCha12Rng,
) {
    for _ in 0..share.transactions(2 * 90_000 + 130_000 + 2 * 32_000 + 31_000) {
        let (short_lived, lasting) = (B256::from(random.random::<[u8; 32]>()), B256::from(random.random::<[u8; 32]>()));
        let mut call = |input: Vec<u8>, value: u64| {
            let call = Call::contract(fresh.next(), contracts.factory, input, 400_000);
            Step::Call(Call { value: U256::from(value), ..call })
        };
        let again = || Factory::makeAndDestroyCall { salt: short_lived }.abi_encode();
        let poke = |child| Factory::pokeCall { child }.abi_encode();
        let mut chain = vec![
            call(again(), 5),
            call(poke(contracts.child(lasting)), 0),
            call(Factory::makeCall { salt: lasting }.abi_encode(), 9),
            call(again(), 0),
            call(poke(contracts.child(lasting)), 0),
        ];
        let input = Child::destroyCall { to: contracts.factory }.abi_encode();
        chain.push(Step::Call(Call::contract(fresh.next(), contracts.child(lasting), input, 100_000)));
        steps.push(chain);
    }
}

/// Mixes the chains with each other, every chain in its own order.
fn interleaved(chains: Vec<Vec<Step>>, random: &mut ChaCha12Rng) -> Vec<Step> {
    let mut order: Vec<usize> =
        chains.iter().enumerate().flat_map(|(index, chain)| std::iter::repeat_n(index, chain.len())).collect();
    order.shuffle(random);
    let mut chains: Vec<_> = chains.into_iter().map(Vec::into_iter).collect();
    order.into_iter().filter_map(|index| chains[index].next()).collect()
}
