//! The contracts of `docs/guide-parallel-contracts.md`, before and after, and a block of calls of each.
//!
//! Every block has one call by each of a hundred senders. What a call does for its own sender is the same before and after; only what all of them share differs.

use crate::{
    assembly::{Assembly, Word, add, argument, load, mapping, mapping_at, word},
    blocks::{BlockBuilder, Call, Key},
    contracts,
    memory::MemoryState,
    shipped::{CHAIN_ID, bundle},
};
use alloy_primitives::{Address, Bytes, U256, keccak256};
use braid_chain::Bundle;
use revm::bytecode::opcode::*;

/// The contract of every block.
pub const CONTRACT: Address = Address::repeat_byte(0xc0);
/// Who gets the fees of the token.
const TREASURY: Address = Address::repeat_byte(0x7e);
/// Who spends what the wallets allow.
const SPENDER: Address = Address::repeat_byte(0x5e);
/// The first wallet; the others follow.
const WALLET: Address = Address::repeat_byte(0xe0);
/// Wallets, and pools.
const MANY: u64 = 16;
const SENDERS: u64 = 100;
const FORK: &str = "Osaka";

fn sender() -> Word {
    word(CALLER, [])
}

/// `mapping[sender] += amount`, with the mapping at this slot.
fn credit(code: Assembly, at: u64, amount: impl Into<Word>) -> Assembly {
    let own = || mapping(sender(), at);
    code.store(own(), add(load(own()), amount))
}

/// `slot += amount`.
fn count(code: Assembly, slot: impl Into<Word> + Clone, amount: impl Into<Word>) -> Assembly {
    code.store(slot.clone(), add(load(slot), amount))
}

/// Logs the first argument.
fn log(code: Assembly) -> Assembly {
    code.op(MSTORE, [0.into(), argument(0)]).op(LOG1, [0.into(), 32.into(), sender()])
}

/// The blocks, with their names.
pub fn bundles() -> Vec<(&'static str, Bundle)> {
    let new = Assembly::new;
    // uint256 count; mapping(address => uint256) points
    let counter_before = count(credit(new(), 1, argument(0)), 0, 1);
    let counter_after = log(credit(new(), 1, argument(0)));
    // uint256 totalSupply; mapping(address => uint256) balances
    let supply_before = count(credit(new(), 1, argument(0)), 0, argument(0));
    // uint256[16] parts; …; the part is that of the sender
    let part = || word(AND, [sender(), 15.into()]);
    let supply_after = count(credit(new(), 16, argument(0)), part(), argument(0));
    // mapping(address => uint256) balances; mapping(address => uint256) owed
    let debit = || {
        let own = || mapping(sender(), 0);
        let to = || mapping(argument(0), 0);
        new().store(own(), word(SUB, [load(own()), argument(1)])).store(to(), add(load(to()), argument(1)))
    };
    let treasury = || mapping(TREASURY, 0);
    let fee_before = debit().store(treasury(), add(load(treasury()), 1));
    let fee_after = credit(debit(), 1, 1);
    // uint256 nextId; mapping(uint256 => address) owners; mapping(address => uint256) minted
    let ids_before = credit(count(new().store(mapping(load(0), 1), sender()), 0, 1), 2, 1);
    // The id is the hash of sender and number, so that it is nobody else's.
    let ids_after = credit(new().store(mapping(mapping(sender(), 0), 1), sender()), 2, 1);
    // uint256 perShare; uint256 staked; mapping(address => uint256) stakes; mapping(address => uint256) paid
    let rewards_before = {
        let code = count(count(credit(new(), 2, argument(0)), 1, argument(0)), 0, argument(0));
        code.store(mapping(sender(), 3), load(0))
    };
    // The rate is set by the owner now and then: it is read by all and written by nobody.
    let rewards_after = credit(new(), 2, argument(0)).store(mapping(sender(), 3), load(0));

    // mapping(address => uint256) balances; mapping(address => mapping(address => uint256)) allowances: what is taken from a wallet by one spender.
    let take = |wallet: fn() -> Word, is_counted: bool| {
        let from = || mapping(wallet(), 0);
        let allowance = || mapping_at(SPENDER, mapping(wallet(), 1));
        let code = credit(new().store(from(), word(SUB, [load(from()), argument(0)])), 0, argument(0));
        match is_counted {
            true => code.store(allowance(), word(SUB, [load(allowance()), argument(0)])),
            false => code.discard(load(allowance())),
        }
    };
    let one: fn() -> Word = || WALLET.into();
    let by_sender: fn() -> Word = || add(WALLET, word(AND, [sender(), (MANY - 1).into()]));
    // uint256 lock; uint256 swaps; mapping(uint256 => uint256) reserves; mapping(address => uint256) bought: all pools in one contract.
    let swap = |is_counted: bool| {
        let reserves = || mapping(argument(0), 2);
        let code = new().store(0, 2).store(reserves(), add(load(reserves()), argument(1)));
        let code = credit(code, 3, load(reserves()));
        let code = if is_counted { count(code, 1, 1) } else { code };
        code.store(0, 1)
    };

    let amount = |index: u64| vec![U256::from(index + 1)];
    let transfer = |index: u64| {
        let to = Address::with_last_byte(0x80 + index as u8);
        vec![U256::from_be_slice(to.as_slice()), U256::from(3)]
    };
    let rich = |wallets: u64| -> Vec<(U256, U256)> {
        let entries = (0..wallets).flat_map(|index| {
            let wallet = U256::from_be_slice(WALLET.as_slice()) + U256::from(index);
            let balance = slot_of(wallet, U256::ZERO);
            let allowance = slot_of(U256::from_be_slice(SPENDER.as_slice()), slot_of(wallet, U256::ONE));
            [(balance, U256::from(1_000_000)), (allowance, U256::from(1_000_000))]
        });
        entries.collect()
    };
    let pools: Vec<(U256, U256)> = (0..MANY)
        .map(|pool| (slot_of(U256::from(pool), U256::from(2)), U256::from(1_000)))
        .chain(small(&[(0, 1), (1, 1)]))
        .collect();
    let in_one = |index: u64| vec![U256::ZERO, U256::from(index + 1)];
    let in_many = |index: u64| vec![U256::from(index % MANY), U256::from(index + 1)];
    let parts: Vec<(u64, u64)> = (0..16).map(|part| (part, 1)).collect();
    let none = |_: u64| Vec::new();
    vec![
        ("guide_counter_before", block(counter_before, "vote(uint256)", amount, Vec::new(), &[1])),
        ("guide_counter_after", block(counter_after, "vote(uint256)", amount, Vec::new(), &[1])),
        ("guide_supply_before", block(supply_before, "mint(uint256)", amount, small(&[(0, 1)]), &[1])),
        ("guide_supply_after", block(supply_after, "mint(uint256)", amount, small(&parts), &[16])),
        ("guide_fee_before", block(fee_before, "transfer(address,uint256)", transfer, Vec::new(), &[0])),
        ("guide_fee_after", block(fee_after, "transfer(address,uint256)", transfer, Vec::new(), &[0, 1])),
        ("guide_ids_before", block(ids_before, "mint()", none, small(&[(0, 1)]), &[2])),
        ("guide_ids_after", block(ids_after, "mint()", none, Vec::new(), &[2])),
        ("guide_rewards_before", block(rewards_before, "stake(uint256)", amount, small(&[(0, 1), (1, 1)]), &[2, 3])),
        ("guide_rewards_after", block(rewards_after, "stake(uint256)", amount, small(&[(0, 1)]), &[2, 3])),
        ("guide_allowance_before", block(take(one, true), "take(uint256)", amount, rich(1), &[0])),
        ("guide_allowance_after", block(take(one, false), "take(uint256)", amount, rich(1), &[0])),
        ("guide_wallets_after", block(take(by_sender, false), "take(uint256)", amount, rich(MANY), &[0])),
        ("guide_pool", block(swap(false), "swap(uint256,uint256)", in_one, pools.clone(), &[3])),
        ("guide_swaps_before", block(swap(true), "swap(uint256,uint256)", in_many, pools.clone(), &[3])),
        ("guide_swaps_after", block(swap(false), "swap(uint256,uint256)", in_many, pools, &[3])),
    ]
}

fn small(storage: &[(u64, u64)]) -> Vec<(U256, U256)> {
    storage.iter().map(|(slot, value)| (U256::from(*slot), U256::from(*value))).collect()
}

/// The slot of an entry of a mapping.
fn slot_of(key: U256, mapping: U256) -> U256 {
    U256::from_be_bytes(keccak256([key.to_be_bytes::<32>(), mapping.to_be_bytes()].concat()).0)
}

/// One call by each sender.
fn block(
    code: Assembly,
    signature: &str,
    arguments: impl Fn(u64) -> Vec<U256>,
    storage: Vec<(U256, U256)>,
    mappings: &[u64],
) -> Bundle {
    let mut state = MemoryState::default();
    contracts::deploy_system_contracts(&mut state);
    state.deploy(CONTRACT, code.build(), &[]);
    state.accounts.get_mut(&CONTRACT).expect("it was just deployed").storage.extend(storage);
    let mut block = BlockBuilder::new(FORK).chain_id(CHAIN_ID);
    block.header.parent_hash = keccak256(signature);
    let selector = &keccak256(signature)[..4];
    for index in 0..SENDERS {
        let key = Key::new(1_000 + index);
        state.fund(key.address, crate::blocks::ether(1));
        // Everybody has used the contract before: what a first use costs is not what this is about.
        let contract = state.accounts.get_mut(&CONTRACT).expect("it was just deployed");
        for mapping in mappings {
            let entry = slot_of(U256::from_be_slice(key.address.as_slice()), U256::from(*mapping));
            contract.storage.insert(entry, U256::from(1_000));
        }
        let words = arguments(index).into_iter().flat_map(|word| word.to_be_bytes::<32>());
        let input: Bytes = selector.iter().copied().chain(words).collect();
        block = block.call(&key, Call { input, gas: 200_000, ..Call::to(CONTRACT) });
    }
    bundle(&block, &state, FORK)
}
