//! Why a block was not faster: who waits for whom, because of which field of the state, and what would change if that field were another.
//!
//! An [`Explanation`] is made from a [`BlockTrace`], so it is of the block and not of a schedule: it is the same on every machine but for
//! times. [`dependencies()`] finds the edges, `fields` counts who uses the contended fields, `what_if` takes edges away. [`crate::bounds`] makes
//! speed-ups of the same edges.

mod dependencies;
mod fields;
#[cfg(test)]
mod tests;
mod what_if;

pub use dependencies::{Assumption, dependencies};
pub use fields::HotField;
pub use what_if::{Step, WhatIf};

use crate::{
    AccessKey,
    bounds::{Bounds, Cost, DependencyGraph},
    oracle::BlockTrace,
};
use std::cmp::Reverse;

/// A transaction relied on what an earlier one left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Index of the earlier transaction.
    pub from: usize,
    /// Index of the later one.
    pub to: usize,
    /// The fields that the earlier one changed and the later one relied on, sorted; at least one.
    pub fields: Vec<AccessKey>,
}

/// The most costly chain of transactions of which each has to wait for the one before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CriticalPath {
    /// What its transactions cost: gas, or nanoseconds.
    pub cost: u64,
    /// The same as a part of what all transactions cost, from 0 to 1.
    pub share: f64,
    /// Their indices, ascending.
    pub transactions: Vec<usize>,
}

/// What the transactions of a block have to do with each other.
#[derive(Clone, Debug)]
pub struct Explanation {
    trace: BlockTrace,
    edges: Vec<Edge>,
    graph: DependencyGraph,
    /// Of each transaction the gas of the most costly chain that ends with it.
    ends: Vec<u64>,
}

impl Explanation {
    /// Finds the dependencies.
    pub fn new(trace: BlockTrace) -> Self {
        let edges = edges(dependencies(&trace, |_| Assumption::AsItIs));
        let graph = graph(trace.transactions.len(), &edges);
        let ends = graph.earliest_ends(&trace.costs(Cost::Gas));
        Self { trace, edges, graph, ends }
    }

    /// What the transactions did.
    pub const fn trace(&self) -> &BlockTrace {
        &self.trace
    }

    /// Which transaction waits for which.
    pub const fn graph(&self) -> &DependencyGraph {
        &self.graph
    }

    /// Each pair of transactions of which the later relied on the earlier, by the later one.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Gas of all transactions.
    pub fn gas_used(&self) -> u64 {
        self.trace.transactions.iter().map(|transaction| transaction.gas_used).sum()
    }

    /// Of each transaction the gas of the most costly chain that ends with it: it cannot be done earlier, however many threads there are.
    pub fn earliest_ends(&self) -> &[u64] {
        &self.ends
    }

    /// The most costly chain.
    pub fn critical_path(&self, cost: Cost) -> CriticalPath {
        self.graph.most_costly_chain(&self.trace.costs(cost))
    }

    /// Bounds of the speed-up.
    pub fn bounds(&self, cost: Cost, threads: usize) -> Bounds {
        self.graph.bounds(&self.trace.costs(cost), threads)
    }
}

/// One edge for each pair.
fn edges(dependencies: Vec<Vec<(usize, AccessKey)>>) -> Vec<Edge> {
    let mut edges = Vec::<Edge>::new();
    for (to, on) in dependencies.into_iter().enumerate() {
        for (from, field) in on {
            match edges.last_mut() {
                Some(edge) if edge.from == from && edge.to == to => edge.fields.push(field),
                _ => edges.push(Edge { from, to, fields: vec![field] }),
            }
        }
    }
    edges
}

/// The graph of edges that are sorted by the later transaction.
fn graph<'a>(transactions: usize, edges: impl IntoIterator<Item = &'a Edge>) -> DependencyGraph {
    let mut dependencies = vec![Vec::new(); transactions];
    for edge in edges {
        dependencies[edge.to].push(edge.from);
    }
    DependencyGraph { dependencies }
}

impl DependencyGraph {
    /// Of each transaction the cost of the most costly chain that ends with it.
    pub fn earliest_ends(&self, costs: &[u64]) -> Vec<u64> {
        let mut ends = Vec::<u64>::with_capacity(costs.len());
        for (cost, dependencies) in costs.iter().zip(&self.dependencies) {
            let ready = dependencies.iter().map(|&index| ends[index]).max().unwrap_or_default();
            ends.push(ready.saturating_add(*cost));
        }
        ends
    }

    /// The most costly chain.
    pub fn most_costly_chain(&self, costs: &[u64]) -> CriticalPath {
        let ends = self.earliest_ends(costs);
        let Some(mut index) = (0..ends.len()).max_by_key(|&index| (ends[index], Reverse(index))) else {
            return CriticalPath::default();
        };
        let cost = ends[index];
        let mut transactions = vec![index];
        while let Some(&before) = self.dependencies[index].iter().max_by_key(|&&before| ends[before]) {
            transactions.push(before);
            index = before;
        }
        transactions.reverse();
        let share = cost as f64 / costs.iter().sum::<u64>().max(1) as f64;
        CriticalPath { cost, share, transactions }
    }
}
