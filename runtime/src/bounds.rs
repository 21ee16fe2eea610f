//! How much faster a block could be executed at most, from a [`BlockTrace`] of its serial execution.
//!
//! `T1` is the serial time of all transactions, `p` the number of threads:
//! * **B0**, the conflict bound: `T1 / max(T1 / p, critical path)`. No engine that waits for the values it reads can beat it.
//!   Additions to balances that nobody looks at make no conflict, nor do subtractions where there is enough anyway.
//! * **B1**, what list scheduling by the longest remaining path makes of the same graph when everything is known in advance.
//! * **B2**, the value oracle: with an exact access list every transaction is independent, so `T1 / max(T1 / p, longest)`.

use crate::{
    AccessKey,
    explain::{Assumption, dependencies},
    oracle::BlockTrace,
};
use std::{cmp::Reverse, collections::BinaryHeap};

/// What counts as the cost of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Measured time, in nanoseconds.
    Time,
    /// Gas used, which is the same on every machine.
    Gas,
}

/// Bounds on the speed-up over serial execution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Cost of all transactions, one after the other.
    pub serial: u64,
    /// Cost of the most costly chain of dependent transactions.
    pub critical_path: u64,
    /// Cost of the most costly transaction.
    pub longest: u64,
    /// Conflict bound.
    pub b0: f64,
    /// List schedule with perfect prediction.
    pub b1: f64,
    /// Value oracle.
    pub b2: f64,
}

/// The transactions of a block and which of the earlier ones each depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DependencyGraph {
    /// Of each transaction, the earlier ones whose changes it relied on; ascending.
    pub dependencies: Vec<Vec<usize>>,
}

impl DependencyGraph {
    /// The read-after-write dependencies of a trace, commutative changes of balances left out.
    pub fn new(trace: &BlockTrace) -> Self {
        let earlier = |on: Vec<(usize, AccessKey)>| {
            let mut on: Vec<usize> = on.into_iter().map(|(index, _)| index).collect();
            on.dedup();
            on
        };
        let dependencies = dependencies(trace, |_| Assumption::AsItIs).into_iter().map(earlier).collect();
        Self { dependencies }
    }

    /// Cost of the most costly chain of dependent transactions.
    pub fn critical_path(&self, costs: &[u64]) -> u64 {
        self.remaining_paths(costs).into_iter().max().unwrap_or_default()
    }

    /// Of each transaction, the cost of the most costly chain that starts with it.
    fn remaining_paths(&self, costs: &[u64]) -> Vec<u64> {
        let mut paths = costs.to_vec();
        for (index, dependencies) in self.dependencies.iter().enumerate().rev() {
            for &dependency in dependencies {
                paths[dependency] = paths[dependency].max(costs[dependency].saturating_add(paths[index]));
            }
        }
        paths
    }

    /// Time until the last transaction is done when `threads` threads always take the ready transaction with the longest
    /// remaining path, and nothing is ever done twice.
    pub fn list_schedule(&self, costs: &[u64], threads: usize) -> u64 {
        let paths = self.remaining_paths(costs);
        let mut successors = vec![Vec::new(); costs.len()];
        let mut waiting = vec![0_usize; costs.len()];
        for (index, dependencies) in self.dependencies.iter().enumerate() {
            waiting[index] = dependencies.len();
            for &dependency in dependencies {
                successors[dependency].push(index);
            }
        }
        let rank = |index: usize| (paths[index], Reverse(index));
        let mut ready = (0..costs.len()).filter(|index| waiting[*index] == 0).map(rank).collect::<BinaryHeap<_>>();
        let mut running = BinaryHeap::<Reverse<(u64, usize)>>::new();
        let mut now = 0;
        loop {
            while running.len() < threads.max(1)
                && let Some((_, Reverse(index))) = ready.pop()
            {
                running.push(Reverse((now + costs[index], index)));
            }
            let Some(Reverse((end, index))) = running.pop() else { return now };
            now = end;
            for &successor in &successors[index] {
                waiting[successor] -= 1;
                if waiting[successor] == 0 {
                    ready.push(rank(successor));
                }
            }
        }
    }
}

impl BlockTrace {
    /// Cost of each transaction.
    pub fn costs(&self, cost: Cost) -> Vec<u64> {
        let of = |transaction: &crate::oracle::TransactionTrace| match cost {
            Cost::Time => transaction.nanos,
            Cost::Gas => transaction.gas_used,
        };
        self.transactions.iter().map(of).collect()
    }

    /// The bounds for `threads` threads.
    pub fn bounds(&self, cost: Cost, threads: usize) -> Bounds {
        DependencyGraph::new(self).bounds(&self.costs(cost), threads)
    }
}

impl DependencyGraph {
    /// The bounds for `threads` threads when the transactions cost as much as told.
    pub fn bounds(&self, costs: &[u64], threads: usize) -> Bounds {
        let serial = costs.iter().sum::<u64>();
        let critical_path = self.critical_path(costs);
        let longest = costs.iter().copied().max().unwrap_or_default();
        let share = serial as f64 / threads.max(1) as f64;
        let speed_up = |time: f64| if time > 0.0 { serial as f64 / time } else { 1.0 };
        Bounds {
            serial,
            critical_path,
            longest,
            b0: speed_up(share.max(critical_path as f64)),
            b1: speed_up(self.list_schedule(costs, threads) as f64),
            b2: speed_up(share.max(longest as f64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{BalanceChange, TransactionTrace};
    use alloy_primitives::{Address, U256, map::AddressMap};

    fn slot(number: u64) -> AccessKey {
        AccessKey::Storage(Address::ZERO, U256::from(number))
    }

    fn transaction(gas_used: u64, reads: &[AccessKey], writes: &[AccessKey]) -> TransactionTrace {
        TransactionTrace { gas_used, reads: reads.to_vec(), writes: writes.to_vec(), ..Default::default() }
    }

    fn block(transactions: Vec<TransactionTrace>) -> BlockTrace {
        BlockTrace { transactions, initial_balances: AddressMap::default() }
    }

    fn change(gained: u64, lost: u64, needed: u64) -> BalanceChange {
        let [gained, lost, needed] = [gained, lost, needed].map(U256::from);
        BalanceChange { address: Address::ZERO, gained, lost, needed }
    }

    #[test]
    fn reads_follow_the_last_write() {
        let trace = block(vec![
            transaction(1, &[slot(1)], &[slot(1)]),
            transaction(1, &[slot(1)], &[slot(1)]),
            transaction(1, &[slot(1), slot(2)], &[]),
            transaction(1, &[slot(2)], &[slot(2)]),
        ]);
        let graph = DependencyGraph::new(&trace);
        assert_eq!(graph.dependencies, [vec![], vec![0], vec![1], vec![]]);
    }

    #[test]
    fn additions_commute_until_somebody_looks() {
        let mut credit = transaction(1, &[], &[]);
        credit.balances = vec![change(5, 0, 0)];
        let look = transaction(1, &[AccessKey::Balance(Address::ZERO)], &[]);
        let trace = block(vec![credit.clone(), credit.clone(), look, credit]);
        assert_eq!(DependencyGraph::new(&trace).dependencies, [vec![], vec![], vec![0, 1], vec![]]);
    }

    #[test]
    fn a_payment_waits_for_additions_only_if_it_needs_them() {
        let mut credit = transaction(1, &[], &[]);
        credit.balances = vec![change(5, 0, 0)];
        let mut pay = transaction(1, &[], &[]);
        pay.balances = vec![change(0, 4, 4)];
        let mut trace = block(vec![credit, pay.clone(), pay]);
        trace.initial_balances.insert(Address::ZERO, U256::from(7));
        // The first payment has 7, the second only 3 unless the addition came.
        assert_eq!(DependencyGraph::new(&trace).dependencies, [vec![], vec![], vec![0, 1]]);
        trace.initial_balances.insert(Address::ZERO, U256::from(8));
        assert_eq!(DependencyGraph::new(&trace).dependencies, vec![Vec::<usize>::new(); 3]);
    }

    #[test]
    fn bounds_of_a_chain_beside_independent_work() {
        // A chain of 3 × 10 and six independent transactions of 5.
        let mut transactions = vec![transaction(5, &[], &[]); 6];
        transactions.extend(vec![transaction(10, &[slot(1)], &[slot(1)]); 3]);
        let trace = block(transactions);
        let two = trace.bounds(Cost::Gas, 2);
        assert_eq!((two.serial, two.critical_path, two.longest), (60, 30, 10));
        assert_eq!((two.b0, two.b1, two.b2), (2.0, 2.0, 2.0));
        let eight = trace.bounds(Cost::Gas, 8);
        assert_eq!((eight.b0, eight.b1, eight.b2), (2.0, 2.0, 6.0));
        let one = trace.bounds(Cost::Gas, 1);
        assert_eq!((one.b0, one.b1, one.b2), (1.0, 1.0, 1.0));
    }

    #[test]
    fn the_longest_path_goes_first() {
        // Taking the short transaction first would leave one thread idle at the end.
        let trace = block(vec![
            transaction(1, &[], &[]),
            transaction(1, &[], &[]),
            transaction(2, &[slot(1)], &[slot(1)]),
            transaction(2, &[slot(1)], &[slot(1)]),
            transaction(2, &[], &[]),
        ]);
        let graph = DependencyGraph::new(&trace);
        assert_eq!(graph.list_schedule(&trace.costs(Cost::Gas), 2), 4);
    }

    #[test]
    fn an_empty_block_has_no_speed_up() {
        let bounds = BlockTrace::default().bounds(Cost::Time, 4);
        assert_eq!((bounds.b0, bounds.b1, bounds.b2), (1.0, 1.0, 1.0));
    }
}
