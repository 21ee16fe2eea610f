//! How random plans are drawn.

use super::{
    FORKS, World,
    plan::{Action, BlockPlan, Fault, ListPlan, TransactionPlan},
};
use proptest::{
    collection::vec,
    prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof},
};

/// Plans of blocks with at most `transactions` transactions.
pub fn plans(transactions: usize) -> impl Strategy<Value = BlockPlan> {
    let fork = prop_oneof![2 => 0..FORKS.len(), 1 => FORKS.len() - 5..FORKS.len()];
    let beneficiary = prop_oneof![3 => Just(39_u8), 4 => account()];
    let base_fee = prop_oneof![Just(0_u64), Just(7)];
    let withdrawals = vec((account(), prop_oneof![Just(0_u64), 1..5_u64]), 0..4);
    let keeps_invalid = prop_oneof![9 => Just(false), 1 => Just(true)];
    (fork, beneficiary, base_fee, vec(transaction(), 1..=transactions), withdrawals, keeps_invalid).prop_map(
        |(fork, beneficiary, base_fee, transactions, withdrawals, keeps_invalid)| BlockPlan {
            fork,
            beneficiary,
            base_fee,
            transactions,
            withdrawals,
            keeps_invalid,
        },
    )
}

/// Any account; half of the time one of a few, so that transactions meet.
fn account() -> BoxedStrategy<u8> {
    prop_oneof![0..World::ADDRESSES, 0..World::ADDRESSES, Just(0), Just(1), Just(6), 14..17_u8, 28..33_u8].boxed()
}

fn transaction() -> impl Strategy<Value = TransactionPlan> {
    let gas = prop_oneof![6 => Just(u8::MAX), 1 => any::<u8>()];
    let tip = prop_oneof![Just(0_u8), Just(1), Just(3)];
    let list = prop_oneof![6 => Just(ListPlan::None), 2 => Just(ListPlan::Some), 1 => Just(ListPlan::Huge)];
    let fault = prop_oneof![
        40 => Just(Fault::None),
        1 => Just(Fault::NonceGap),
        1 => Just(Fault::TooLittleGas),
        1 => Just(Fault::TooCheap),
    ];
    (0..World::KEYS, action(), 0..4_u8, gas, tip, list, fault).prop_map(
        |(sender, action, kind, gas, tip, list, fault)| TransactionPlan { sender, action, kind, gas, tip, list, fault },
    )
}

fn few() -> impl Strategy<Value = u8> {
    0..4_u8
}

fn action() -> BoxedStrategy<Action> {
    let wei = || prop_oneof![Just(0_u64), 1..4_u64, Just(2_500_000)];
    let nobody_or_account = || prop_oneof![Just(0_u8), account()];
    let authorization = || {
        (
            0..World::KEYS,
            prop_oneof![Just(0_u8), 9..27_u8, Just(26)],
            few(),
            prop_oneof![5 => Just(true), 1 => Just(false)],
        )
    };
    let payments = prop_oneof![
        3 => (account(), wei()).prop_map(|(to, wei)| Action::Pay { to, wei }),
        1 => account().prop_map(|to| Action::PayFortune { to }),
        1 => (account(), wei()).prop_map(|(to, wei)| Action::PayFrom { to, wei }),
        1 => (few(), prop_oneof![Just(0), Just(21_000), any::<u64>()])
            .prop_map(|(wei, threshold)| Action::Bribe { wei, threshold }),
    ];
    let storage = prop_oneof![
        2 => few().prop_map(|slot| Action::Count { slot }),
        2 => (account(), 0..60_u8).prop_map(|(to, amount)| Action::MoveTokens { to, amount }),
        2 => few().prop_map(|add| Action::Follow { add }),
        1 => few().prop_map(|slot| Action::Transient { slot }),
    ];
    let lives = prop_oneof![
        2 => (0..3_u8, few(), nobody_or_account()).prop_map(|(salt, wei, destroys)| Action::Make { salt, wei, destroys }),
        1 => (few(), few()).prop_map(|(slot, wei)| Action::Bear { slot, wei }),
        2 => (0..3_u8, few(), nobody_or_account()).prop_map(|(salt, wei, to)| Action::CallChild { salt, wei, to }),
        2 => (0..3_u8, few(), nobody_or_account()).prop_map(|(which, wei, to)| Action::Destroy { which, wei, to }),
        1 => (few(), few()).prop_map(|(what, wei)| Action::Create { what, wei }),
    ];
    let others = prop_oneof![
        2 => (account(), few(), any::<bool>()).prop_map(|(at, back, old)| Action::Look { at, back, old }),
        2 => (account(), few()).prop_map(|(to, how)| Action::Fail { to, how }),
        1 => (1..18_u8, few(), any::<u8>()).prop_map(|(number, wei, length)| Action::Precompile { number, wei, length }),
        1 => (prop_oneof![0..20_u16, Just(1100)], few()).prop_map(|(depth, slot)| Action::Dive { depth, slot }),
        3 => (account(), few(), account(), few(), few())
            .prop_map(|(to, scheme, first, second, wei)| Action::Route { to, scheme, first, second, wei }),
        2 => (vec(authorization(), 1..4), account(), account(), few())
            .prop_map(|(authorizations, to, first, second)| Action::Delegate { authorizations, to, first, second }),
        2 => (0..World::KEYS, account(), few())
            .prop_map(|(to, first, second)| Action::CallAccount { to, first, second }),
    ];
    prop_oneof![2 => payments.boxed(), 2 => storage.boxed(), 3 => lives.boxed(), 3 => others.boxed()].boxed()
}
