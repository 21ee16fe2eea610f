//! One block of very many transactions, for whatever shows blocks: payments, tokens, a few contested contracts, and one that everybody waits for.

use crate::{
    assembly::{Assembly, Word, add, argument, load, mapping, word},
    blocks::{BlockBuilder, Call, Key, ether},
    contracts,
    memory::MemoryState,
    shipped::{CHAIN_ID, bundle},
};
use alloy_primitives::{Address, Bytes, U256, keccak256};
use braid_chain::Bundle;
use revm::bytecode::opcode::CALLER;

/// Everybody's own entry in the mapping at slot 0.
pub const TOKEN: Address = Address::repeat_byte(0x70);
/// A counter in slot 0, for every fifth transaction.
pub const COUNTER: Address = Address::repeat_byte(0xc0);
/// Contracts with a sum in slot 0 each, for a third of the transactions together.
pub const POOLS: u64 = 12;
const FORK: &str = "Osaka";

/// The address of a pool.
pub fn pool(index: u64) -> Address {
    Address::repeat_byte(0xa0 + index as u8)
}

/// A block with this many transactions, each of another sender.
pub fn crowd(transactions: u64) -> Bundle {
    let own = || mapping(word(CALLER, []), 0);
    let sum = |code: Assembly, amount: Word| code.store(0, add(load(0), amount));
    let mut state = MemoryState::default();
    contracts::deploy_system_contracts(&mut state);
    state.deploy(TOKEN, Assembly::new().store(own(), add(load(own()), argument(1))).build(), &[]);
    state.deploy(COUNTER, sum(Assembly::new(), 1.into()).build(), &[(0, 1)]);
    for index in 0..POOLS {
        state.deploy(pool(index), sum(Assembly::new(), argument(1)).build(), &[(0, 1)]);
    }
    let mut block = BlockBuilder::new(FORK).chain_id(CHAIN_ID).gas_limit(transactions * 100_000);
    block.header.parent_hash = keccak256("crowd");
    for index in 0..transactions {
        let key = Key::new(50_000 + index);
        state.fund(key.address, ether(1));
        let call = |to: Address, signature: &str| {
            let words = [U256::from_be_slice(key.address.as_slice()), U256::from(index + 1)];
            let words = words.iter().flat_map(|word| word.to_be_bytes::<32>());
            let input: Bytes = keccak256(signature)[..4].iter().copied().chain(words).collect();
            Call { input, gas: 80_000, ..Call::to(to) }
        };
        block = block.call(
            &key,
            match index % 15 {
                0 | 5 | 10 => call(COUNTER, "mint(address,uint256)"),
                1 | 4 | 7 | 9 | 13 => call(pool(index / 15 % POOLS), "deposit(uint256,address)"),
                2 | 8 => Call::to(Address::left_padding_from(&(0x10_0000 + index).to_be_bytes())).value(1),
                _ => call(TOKEN, "transfer(address,uint256)"),
            },
        );
    }
    bundle(&block, &state, FORK)
}
