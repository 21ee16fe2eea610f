//! The contracts of `docs/guide-parallel-contracts.md`, before and after, and a block of calls of each.
//!
//! Every block has one call by each of a hundred senders. What a call does for its own sender is the same before and after; only what all of them share differs.

use crate::{
    assembly::{Assembly, Word, add, argument, load, mapping, word},
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

    let amount = |index: u64| vec![U256::from(index + 1)];
    let transfer = |index: u64| {
        let to = Address::with_last_byte(0x80 + index as u8);
        vec![U256::from_be_slice(to.as_slice()), U256::from(3)]
    };
    let parts: Vec<(u64, u64)> = (0..16).map(|part| (part, 1)).collect();
    let none = |_: u64| Vec::new();
    vec![
        ("guide_counter_before", block(counter_before, "vote(uint256)", amount, &[], &[1])),
        ("guide_counter_after", block(counter_after, "vote(uint256)", amount, &[], &[1])),
        ("guide_supply_before", block(supply_before, "mint(uint256)", amount, &[(0, 1)], &[1])),
        ("guide_supply_after", block(supply_after, "mint(uint256)", amount, &parts, &[16])),
        ("guide_fee_before", block(fee_before, "transfer(address,uint256)", transfer, &[], &[0])),
        ("guide_fee_after", block(fee_after, "transfer(address,uint256)", transfer, &[], &[0, 1])),
        ("guide_ids_before", block(ids_before, "mint()", none, &[(0, 1)], &[2])),
        ("guide_ids_after", block(ids_after, "mint()", none, &[], &[2])),
        ("guide_rewards_before", block(rewards_before, "stake(uint256)", amount, &[(0, 1), (1, 1)], &[2, 3])),
        ("guide_rewards_after", block(rewards_after, "stake(uint256)", amount, &[(0, 1)], &[2, 3])),
    ]
}

/// One call by each sender.
fn block(
    code: Assembly,
    signature: &str,
    arguments: impl Fn(u64) -> Vec<U256>,
    storage: &[(u64, u64)],
    mappings: &[u64],
) -> Bundle {
    let mut state = MemoryState::default();
    contracts::deploy_system_contracts(&mut state);
    state.deploy(CONTRACT, code.build(), storage);
    let mut block = BlockBuilder::new(FORK).chain_id(CHAIN_ID);
    block.header.parent_hash = keccak256(signature);
    let selector = &keccak256(signature)[..4];
    for index in 0..SENDERS {
        let key = Key::new(1_000 + index);
        state.fund(key.address, crate::blocks::ether(1));
        // Everybody has used the contract before: what a first use costs is not what this is about.
        let contract = state.accounts.get_mut(&CONTRACT).expect("it was just deployed");
        for mapping in mappings {
            let entry = keccak256([key.address.into_word().0, U256::from(*mapping).to_be_bytes()].concat());
            contract.storage.insert(U256::from_be_bytes(entry.0), U256::from(1_000));
        }
        let words = arguments(index).into_iter().flat_map(|word| word.to_be_bytes::<32>());
        let input: Bytes = selector.iter().copied().chain(words).collect();
        block = block.call(&key, Call { input, gas: 200_000, ..Call::to(CONTRACT) });
    }
    bundle(&block, &state, FORK)
}
