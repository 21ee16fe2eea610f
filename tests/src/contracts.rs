//! Contracts written to conflict. Arguments are words after a four-byte selector.

use crate::{
    assembly::{Assembly, Word, add, argument, load, mapping, word},
    memory::MemoryState,
};
use alloy_primitives::{Address, Bytes, U256, address};
use revm::bytecode::opcode::*;

/// Counts in slot `argument(0)`.
pub fn counter() -> Bytes {
    Assembly::new().store(argument(0), add(load(argument(0)), 1)).build()
}

/// Balances in a mapping at slot 0: moves `argument(1)` from the caller to `argument(0)`, and reverts if there is not enough.
/// Logs the amount.
pub fn token() -> Bytes {
    let own = || mapping(word(CALLER, []), 0);
    Assembly::new()
        .when(word(LT, [load(own()), argument(1)]), Assembly::new().revert())
        .store(own(), word(SUB, [load(own()), argument(1)]))
        .store(mapping(argument(0), 0), add(load(mapping(argument(0), 0)), argument(1)))
        .op(MSTORE, [0.into(), argument(1)])
        .op(LOG2, [0.into(), 32.into(), word(CALLER, []), argument(0)])
        .return_word(1)
        .build()
}

/// Follows a chain: the value of slot 0 is the next key, whose value is the next one. Writes `argument(0)` to where it ends up
/// after three steps, and puts that key into slot 0.
pub fn chain() -> Bytes {
    let end = || word(AND, [load(load(load(0))), 15.into()]);
    Assembly::new().store(end(), add(argument(0), load(end()))).store(0, end()).build()
}

/// Destroys itself in favour of `argument(0)` if that is not zero; otherwise adds its call value to slot 1.
pub fn destroyer() -> Bytes {
    Assembly::new()
        .when(argument(0), Assembly::new().op(SELFDESTRUCT, [argument(0)]))
        .store(1, add(load(1), add(word(CALLVALUE, []), 1)))
        .build()
}

/// Code that makes a [`destroyer`] with 7 in slot 1 and its own address in slot 2.
pub fn destroyer_init() -> Bytes {
    Assembly::new().store(1, 7).store(2, word(ADDRESS, [])).creating(&destroyer())
}

/// Code that destroys itself while it is being created.
pub fn stillborn_init() -> Bytes {
    Assembly::new().store(1, 7).op(SELFDESTRUCT, [word(CALLER, [])]).build()
}

fn memory_of(code: &Bytes) -> Assembly {
    let mut assembly = Assembly::new();
    for (index, chunk) in code.chunks(32).enumerate() {
        let mut padded = [0; 32];
        padded[..chunk.len()].copy_from_slice(chunk);
        assembly = assembly.op(MSTORE, [(32 * index as u64).into(), U256::from_be_bytes(padded).into()]);
    }
    assembly
}

/// Makes a [`destroyer`] with salt `argument(0)` (CREATE2), sends it `argument(1)` wei, and keeps its address in slot `argument(0)`.
/// If `argument(2)` is not zero it calls the new contract with that argument, which destroys it.
pub fn factory() -> Bytes {
    let init = destroyer_init();
    let create = word(CREATE2, [argument(1), 0.into(), (init.len() as u64).into(), argument(0)]);
    memory_of(&init)
        .store(argument(0), create)
        .when(argument(2), call_with(load(argument(0)), 0.into(), argument(2)))
        .build()
}

/// The address of the contract that [`factory`] makes with this salt.
pub fn factory_child(factory: Address, salt: u64) -> Address {
    factory.create2_from_code(U256::from(salt).to_be_bytes::<32>(), destroyer_init())
}

/// Makes a [`destroyer`] with CREATE and keeps its address in slot `argument(0)`.
pub fn nursery() -> Bytes {
    let init = destroyer_init();
    memory_of(&init)
        .store(argument(0), word(CREATE, [word(CALLVALUE, []), 0.into(), (init.len() as u64).into()]))
        .build()
}

/// Calls with one argument and ignores the result.
fn call_with(target: Word, value: Word, first: Word) -> Assembly {
    Assembly::new()
        .op(MSTORE, [0x404.into(), first])
        .discard(word(CALL, [word(GAS, []), target, value, 0x400.into(), 36.into(), 0.into(), 0.into()]))
}

/// Sends `argument(1)` wei to `argument(0)` without data, and notes in slot 1 whether that went well.
pub fn payer() -> Bytes {
    let call = word(CALL, [word(GAS, []), argument(0), argument(1), 0.into(), 0.into(), 0.into(), 0.into()]);
    Assembly::new().store(1, add(word(MUL, [load(1), 2.into()]), call)).build()
}

/// Looks at the account `argument(0)` and at what is around, and keeps the sum in a slot that depends on a part of it.
pub fn reader() -> Bytes {
    let account = || argument(0);
    let sum = add(
        word(BALANCE, [account()]),
        add(word(EXTCODESIZE, [account()]), word(BLOCKHASH, [word(SUB, [word(NUMBER, []), argument(1)])])),
    );
    Assembly::new()
        .store(word(AND, [word(BALANCE, [account()]), 3.into()]), sum)
        .store(4, word(EXTCODEHASH, [account()]))
        .store(5, add(word(SELFBALANCE, []), word(BALANCE, [word(COINBASE, [])])))
        .build()
}

/// Looks at the balance of `argument(0)`, only with what there was at Frontier.
pub fn old_reader() -> Bytes {
    Assembly::new()
        .store(0, word(BALANCE, [argument(0)]))
        .store(1, word(EXTCODESIZE, [argument(0)]))
        .store(2, word(BALANCE, [word(COINBASE, [])]))
        .build()
}

/// Counts in slot 0, pays `argument(0)`, and then fails: with a revert if `argument(1)` is 1, by running out of gas if it is 2, with
/// an invalid instruction if it is 3.
pub fn failer() -> Bytes {
    let is = |value: u64| word(EQ, [argument(1), value.into()]);
    let exhaust = Assembly::new().discard(word(KECCAK256, [0.into(), 0xff_ffff_ffff_u64.into()]));
    Assembly::new()
        .store(0, add(load(0), 1))
        .discard(word(CALL, [word(GAS, []), argument(0), 1.into(), 0.into(), 0.into(), 0.into(), 0.into()]))
        .when(is(1), Assembly::new().revert())
        .when(is(2), exhaust)
        .when(is(3), Assembly::new().op(INVALID, []))
        .build()
}

/// Calls a precompile at `argument(0)` with the call data and the call value, and keeps what came back.
pub fn precompile_caller() -> Bytes {
    let call =
        word(CALL, [word(GAS, []), argument(0), word(CALLVALUE, []), 0.into(), argument(1), 0x200.into(), 32.into()]);
    Assembly::new()
        .op(CALLDATACOPY, [0.into(), 68.into(), word(CALLDATASIZE, [])])
        .store(0, call)
        .store(1, add(load(1), word(MLOAD, [0x200.into()])))
        .build()
}

/// Calls itself `argument(0)` times with all the gas it may pass on, then counts in slot `argument(1)`.
pub fn deep() -> Bytes {
    let again = Assembly::new()
        .op(CALLDATACOPY, [0.into(), 0.into(), word(CALLDATASIZE, [])])
        .op(MSTORE, [4.into(), word(SUB, [argument(0), 1.into()])])
        .discard(word(
            CALL,
            [word(GAS, []), word(ADDRESS, []), 0.into(), 0.into(), word(CALLDATASIZE, []), 0.into(), 0.into()],
        ));
    Assembly::new().when(argument(0), again).store(argument(1), add(load(argument(1)), 1)).build()
}

/// Calls `argument(0)` with the arguments from the third on, in the way that `argument(1)` says: 0 CALL with the call value,
/// 1 DELEGATECALL, 2 CALLCODE, 3 STATICCALL. Goes on whatever comes of it, and notes success in slot 9.
pub fn router() -> Bytes {
    let is = |value: u64| word(EQ, [argument(1), value.into()]);
    let size = || word(SUB, [word(CALLDATASIZE, []), 64.into()]);
    let keep = |result: Word| Assembly::new().store(9, add(load(9), result));
    let gas = || word(GAS, []);
    Assembly::new()
        // The selector, then the arguments of the inner call.
        .op(CALLDATACOPY, [0.into(), 0.into(), 4.into()])
        .op(CALLDATACOPY, [4.into(), 68.into(), word(CALLDATASIZE, [])])
        .when(is(0), keep(word(CALL, [gas(), argument(0), word(CALLVALUE, []), 0.into(), size(), 0.into(), 0.into()])))
        .when(is(1), keep(word(DELEGATECALL, [gas(), argument(0), 0.into(), size(), 0.into(), 0.into()])))
        .when(
            is(2),
            keep(word(CALLCODE, [gas(), argument(0), word(CALLVALUE, []), 0.into(), size(), 0.into(), 0.into()])),
        )
        .when(is(3), keep(word(STATICCALL, [gas(), argument(0), 0.into(), size(), 0.into(), 0.into()])))
        .build()
}

/// Counts in transient slot `argument(0)`, calls itself once, and keeps the count in the slot of the same number.
pub fn transient() -> Bytes {
    let count = || word(TLOAD, [argument(0)]);
    let again = Assembly::new()
        .op(CALLDATACOPY, [0.into(), 0.into(), 36.into()])
        .discard(word(CALL, [word(GAS, []), word(ADDRESS, []), 0.into(), 0.into(), 36.into(), 0.into(), 0.into()]));
    Assembly::new()
        .op(TSTORE, [argument(0), add(count(), 1)])
        .when(word(LT, [count(), 3.into()]), again)
        .store(argument(0), add(load(argument(0)), count()))
        .build()
}

/// Pays `argument(0)` wei to the beneficiary of the block and counts in slot 0 if the beneficiary then has more than `argument(1)` wei.
pub fn briber() -> Bytes {
    let pay = word(CALL, [word(GAS, []), word(COINBASE, []), argument(0), 0.into(), 0.into(), 0.into(), 0.into()]);
    Assembly::new()
        .discard(pay)
        .when(word(GT, [word(BALANCE, [word(COINBASE, [])]), argument(1)]), Assembly::new().store(0, add(load(0), 1)))
        .build()
}

/// Reads `argument(1)` slots from `argument(0)` on and keeps their sum in slot 0.
pub fn sweeper() -> Bytes {
    // counter := argument(1); sum := 0; loop { sum += sload(argument(0) + counter); counter -= 1 } kept in memory
    let start = Assembly::new().op(MSTORE, [0.into(), argument(1)]).build();
    let body = Assembly::new()
        .op(MSTORE, [32.into(), add(word(MLOAD, [32.into()]), load(add(argument(0), word(MLOAD, [0.into()]))))])
        .op(MSTORE, [0.into(), word(SUB, [word(MLOAD, [0.into()]), 1.into()])])
        .build();
    let mut code = start.to_vec();
    let head = code.len() as u64;
    code.push(JUMPDEST);
    code.extend_from_slice(&body);
    code.extend_from_slice(&Assembly::new().op(JUMPI, [head.into(), word(MLOAD, [0.into()])]).build());
    code.extend_from_slice(&Assembly::new().store(0, word(MLOAD, [32.into()])).build());
    code.into()
}

/// Code for accounts to delegate to: counts in slot 0, pays 1 wei to `argument(0)`, and makes a contract if `argument(1)` is not zero, which
/// counts up the nonce of the account.
pub fn delegate() -> Bytes {
    let create = Assembly::new().store(1, word(CREATE, [0.into(), 0.into(), 0.into()]));
    Assembly::new()
        .store(0, add(load(0), 1))
        .discard(word(CALL, [word(GAS, []), argument(0), 1.into(), 0.into(), 0.into(), 0.into(), 0.into()]))
        .when(argument(1), create)
        .build()
}

/// Keeps the beacon root (EIP-4788), in slot 0.
pub const BEACON_ROOTS: Address = address!("000F3df6D732807Ef1319fB7B8bB8522d0Beac02");
/// Keeps the hash of the parent (EIP-2935), in slot 0.
pub const HISTORY: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");
/// Requests to withdraw (EIP-7002).
pub const WITHDRAWAL_REQUESTS: Address = address!("00000961Ef480Eb55e80D19ad83579A64c007002");
/// Requests to consolidate (EIP-7251).
pub const CONSOLIDATION_REQUESTS: Address = address!("0000BBdDc7CE488642fb579F8B00f3a590007251");
/// Requests of builders (EIP-8282).
pub const BUILDER_QUEUES: [Address; 2] =
    [address!("0000BFF46984E3725691FA540A8C7589300D8282"), address!("000064D678505AD48F8CCB093BC65613800E8282")];
const SYSTEM: Address = address!("fffffffffffffffffffffffffffffffffffffffe");

/// Puts simple contracts where the system calls go; from Prague on no block can be executed without. Each keeps in slot 0 the first word
/// it is told; the queues give that word as the requests of the block.
pub fn deploy_system_contracts(state: &mut MemoryState) {
    let keep = || Assembly::new().store(0, word(CALLDATALOAD, [0.into()]));
    let is_system = word(EQ, [word(CALLER, []), SYSTEM.into()]);
    let queue = Assembly::new().when(is_system, Assembly::new().return_word(load(0)));
    let mut queue = queue.build().to_vec();
    queue.extend_from_slice(&keep().build());
    for address in [BEACON_ROOTS, HISTORY] {
        state.deploy(address, keep().build(), &[]);
    }
    for address in [WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS] {
        state.deploy(address, queue.clone(), &[]);
    }
}
