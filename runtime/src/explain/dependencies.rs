//! Who waits for whom, and because of which field.

use crate::{AccessKey, oracle::BlockTrace};
use alloy_primitives::{Address, U256, map::AddressMap};
use std::collections::HashMap;

/// What is assumed of a field of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assumption {
    /// Nothing: whoever reads it waits for the last change.
    #[default]
    AsItIs,
    /// It is many fields, one for each sender: nobody waits because of it.
    Split,
    /// Changes of it are additions, in any order: who changes it waits for nobody, who only reads it waits for all changes so far.
    Commutative,
}

/// Of each transaction the earlier ones that it has to wait for, with the field that is to blame; sorted, and a pair once for each field.
///
/// These are the read-after-write dependencies of a trace; changes of balances that nobody has to look at are left out.
pub fn dependencies(trace: &BlockTrace, assume: impl Fn(&AccessKey) -> Assumption) -> Vec<Vec<(usize, AccessKey)>> {
    let mut last_writer = HashMap::<AccessKey, usize>::new();
    let mut additions = HashMap::<AccessKey, Vec<usize>>::new();
    let mut balances = AddressMap::<BalanceUse>::default();
    let mut dependencies = Vec::with_capacity(trace.transactions.len());
    for (index, transaction) in trace.transactions.iter().enumerate() {
        let mut on = Vec::new();
        for key in &transaction.reads {
            match (key, assume(key)) {
                (_, Assumption::Split) => {}
                (AccessKey::Balance(address), _) => balances.entry(*address).or_default().observe(*key, &mut on),
                (key, Assumption::AsItIs) => on.extend(last_writer.get(key).map(|from| (*from, *key))),
                (key, Assumption::Commutative) => {
                    if transaction.writes.binary_search(key).is_err() {
                        on.extend(additions.get(key).into_iter().flatten().map(|from| (*from, *key)));
                    }
                }
            }
        }
        for change in &transaction.balances {
            let key = AccessKey::Balance(change.address);
            let balance = balances.entry(change.address).or_default();
            let initial = trace.initial_balances.get(&change.address).copied().unwrap_or_default();
            let is_as_it_is = assume(&key) == Assumption::AsItIs;
            let waits = is_as_it_is && change.needed > initial.saturating_sub(balance.lost);
            if waits {
                balance.observe(key, &mut on);
            }
            if !(change.gained.is_zero() && change.lost.is_zero()) {
                let read = transaction.reads.binary_search(&key).is_ok();
                balance.change(index, change.lost, waits || read);
            }
        }
        for key in &transaction.writes {
            match assume(key) {
                Assumption::Commutative => additions.entry(*key).or_default().push(index),
                Assumption::AsItIs | Assumption::Split => _ = last_writer.insert(*key, index),
            }
        }
        on.sort_unstable();
        on.dedup();
        dependencies.push(on);
    }
    dependencies
}

/// How the balance of one account was used so far.
#[derive(Default)]
struct BalanceUse {
    /// Transactions that changed it since the last one that both observed and changed it.
    changed_by: Vec<usize>,
    /// What all transactions so far took away; what they added may not have arrived yet.
    lost: U256,
}

impl BalanceUse {
    fn observe(&self, key: AccessKey, on: &mut Vec<(usize, AccessKey)>) {
        on.extend(self.changed_by.iter().map(|from| (*from, key)));
    }

    fn change(&mut self, index: usize, lost: U256, observed: bool) {
        if observed {
            self.changed_by.clear();
        }
        self.changed_by.push(index);
        self.lost = self.lost.saturating_add(lost);
    }
}

/// The account of a balance.
pub(super) const fn balance_of(key: &AccessKey) -> Option<Address> {
    match key {
        AccessKey::Balance(address) => Some(*address),
        _ => None,
    }
}
