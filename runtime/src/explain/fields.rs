//! Who uses the contended fields.

use super::{Explanation, dependencies::balance_of};
use crate::{AccessKey, oracle::TransactionTrace};
use alloy_primitives::Address;
use std::collections::{BTreeMap, BTreeSet};

/// A field for which transactions wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotField {
    /// The field.
    pub key: AccessKey,
    /// Indices of the transactions that relied on its value, ascending.
    pub readers: Vec<usize>,
    /// Indices of the transactions that changed it, ascending.
    pub writers: Vec<usize>,
    /// Transactions that relied on its value after another one of the block had changed it, ascending.
    pub waiting: Vec<usize>,
    /// Gas of those transactions: what has to wait because of this field.
    pub waiting_gas: u64,
}

impl Explanation {
    /// The fields for which transactions wait, the most contended first.
    pub fn hot_fields(&self) -> Vec<HotField> {
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
            let others = transaction.reads.iter().filter(|key| balance_of(key).is_none()).copied();
            for key in others.chain(balances) {
                // What nobody writes is not contended.
                if let Some((readers, _)) = uses.get_mut(&key) {
                    readers.insert(index);
                }
            }
        }
        let mut waits: BTreeMap<AccessKey, BTreeSet<usize>> = BTreeMap::new();
        for edge in &self.edges {
            for field in &edge.fields {
                waits.entry(*field).or_default().insert(edge.to);
            }
        }
        let mut fields: Vec<HotField> = waits
            .into_iter()
            .filter_map(|(key, waiting)| {
                let (readers, writers) = uses.remove(&key)?;
                Some(HotField {
                    key,
                    readers: readers.into_iter().collect(),
                    writers: writers.into_iter().collect(),
                    waiting_gas: waiting.iter().map(|&index| self.trace.transactions[index].gas_used).sum(),
                    waiting: waiting.into_iter().collect(),
                })
            })
            .collect();
        fields.sort_by(|a, b| (b.waiting.len(), b.waiting_gas, a.key).cmp(&(a.waiting.len(), a.waiting_gas, b.key)));
        fields
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
    needed.chain(transaction.reads.iter().filter_map(balance_of)).collect()
}
