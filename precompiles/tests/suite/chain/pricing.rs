//! State access by a chain's precompile costs what the opcodes cost: the same sequence of accesses, once by a
//! precompile and once by bytecode, gives the same gas and the same refund under every fork.

use super::{CONTRACT, Chain, PRECOMPILE, Scripted};
use crate::inputs::forks;
use braid_precompiles::{ChainPrecompileError, DeclaredAccess, StateAccess, StateKey};
use proptest::prelude::*;
use revm::{
    context_interface::result::{ExecutionResult, HaltReason},
    primitives::{Address, B256, Bytes, U256, hardfork::SpecId},
    state::AccountInfo,
};

const STRANGER: Address = Address::new([0x0a; 20]);
const GAS_LIMIT: u64 = 2_000_000;
const SLOTS: u8 = 4;

#[derive(Clone, Copy, Debug)]
enum Access {
    Load(u8),
    Store(u8, u8),
    Balance(u8),
    Log(u8, u8),
}

impl Access {
    fn run(self, state: &mut dyn StateAccess) -> Result<(), ChainPrecompileError> {
        match self {
            Self::Load(slot) => drop(state.storage(PRECOMPILE, U256::from(slot))?),
            Self::Store(slot, value) => state.set_storage(PRECOMPILE, U256::from(slot), U256::from(value))?,
            Self::Balance(number) => drop(state.balance(Address::repeat_byte(0xb0 + number))?),
            Self::Log(topics, length) => state.log(&vec![B256::ZERO; topics.into()], vec![0; length.into()].into())?,
        }
        Ok(())
    }

    /// Bytecode that does the same, with what its other opcodes cost.
    fn code(self) -> (Vec<u8>, u64) {
        match self {
            Self::Load(slot) => (vec![0x60, slot, 0x54, 0x50], 3 + 2),
            Self::Store(slot, value) => (vec![0x60, value, 0x60, slot, 0x55], 6),
            Self::Balance(number) => {
                let address = Address::repeat_byte(0xb0 + number);
                ([&[0x73], address.as_slice(), &[0x31, 0x50]].concat(), 3 + 2)
            }
            Self::Log(topics, length) => {
                let mut code = [0x60, 0].repeat(topics.into());
                code.extend([0x60, length, 0x60, 0, 0xa0 + topics]);
                (code, 3 * (u64::from(topics) + 2))
            }
        }
    }
}

fn any_access() -> impl Strategy<Value = Access> {
    prop_oneof![
        2 => (0..SLOTS).prop_map(Access::Load),
        4 => (0..SLOTS, 0..3u8).prop_map(|(slot, value)| Access::Store(slot, value)),
        1 => (0..3u8).prop_map(Access::Balance),
        1 => (0..=4u8, 0..=32u8).prop_map(|(topics, length)| Access::Log(topics, length)),
    ]
}

fn declared() -> Vec<DeclaredAccess> {
    let slots = (0..SLOTS).map(|slot| DeclaredAccess::write(StateKey::Storage(PRECOMPILE, U256::from(slot))));
    let balances = (0..3).map(|number| DeclaredAccess::read(StateKey::Balance(Address::repeat_byte(0xb0 + number))));
    slots.chain(balances).collect()
}

/// A chain whose precompile performs `accesses`, and a contract that does the same; both start with the same storage.
fn chain(accesses: Vec<Access>, initial: [u8; SLOTS as usize], spec: SpecId) -> (Chain, u64) {
    let (codes, overheads): (Vec<_>, Vec<_>) = accesses.iter().map(|access| access.code()).unzip();
    // Memory is grown by one word first, so that the logs' data costs no more; 3 + 3 + 3 + 3 gas.
    let code = [&[0x60, 0, 0x60, 0, 0x52][..], &codes.concat()].concat();
    let mut chain = Chain::new(Scripted::new(declared(), move |_, state| {
        accesses.iter().try_for_each(|access| access.run(state))?;
        Ok(Bytes::new())
    }))
    .under(spec)
    .with_code(CONTRACT, &code);
    for address in [PRECOMPILE, CONTRACT] {
        for (slot, value) in initial.into_iter().enumerate() {
            let set = chain.database.insert_account_storage(address, U256::from(slot), U256::from(value));
            set.expect("an in-memory database");
        }
    }
    (chain, overheads.iter().sum::<u64>() + 12)
}

fn gas(result: &ExecutionResult) -> (u64, u64) {
    assert!(result.is_success(), "{result:?}");
    (result.gas().total_gas_spent(), result.gas().state_gas_spent_final())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn accesses_cost_what_opcodes_cost(
        accesses in prop::collection::vec(any_access(), 0..12),
        initial in any::<[bool; SLOTS as usize]>(),
    ) {
        for spec in forks() {
            let (mut chain, overhead) = chain(accesses.clone(), initial.map(u8::from), spec);
            let native = chain.send(PRECOMPILE, Bytes::new(), 0, GAS_LIMIT);
            let code = chain.send(CONTRACT, Bytes::new(), 0, GAS_LIMIT);
            let ((native_gas, native_state), (code_gas, code_state)) = (gas(&native), gas(&code));
            prop_assert_eq!(native_gas + overhead, code_gas, "{:?}", spec);
            prop_assert_eq!(native_state, code_state, "{:?}", spec);
            // The refund is capped by a half or a fifth of the gas spent, which differs by the overhead.
            let refunds = (native.gas().inner_refunded(), code.gas().inner_refunded());
            prop_assert!(refunds.0 <= refunds.1 && refunds.1 - refunds.0 <= overhead.div_ceil(2), "{:?}: {:?}", spec, refunds);
            prop_assert_eq!(native.logs().len(), code.logs().len());
            for slot in 0..SLOTS {
                let slot = U256::from(slot);
                prop_assert_eq!(chain.slot(PRECOMPILE, slot), chain.slot(CONTRACT, slot));
            }
        }
    }
}

#[test]
fn cold_accesses_cost_more_than_warm_ones() {
    let cost = |accesses: Vec<Access>| {
        let (mut chain, _) = chain(accesses, [1; SLOTS as usize], SpecId::OSAKA);
        gas(&chain.send(PRECOMPILE, Bytes::new(), 0, GAS_LIMIT)).0 - 21_000
    };
    assert_eq!(cost(vec![Access::Load(1)]), 2_100);
    assert_eq!(cost(vec![Access::Load(1), Access::Load(1)]), 2_200);
    assert_eq!(cost(vec![Access::Balance(1)]), 2_600);
    assert_eq!(cost(vec![Access::Balance(1), Access::Balance(1)]), 2_700);
    assert_eq!(cost(vec![Access::Store(1, 2)]), 5_000);
    assert_eq!(cost(vec![Access::Load(1), Access::Store(1, 2)]), 2_100 + 2_900);
}

#[test]
fn storage_of_another_account_costs_that_account_s_access_too() {
    let declared = [DeclaredAccess::read(StateKey::Storage(STRANGER, U256::ONE))];
    let mut chain = Chain::new(Scripted::new(declared, |_, state| {
        state.storage(STRANGER, U256::ONE)?;
        Ok(Bytes::new())
    }));
    let result = chain.send(PRECOMPILE, Bytes::new(), 0, GAS_LIMIT);
    assert_eq!(gas(&result).0 - 21_000, 2_500 + 2_100);
}

#[test]
fn a_payment_costs_what_a_call_with_value_costs() {
    let pay = |receiver_exists: bool, spec| {
        let declared = [DeclaredAccess::write(StateKey::Balance(PRECOMPILE)), DeclaredAccess::credit(STRANGER)];
        let mut chain = Chain::new(Scripted::new(declared, |_, state| {
            state.transfer(PRECOMPILE, STRANGER, U256::ONE)?;
            Ok(Bytes::new())
        }))
        .under(spec);
        if receiver_exists {
            chain.database.insert_account_info(STRANGER, AccountInfo::from_balance(U256::ONE));
        }
        let result = chain.send(PRECOMPILE, Bytes::new(), 1, GAS_LIMIT);
        assert_eq!(chain.balance(STRANGER), U256::from(1 + u64::from(receiver_exists)));
        (gas(&result), result.logs().len())
    };
    // Payer warm, receiver cold, value transfer; then a new account.
    assert_eq!(pay(true, SpecId::OSAKA), ((21_000 + 100 + 2_600 + 9_000, 0), 0));
    assert_eq!(pay(false, SpecId::OSAKA), ((21_000 + 100 + 2_600 + 9_000 + 25_000, 0), 0));
    // Amsterdam charges state gas for the account (EIP-8037) and logs both transfers (EIP-7708).
    let ((_, state_gas), logs) = pay(false, SpecId::AMSTERDAM);
    assert!(state_gas > 0 && logs == 2, "{state_gas} state gas, {logs} logs");
}

#[test]
fn every_gas_limit_below_the_need_is_out_of_gas_and_changes_nothing() {
    let accesses =
        vec![Access::Load(0), Access::Store(1, 1), Access::Balance(0), Access::Log(1, 4), Access::Store(2, 1)];
    let run = |gas_limit| {
        let (mut chain, _) = chain(accesses.clone(), [0; SLOTS as usize], SpecId::OSAKA);
        let result = chain.send(PRECOMPILE, Bytes::new(), 0, gas_limit);
        (result, chain.slot(PRECOMPILE, U256::from(1)))
    };
    let (result, _) = run(GAS_LIMIT);
    let need = gas(&result).0;
    for gas_limit in (21_000..need).step_by(61).chain([need - 1]) {
        let (result, slot) = run(gas_limit);
        let ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } = result else {
            panic!("out of gas at {gas_limit} of {need}, not {result:?}");
        };
        assert_eq!((result.tx_gas_used(), slot), (gas_limit, U256::ZERO));
    }
    assert!(run(need).0.is_success());
}
