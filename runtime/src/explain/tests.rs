//! Small graphs, by hand.

use super::*;
use crate::oracle::{BalanceChange, TransactionTrace};
use alloy_primitives::{Address, U256, map::AddressMap};
use std::collections::{BTreeMap, BTreeSet};

fn slot(number: u64) -> AccessKey {
    AccessKey::Storage(Address::ZERO, U256::from(number))
}

fn balance(number: u8) -> AccessKey {
    AccessKey::Balance(Address::repeat_byte(number))
}

fn transaction(gas_used: u64, reads: &[AccessKey], writes: &[AccessKey]) -> TransactionTrace {
    TransactionTrace { gas_used, nanos: gas_used, reads: reads.to_vec(), writes: writes.to_vec(), ..Default::default() }
}

/// Reads and writes the slots.
fn bump(gas_used: u64, slots: &[u64]) -> TransactionTrace {
    let keys: Vec<_> = slots.iter().copied().map(slot).collect();
    transaction(gas_used, &keys, &keys)
}

fn explanation(transactions: Vec<TransactionTrace>) -> Explanation {
    Explanation::new(BlockTrace { transactions, initial_balances: AddressMap::default() })
}

#[test]
fn edges_name_every_field_to_blame() {
    let block = explanation(vec![bump(1, &[1, 2]), bump(1, &[1, 2, 3]), transaction(1, &[slot(3)], &[])]);
    let edge = |from, to, fields: &[u64]| Edge { from, to, fields: fields.iter().copied().map(slot).collect() };
    assert_eq!(block.edges(), [edge(0, 1, &[1, 2]), edge(1, 2, &[3])]);
    assert_eq!(block.graph(), &DependencyGraph::new(block.trace()));
    assert_eq!(block.earliest_ends(), [1, 2, 3]);
}

#[test]
fn who_needs_ether_that_came_in_the_block_blames_the_balance() {
    let account = Address::repeat_byte(1);
    let change = |gained: u64, lost: u64, needed: u64| {
        let [gained, lost, needed] = [gained, lost, needed].map(U256::from);
        BalanceChange { address: account, gained, lost, needed }
    };
    let mut transactions = vec![bump(1, &[]), bump(1, &[]), bump(1, &[])];
    transactions[0].balances = vec![change(5, 0, 0)];
    transactions[1].balances = vec![change(5, 0, 0)];
    transactions[2].balances = vec![change(0, 4, 4)];
    let block = explanation(transactions);
    let edge = |from| Edge { from, to: 2, fields: vec![balance(1)] };
    assert_eq!(block.edges(), [edge(0), edge(1)]);
    let hot = block.hot_fields();
    assert_eq!((hot[0].key, &hot[0].readers[..], &hot[0].writers[..]), (balance(1), &[2][..], &[0, 1, 2][..]));
}

#[test]
fn the_most_contended_field_comes_first() {
    let block = explanation(vec![
        bump(10, &[1, 7]),
        bump(20, &[1, 7]),
        bump(30, &[1]),
        transaction(5, &[slot(9)], &[]),
        transaction(5, &[slot(9)], &[slot(9)]),
    ]);
    let hot = block.hot_fields();
    assert_eq!(hot.iter().map(|field| field.key).collect::<Vec<_>>(), [slot(1), slot(7)]);
    assert_eq!((&hot[0].waiting[..], hot[0].waiting_gas), (&[1, 2][..], 50));
}

#[test]
fn the_chain_and_its_share() {
    let block = explanation(vec![bump(10, &[1]), bump(30, &[]), bump(30, &[1]), bump(30, &[])]);
    let path = block.critical_path(Cost::Gas);
    assert_eq!((path.cost, path.share, &path.transactions[..]), (40, 0.4, &[0, 2][..]));
    assert_eq!(explanation(Vec::new()).critical_path(Cost::Gas), CriticalPath::default());
}

#[test]
fn a_commutative_counter_makes_only_its_readers_wait() {
    let read = transaction(1, &[slot(1)], &[]);
    let block = explanation(vec![bump(1, &[1]), bump(1, &[1]), read, bump(1, &[1])]);
    assert_eq!(block.critical_path(Cost::Gas).cost, 3);
    let assume = |assumption| block.what_if(&BTreeMap::from([(slot(1), assumption)]), 8);
    let commutative = assume(Assumption::Commutative);
    assert_eq!((commutative.critical_path.cost, commutative.independent), (2, 3));
    let split = assume(Assumption::Split);
    assert_eq!((split.critical_path.cost, split.independent, split.bounds.b0), (1, 4, 4.0));
    assert_eq!(split, block.without(&BTreeSet::from([slot(1)]), 8));
}

#[test]
fn a_split_balance_makes_nobody_wait() {
    let mut pay = bump(1, &[]);
    pay.reads = vec![balance(1)];
    pay.balances = vec![BalanceChange {
        address: Address::repeat_byte(1),
        gained: U256::ONE,
        lost: U256::ZERO,
        needed: U256::ZERO,
    }];
    let block = explanation(vec![pay.clone(), pay.clone(), pay]);
    assert_eq!(block.critical_path(Cost::Gas).cost, 3);
    let keys = BTreeMap::from([(balance(1), Assumption::Split)]);
    assert_eq!(block.what_if(&keys, 8).critical_path.cost, 1);
}

#[test]
fn steps_go_on_where_a_link_has_two_reasons() {
    // Everybody bumps 1 and 2; three transactions also meet in 3.
    let mut transactions = vec![bump(10, &[1, 2]); 5];
    transactions.extend(vec![bump(10, &[3]); 3]);
    let block = explanation(transactions);
    let steps = block.best_steps(5, 8);
    let seen: Vec<_> = steps.iter().map(|step| (step.key, step.what_if.critical_path.cost)).collect();
    assert_eq!(seen, [(slot(1), 50), (slot(2), 30), (slot(3), 10)]);
    assert!(explanation(vec![bump(1, &[1]), bump(1, &[2])]).best_steps(5, 8).is_empty());
}

#[test]
fn what_never_helps_is_no_step() {
    // The nonce of one sender holds everything in order anyway.
    let nonce = AccessKey::Nonce(Address::ZERO);
    let keys = [slot(1), slot(2)].into_iter().chain([nonce]).collect::<BTreeSet<_>>();
    let keys: Vec<_> = keys.into_iter().collect();
    let block = explanation(vec![transaction(1, &keys, &keys); 3]);
    assert_eq!(block.best_steps(2, 8), []);
}
