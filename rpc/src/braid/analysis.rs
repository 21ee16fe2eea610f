//! What the transactions of a block have to do with each other.

use super::types::{BlockPlace, CriticalPath, Edge, Field, HotSlot, ScheduledTransaction, SpeedUpBounds};
use crate::{
    Backend,
    replay::{ReplayError, recovered},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::Address;
use braid_chain::ChainBlock;
use braid_runtime::{
    AccessKey, RecoveredBlock,
    bounds::{Bounds, Cost, DependencyGraph},
    oracle::{self, BlockTrace, TransactionTrace},
};
use std::collections::{BTreeMap, BTreeSet};

/// A block after a serial execution that watched.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) place: BlockPlace,
    pub(super) block: RecoveredBlock,
    trace: BlockTrace,
    graph: DependencyGraph,
    /// Of each transaction the gas of the most costly chain that ends with it.
    ends: Vec<u64>,
}

impl Analysis {
    /// Executes a block twice: once watched, once with a clock.
    pub(super) fn of(backend: &Backend, block: &ChainBlock) -> Result<Self, ReplayError> {
        let chain = backend.chain();
        let place = BlockPlace { block_number: block.number(), block_hash: block.hash() };
        let parent = chain.state(&block.header().parent_hash)?;
        let block = recovered(chain, block)?;
        let trace = oracle::trace(&parent, &block, chain.spec())?;
        let graph = DependencyGraph::new(&trace);
        let mut ends: Vec<u64> = Vec::with_capacity(trace.transactions.len());
        for (transaction, dependencies) in trace.transactions.iter().zip(&graph.dependencies) {
            let ready = dependencies.iter().map(|&index| ends[index]).max().unwrap_or_default();
            ends.push(ready.saturating_add(transaction.gas_used));
        }
        Ok(Self { place, block, trace, graph, ends })
    }

    /// Gas of all transactions.
    pub(super) fn gas_used(&self) -> u64 {
        self.trace.transactions.iter().map(|transaction| transaction.gas_used).sum()
    }

    /// One transaction.
    pub(super) fn transaction(&self, index: usize) -> ScheduledTransaction {
        let transaction = &self.block.transactions()[index];
        ScheduledTransaction {
            index,
            hash: *transaction.tx_hash(),
            from: self.block.senders()[index],
            to: transaction.to(),
            gas_used: self.trace.transactions[index].gas_used,
            nanos: self.trace.transactions[index].nanos,
            earliest_end_gas: self.ends[index],
        }
    }

    /// All transactions.
    pub(super) fn transactions(&self) -> Vec<ScheduledTransaction> {
        (0..self.ends.len()).map(|index| self.transaction(index)).collect()
    }

    /// The most costly chain of dependent transactions.
    pub(super) fn critical_path(&self) -> CriticalPath {
        let Some(mut index) = (0..self.ends.len()).max_by_key(|&index| (self.ends[index], std::cmp::Reverse(index)))
        else {
            return CriticalPath::default();
        };
        let gas = self.ends[index];
        let mut transactions = vec![index];
        while let Some(&before) = self.graph.dependencies[index].iter().max_by_key(|&&before| self.ends[before]) {
            transactions.push(before);
            index = before;
        }
        transactions.reverse();
        let share = gas as f64 / self.gas_used().max(1) as f64;
        CriticalPath { gas, share, transactions }
    }

    /// Bounds of the speed-up.
    pub(super) fn bounds(&self, cost: Cost, threads: usize) -> SpeedUpBounds {
        let Bounds { serial, critical_path, longest, b0, b1, b2 } = self.trace.bounds(cost, threads);
        SpeedUpBounds {
            threads,
            serial,
            critical_path,
            longest,
            conflict_bound: b0,
            list_schedule: b1,
            value_oracle: b2,
        }
    }

    /// Each pair of transactions of which the later relied on the earlier, with the fields that are to blame.
    pub(super) fn dependencies(&self) -> Vec<(usize, usize, Vec<AccessKey>)> {
        let mut edges = Vec::new();
        let mut last_writer: BTreeMap<AccessKey, usize> = BTreeMap::new();
        for (to, transaction) in self.trace.transactions.iter().enumerate() {
            let mut fields: BTreeMap<usize, Vec<AccessKey>> = BTreeMap::new();
            for key in &transaction.reads {
                if let Some(&from) = last_writer.get(key) {
                    fields.entry(from).or_default().push(*key);
                }
            }
            for &from in &self.graph.dependencies[to] {
                let fields = fields.entry(from).or_default();
                let paid = changed_balances(&self.trace.transactions[from]);
                fields.extend(observed_balances(transaction).intersection(&paid).map(|who| AccessKey::Balance(*who)));
                if !fields.is_empty() {
                    edges.push((from, to, std::mem::take(fields)));
                }
            }
            last_writer.extend(transaction.writes.iter().map(|key| (*key, to)));
        }
        edges
    }

    /// The same, as it is told.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let edge = |(from, to, fields): (usize, usize, Vec<AccessKey>)| Edge {
            from,
            to,
            fields: fields.into_iter().map(Field::from).collect(),
        };
        self.dependencies().into_iter().map(edge).collect()
    }

    /// The fields for which transactions wait, the most contended first.
    pub(super) fn hot_slots(&self, most: usize) -> Vec<HotSlot> {
        let mut uses: BTreeMap<AccessKey, (BTreeSet<usize>, BTreeSet<usize>)> = BTreeMap::new();
        for (index, transaction) in self.trace.transactions.iter().enumerate() {
            for key in &transaction.writes {
                uses.entry(*key).or_default().1.insert(index);
            }
            for who in changed_balances(transaction) {
                uses.entry(AccessKey::Balance(who)).or_default().1.insert(index);
            }
        }
        for (index, transaction) in self.trace.transactions.iter().enumerate() {
            let balances = observed_balances(transaction).into_iter().map(AccessKey::Balance);
            let others = transaction.reads.iter().filter(|key| !matches!(key, AccessKey::Balance(_))).copied();
            for key in others.chain(balances) {
                // What nobody writes is not contended.
                if let Some((readers, _)) = uses.get_mut(&key) {
                    readers.insert(index);
                }
            }
        }
        let mut waits: BTreeMap<AccessKey, BTreeSet<usize>> = BTreeMap::new();
        for (_, to, fields) in self.dependencies() {
            for field in fields {
                waits.entry(field).or_default().insert(to);
            }
        }
        let mut slots: Vec<HotSlot> = waits
            .into_iter()
            .filter_map(|(key, waiting)| {
                let (readers, writers) = uses.remove(&key)?;
                Some(HotSlot {
                    field: key.into(),
                    readers: readers.into_iter().collect(),
                    writers: writers.into_iter().collect(),
                    conflicts: waiting.len(),
                    waiting_gas: waiting.iter().map(|&index| self.trace.transactions[index].gas_used).sum(),
                })
            })
            .collect();
        slots.sort_by(|a, b| (b.conflicts, b.waiting_gas, a.field).cmp(&(a.conflicts, a.waiting_gas, b.field)));
        slots.truncate(most);
        slots
    }
}

/// Accounts whose balance a transaction changed.
fn changed_balances(transaction: &TransactionTrace) -> BTreeSet<Address> {
    let changed = transaction.balances.iter().filter(|change| change.gained != change.lost);
    changed.map(|change| change.address).collect()
}

/// Accounts whose balance a transaction looked at, or needed.
fn observed_balances(transaction: &TransactionTrace) -> BTreeSet<Address> {
    let needed = transaction.balances.iter().filter(|change| !change.needed.is_zero()).map(|change| change.address);
    let seen = transaction.reads.iter().filter_map(|key| match key {
        AccessKey::Balance(address) => Some(*address),
        _ => None,
    });
    needed.chain(seen).collect()
}
