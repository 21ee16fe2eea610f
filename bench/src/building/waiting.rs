//! What waits, offered as a transaction pool offers it: the best tip first of all that are next for their senders, the first sent among equal ones.

use alloy_consensus::{Header, Transaction as _, transaction::Recovered};
use alloy_primitives::{Address, map::AddressMap};
use braid_chain::payload::TransactionSource;
use braid_runtime::Transaction;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// Transactions in the order in which they were sent.
#[derive(Debug)]
pub(super) struct Waiting(pub(super) Vec<Recovered<Transaction>>);

impl TransactionSource for Waiting {
    fn best(&self, _parent: &Header, base_fee: u64, gas_limit: u64) -> Vec<Recovered<Transaction>> {
        let Self(transactions) = self;
        let mut senders: AddressMap<VecDeque<usize>> = AddressMap::default();
        for (number, transaction) in transactions.iter().enumerate() {
            senders.entry(transaction.signer()).or_default().push_back(number);
        }
        let entry = |number: usize, sender: Address| {
            let tip = transactions[number].effective_tip_per_gas(base_fee)?;
            Some((tip, Reverse(number), sender))
        };
        let mut heads: BinaryHeap<_> =
            senders.iter_mut().filter_map(|(sender, queue)| entry(queue.pop_front()?, *sender)).collect();
        let (mut best, mut left) = (Vec::new(), gas_limit);
        while let Some((_, Reverse(number), sender)) = heads.pop() {
            let transaction = &transactions[number];
            if transaction.gas_limit() > left {
                break;
            }
            left -= transaction.gas_limit();
            best.push(transaction.clone());
            let next = senders.get_mut(&sender).and_then(VecDeque::pop_front);
            heads.extend(next.and_then(|next| entry(next, sender)));
        }
        best
    }
}
