//! The transactions of a block: by what they offer at its base fee, those of each sender by nonce.
//!
//! The first transactions of all senders are in an index; what comes after one is known once it is taken. So a block costs as much as it takes, and
//! a little more where fees and tips order the senders differently ([`index`](super::index)).

use super::{PoolTransaction, TransactionPool, book::Book, context::next_blob_fee};
use crate::payload::TransactionSource;
use alloy_consensus::{Header, Transaction as _, transaction::Recovered};
use alloy_primitives::{Address, map::AddressSet};
use braid_runtime::Transaction;
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

/// Gas of the smallest transaction: with less left a block is full.
const LEAST_GAS: u64 = 21_000;
/// So many senders whose next transaction does not fit are tried before a block counts as full.
const MISFITS: usize = 256;

/// What a block has room for.
#[derive(Clone, Copy, Debug)]
struct Room {
    gas: u64,
    blob_gas: u64,
    /// Blob base fee, in wei per gas.
    blob_fee: u128,
}

impl Room {
    /// Takes the place of a transaction, if there is enough.
    fn take(&mut self, transaction: &PoolTransaction) -> bool {
        let transaction = transaction.transaction();
        let blob_gas = transaction.blob_gas_used().unwrap_or_default();
        let pays = transaction.max_fee_per_blob_gas().is_none_or(|fee| fee >= self.blob_fee);
        let fits = transaction.gas_limit() <= self.gas && blob_gas <= self.blob_gas && pays;
        if fits {
            self.gas -= transaction.gas_limit();
            self.blob_gas -= blob_gas;
        }
        fits
    }
}

/// A transaction that can be taken next: its tip, then its age.
type Candidate = (u128, Reverse<u64>, Address, u64);

fn candidate(transaction: &PoolTransaction, base_fee: u64) -> Option<Candidate> {
    let tip = transaction.effective_tip(base_fee)?;
    Some((tip, Reverse(transaction.number), transaction.sender(), transaction.nonce()))
}

/// The best transactions of a book, until a block is full.
fn select(book: &Book, base_fee: u64, mut room: Room) -> Vec<Arc<PoolTransaction>> {
    let mut descent = book.heads().descend(base_fee);
    let mut met = AddressSet::default();
    let mut candidates: BinaryHeap<Candidate> = BinaryHeap::new();
    let mut taken = Vec::new();
    let mut misfits = 0;
    while room.gas >= LEAST_GAS && misfits < MISFITS {
        while descent.bound().is_some_and(|bound| candidates.peek().is_none_or(|best| best.0 < bound)) {
            let Some((sender, nonce)) = descent.next() else { break };
            if met.insert(sender)
                && let Some(head) = book.sender(&sender).and_then(|sender| sender.get(nonce))
            {
                candidates.extend(candidate(head, base_fee));
            }
        }
        let Some((_, _, address, nonce)) = candidates.pop() else { break };
        let Some(sender) = book.sender(&address) else { continue };
        let Some(transaction) = sender.get(nonce) else { continue };
        if !room.take(transaction) {
            misfits += 1;
            continue;
        }
        taken.push(Arc::clone(transaction));
        if sender.is_pending(nonce + 1)
            && let Some(next) = sender.get(nonce + 1)
        {
            candidates.extend(candidate(next, base_fee));
        }
    }
    taken
}

impl TransactionPool {
    /// Transactions for a block on `parent` with this base fee in wei per gas, the best first and those of each sender in the order of their nonces,
    /// whose gas limits together are at most `gas_limit`.
    pub fn best_transactions(&self, parent: &Header, base_fee: u64, gas_limit: u64) -> Vec<Arc<PoolTransaction>> {
        let (blob_fee, blob_gas) = next_blob_fee(parent, self.chain.spec()).unwrap_or_default();
        let room = Room { gas: gas_limit, blob_gas, blob_fee };
        select(&self.book.lock(), base_fee, room)
    }

    /// Whether a block with this base fee (wei per gas) would have any transaction.
    pub fn ready(&self, base_fee: u64) -> bool {
        self.book.lock().heads().highest_fee().is_some_and(|fee| fee >= base_fee.into())
    }

    /// How many pending transactions could be executed at this base fee (wei per gas), were there room for all of them.
    pub fn ready_count(&self, base_fee: u64) -> usize {
        let book = self.book.lock();
        let pays = |transaction: &&Arc<PoolTransaction>| transaction.max_fee() >= base_fee.into();
        book.senders().map(|(_, sender)| sender.pending().take_while(pays).count()).sum()
    }
}

impl TransactionSource for TransactionPool {
    fn best(&self, parent: &Header, base_fee: u64, gas_limit: u64) -> Vec<Recovered<Transaction>> {
        let best = self.best_transactions(parent, base_fee, gas_limit);
        best.iter().map(|transaction| transaction.recovered().clone()).collect()
    }
}
