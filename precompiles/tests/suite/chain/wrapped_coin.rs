//! The example precompile at work.

use super::{CONTRACT, CallOpcode, Chain, PRECOMPILE, RETURN_ALL, REVERT, SENDER, forward};
use braid_precompiles::{
    AccessMode, ChainPrecompile, StateKey,
    example::{WrappedCoin, WrappedCoinCall},
};
use proptest::prelude::*;
use revm::{
    context_interface::result::ExecutionResult,
    primitives::{Address, U256, keccak256},
};

const OTHER: Address = Address::new([0x0a; 20]);

fn chain() -> Chain {
    Chain::new(WrappedCoin::new(PRECOMPILE))
}

fn send(chain: &mut Chain, call: WrappedCoinCall, value: u64) -> ExecutionResult {
    chain.send(PRECOMPILE, call.encode(), value, 200_000)
}

fn tokens(chain: &Chain, holder: Address) -> U256 {
    chain.slot(PRECOMPILE, WrappedCoin::slot_of(holder))
}

#[test]
fn deposit_transfer_and_withdraw_change_state_and_log() {
    let mut chain = chain();
    let deposit = send(&mut chain, WrappedCoinCall::Deposit, 100);
    assert!(deposit.is_success(), "{deposit:?}");
    assert_eq!((tokens(&chain, SENDER), chain.balance(PRECOMPILE)), (U256::from(100), U256::from(100)));
    assert_eq!(deposit.logs().len(), 1);
    assert_eq!(deposit.logs()[0].address, PRECOMPILE);
    assert_eq!(deposit.logs()[0].topics(), [keccak256("Deposit(address,uint256)"), SENDER.into_word()]);

    let transfer = send(&mut chain, WrappedCoinCall::Transfer(OTHER, U256::from(30)), 0);
    assert_eq!(transfer.output().map(|output| U256::from_be_slice(output)), Some(U256::ONE));
    assert_eq!((tokens(&chain, SENDER), tokens(&chain, OTHER)), (U256::from(70), U256::from(30)));

    let before = chain.balance(SENDER);
    let withdraw = send(&mut chain, WrappedCoinCall::Withdraw(U256::from(50)), 0);
    assert!(withdraw.is_success(), "{withdraw:?}");
    assert_eq!((tokens(&chain, SENDER), chain.balance(PRECOMPILE)), (U256::from(20), U256::from(50)));
    assert_eq!(chain.balance(SENDER), before + U256::from(50));

    let balance = send(&mut chain, WrappedCoinCall::BalanceOf(OTHER), 0);
    assert_eq!(balance.output().map(|output| U256::from_be_slice(output)), Some(U256::from(30)));
}

#[test]
fn too_little_balance_reverts_and_keeps_gas() {
    let mut chain = chain();
    send(&mut chain, WrappedCoinCall::Deposit, 10);
    let result = send(&mut chain, WrappedCoinCall::Transfer(OTHER, U256::from(11)), 0);
    assert!(matches!(result, ExecutionResult::Revert { .. }), "{result:?}");
    assert!(result.tx_gas_used() < 30_000, "{result:?}");
    assert_eq!((tokens(&chain, SENDER), tokens(&chain, OTHER)), (U256::from(10), U256::ZERO));
}

#[test]
fn value_sent_with_a_call_that_reverts_goes_back() {
    let mut chain = chain();
    let before = chain.balance(SENDER);
    let result = send(&mut chain, WrappedCoinCall::BalanceOf(SENDER), 5);
    assert!(matches!(result, ExecutionResult::Revert { .. }), "{result:?}");
    assert_eq!((chain.balance(SENDER), chain.balance(PRECOMPILE)), (before, U256::ZERO));
}

#[test]
fn a_caller_that_reverts_undoes_storage_balances_and_logs() {
    let mut chain = chain()
        .with_code(CONTRACT, &forward(CallOpcode::Call, PRECOMPILE, REVERT))
        .with_code(OTHER, &forward(CallOpcode::Call, CONTRACT, RETURN_ALL));
    let result = chain.send(OTHER, WrappedCoinCall::Deposit.encode(), 100, 500_000);
    let output = result.output().expect("output").clone();
    assert_eq!(U256::from_be_slice(&output[..32]), U256::ZERO, "the middle contract reverted");
    assert!(result.is_success() && result.logs().is_empty(), "{result:?}");
    assert_eq!((tokens(&chain, CONTRACT), chain.balance(PRECOMPILE)), (U256::ZERO, U256::ZERO));
    assert_eq!(chain.balance(OTHER), U256::from(100));

    // Without the revert the same calls take effect.
    let mut chain = chain.with_code(CONTRACT, &forward(CallOpcode::Call, PRECOMPILE, RETURN_ALL));
    let result = chain.send(OTHER, WrappedCoinCall::Deposit.encode(), 100, 500_000);
    assert_eq!(result.logs().len(), 1, "{result:?}");
    assert_eq!((tokens(&chain, CONTRACT), chain.balance(PRECOMPILE)), (U256::from(100), U256::from(100)));
}

#[test]
fn a_static_call_may_read_and_not_write() {
    let mut chain = chain().with_code(CONTRACT, &forward(CallOpcode::StaticCall, PRECOMPILE, RETURN_ALL));
    send(&mut chain, WrappedCoinCall::Deposit, 7);

    let read = chain.send(CONTRACT, WrappedCoinCall::BalanceOf(SENDER).encode(), 0, 500_000);
    let output = read.output().expect("output");
    assert_eq!(U256::from_be_slice(&output[..32]), U256::ONE, "the call succeeded");
    assert_eq!(U256::from_be_slice(&output[32..]), U256::from(7));

    let write = chain.send(CONTRACT, WrappedCoinCall::Deposit.encode(), 0, 500_000);
    let output = write.output().expect("output");
    assert_eq!(output.as_ref(), [0; 32], "the call failed and returned nothing");
    assert!(write.tx_gas_used() > 200_000, "all 200,000 gas of the call is gone: {write:?}");
}

#[test]
fn the_declaration_names_the_slots_of_both_holders() {
    let coin = WrappedCoin::new(PRECOMPILE);
    let data = WrappedCoinCall::Transfer(OTHER, U256::ONE).encode();
    let declared = chain().provider().chain().expect("own precompiles").declared_accesses(&PRECOMPILE, &data, SENDER);
    let declared = declared.expect("the precompile is known");
    assert_eq!(declared, coin.declared_accesses(&data, SENDER));
    assert_eq!(declared.len(), 2);
    for holder in [SENDER, OTHER] {
        let key = StateKey::Storage(PRECOMPILE, WrappedCoin::slot_of(holder));
        assert!(declared.covers(key, AccessMode::Write), "{declared:?}");
    }
}

fn any_call() -> impl Strategy<Value = (WrappedCoinCall, u64)> {
    let holder = prop::sample::select(vec![SENDER, OTHER, PRECOMPILE, CONTRACT]);
    let amount = prop_oneof![3 => (0..50u64).prop_map(U256::from), 1 => Just(U256::MAX)];
    let value = prop_oneof![Just(0), 0..100u64];
    let call = prop_oneof![
        Just(WrappedCoinCall::Deposit),
        amount.clone().prop_map(WrappedCoinCall::Withdraw),
        (holder.clone(), amount).prop_map(|(to, amount)| WrappedCoinCall::Transfer(to, amount)),
        holder.prop_map(WrappedCoinCall::BalanceOf),
    ];
    (call, value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The declaration suffices for every call, and tokens are always backed by wei.
    #[test]
    fn tokens_stay_backed(calls in prop::collection::vec(any_call(), 1..20), gas_limit in 21_000..120_000u64) {
        let mut chain = chain();
        for (index, (call, value)) in calls.into_iter().enumerate() {
            // Every fourth call runs short of gas.
            let gas_limit = if index % 4 == 3 { gas_limit.max(30_000) } else { 200_000 };
            let result = chain.send(PRECOMPILE, call.encode(), value, gas_limit);
            if let ExecutionResult::Halt { reason, .. } = &result {
                prop_assert!(index % 4 == 3 && format!("{reason:?}").contains("OutOfGas"), "{reason:?}");
            }
            let issued: U256 = [SENDER, OTHER, PRECOMPILE, CONTRACT].map(|holder| tokens(&chain, holder)).iter().sum();
            prop_assert_eq!(issued, chain.balance(PRECOMPILE));
        }
    }

    /// Call data of any shape neither panics nor escapes the declaration.
    #[test]
    fn malformed_calls_revert(data in prop::collection::vec(any::<u8>(), 0..120)) {
        prop_assume!(WrappedCoinCall::decode(&data).is_none());
        let result = chain().send(PRECOMPILE, data.into(), 0, 200_000);
        prop_assert!(matches!(result, ExecutionResult::Revert { .. }), "{result:?}");
    }
}
