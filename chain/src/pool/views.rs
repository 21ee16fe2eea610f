//! What is in the pool.

use super::{PoolTransaction, TransactionPool, sender::Sender};
use alloy_primitives::{Address, B256};
use std::{collections::BTreeMap, sync::Arc};

/// How many transactions there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Those that can be executed one after the other.
    pub pending: usize,
    /// Those that wait for others, or for ether.
    pub queued: usize,
    /// All of them with their blobs, in bytes.
    pub bytes: usize,
}

/// The transactions of one sender, by nonce.
#[derive(Clone, Debug, Default)]
pub struct SenderContent {
    /// Those that can be executed one after the other.
    pub pending: BTreeMap<u64, Arc<PoolTransaction>>,
    /// Those that wait.
    pub queued: BTreeMap<u64, Arc<PoolTransaction>>,
}

impl SenderContent {
    fn new(sender: &Sender) -> Self {
        let by_nonce = |transaction: &Arc<PoolTransaction>| (transaction.nonce(), Arc::clone(transaction));
        Self { pending: sender.pending().map(by_nonce).collect(), queued: sender.queued().map(by_nonce).collect() }
    }
}

/// All transactions, by sender and nonce.
#[derive(Clone, Debug, Default)]
pub struct PoolContent {
    /// Those that can be executed one after the other.
    pub pending: BTreeMap<Address, BTreeMap<u64, Arc<PoolTransaction>>>,
    /// Those that wait.
    pub queued: BTreeMap<Address, BTreeMap<u64, Arc<PoolTransaction>>>,
}

impl TransactionPool {
    /// The transaction with a hash.
    pub fn get(&self, hash: &B256) -> Option<Arc<PoolTransaction>> {
        self.book.lock().get(hash).cloned()
    }

    /// The transaction of a sender with a nonce, pending or queued.
    pub fn get_by_nonce(&self, sender: &Address, nonce: u64) -> Option<Arc<PoolTransaction>> {
        self.book.lock().sender(sender)?.get(nonce).cloned()
    }

    /// The nonce after the pending transactions of a sender; `None` if it has none.
    pub fn next_nonce(&self, sender: Address) -> Option<u64> {
        let book = self.book.lock();
        book.sender(&sender).filter(|sender| sender.pending_len() > 0).map(Sender::next_nonce)
    }

    /// How many transactions there are.
    pub fn status(&self) -> PoolStatus {
        let book = self.book.lock();
        PoolStatus { pending: book.pending_len(), queued: book.queued_len(), bytes: book.bytes() }
    }

    /// A number that grows whenever a transaction comes, goes, or moves between pending and queued: what was made of the pool is still right as
    /// long as it is the same.
    pub fn version(&self) -> u64 {
        self.book.lock().version()
    }

    /// All transactions.
    pub fn content(&self) -> PoolContent {
        let book = self.book.lock();
        let mut content = PoolContent::default();
        for (address, sender) in book.senders() {
            let SenderContent { pending, queued } = SenderContent::new(sender);
            if !pending.is_empty() {
                content.pending.insert(*address, pending);
            }
            if !queued.is_empty() {
                content.queued.insert(*address, queued);
            }
        }
        content
    }

    /// The transactions of one sender.
    pub fn content_from(&self, sender: Address) -> SenderContent {
        self.book.lock().sender(&sender).map(SenderContent::new).unwrap_or_default()
    }

    /// The pending transactions in the order in which they came.
    pub fn pending(&self) -> Vec<Arc<PoolTransaction>> {
        let mut pending: Vec<_> = {
            let book = self.book.lock();
            book.senders().flat_map(|(_, sender)| sender.pending().cloned()).collect()
        };
        pending.sort_unstable_by_key(|transaction| transaction.number);
        pending
    }
}
