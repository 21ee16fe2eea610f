//! The transaction pool: what was sent and is not in a block yet.
//!
//! How to read it: a transaction is decoded and its sender recovered ([`transaction`], `admission`; `batch` for many), checked against the rules of the head ([`context`])
//! and the blobs' proofs ([`sidecars`]), all without a lock; then, under the one lock of the pool, against the account and the other
//! transactions of its sender, and put into the [`book`]. The book has the transactions of each sender by nonce ([`sender`]) and orders by what they offer ([`index`]).
//! `head` follows the chain, `best` gives the transactions of a block, `views` what is there, [`journal`] keeps local transactions over restarts.
//!
//! * *Pending* are the transactions of a sender from its account's nonce on, without a gap, as far as the account can pay for all of them together.
//!   The others are *queued*. Whether a pending one pays the base fee of the next block does not matter until a block is made.
//! * The pool takes what geth's takes, and refuses the rest in geth's words ([`PoolError`]).
//! * Accounts of senders are read once and then follow the changes of each block, so admission reads no state as a rule.

mod admission;
mod batch;
mod best;
mod book;
mod context;
mod error;
mod head;
mod index;
mod journal;
mod options;
mod sender;
mod sidecars;
#[cfg(test)]
mod tests;
mod transaction;
mod views;

pub use error::PoolError;
pub use journal::{JournalContent, JournalError};
pub use options::PoolOptions;
pub use sidecars::PooledBlob;
pub use transaction::{Origin, PoolTransaction, PooledTransaction};
pub use views::{PoolContent, PoolStatus, SenderContent};

use crate::Chain;
use alloy_primitives::{Address, B256, U256};
use book::{Book, Changes};
use context::HeadContext;
use journal::Journal;
use parking_lot::{Mutex, RwLock};
use std::{
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

type Watcher = Box<dyn Fn(&Arc<PoolTransaction>) + Send + Sync>;

/// What can be changed while the pool is in use.
#[derive(Clone, Copy, Debug)]
struct Settings {
    min_tip: u128,
    min_fee: u128,
    gas_limit: Option<u64>,
    fee_cap: Option<U256>,
}

/// Transactions that wait for a block. All methods can be called from any thread.
///
/// Methods that take raw transactions recover signatures (some 42 µs each) and verify blobs (milliseconds): call them from threads that may compute, not from
/// those that serve connections.
pub struct TransactionPool {
    chain: Arc<Chain>,
    options: PoolOptions,
    settings: RwLock<Settings>,
    /// The head that the pool has followed. Changed only by who holds the book.
    context: RwLock<Arc<HeadContext>>,
    book: Mutex<Book>,
    watchers: RwLock<Vec<Watcher>>,
    journal: Mutex<Option<Journal>>,
    /// How many callers want transactions of removed blocks to be gone.
    dropping: AtomicUsize,
    /// When expired transactions were last looked for.
    swept: Mutex<Instant>,
}

impl fmt::Debug for TransactionPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionPool")
            .field("options", &self.options)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl TransactionPool {
    /// An empty pool on the head of a chain, which it follows from now on.
    pub fn new(chain: Arc<Chain>, options: PoolOptions) -> Arc<Self> {
        let (head, header) = chain.head_header();
        let context = HeadContext::new(head.hash, &header, chain.spec());
        let settings =
            Settings { min_tip: options.min_tip, min_fee: options.min_fee, gas_limit: None, fee_cap: options.fee_cap };
        let pool = Arc::new(Self {
            settings: RwLock::new(settings),
            context: RwLock::new(Arc::new(context)),
            book: Mutex::new(Book::new(&options)),
            watchers: RwLock::default(),
            journal: Mutex::default(),
            dropping: AtomicUsize::new(0),
            swept: Mutex::new(Instant::now()),
            chain,
            options,
        });
        let weak = Arc::downgrade(&pool);
        pool.chain.watch_head(move |reorganisation| {
            if let Some(pool) = weak.upgrade() {
                pool.follow(reorganisation);
            }
        });
        // The head may have moved before anybody told.
        pool.catch_up();
        pool
    }

    /// The options with which the pool was made.
    pub const fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// Asks for another tip and another fee of those who come from now on, both in wei per gas.
    pub fn set_minimum(&self, tip: u128, fee: u128) {
        let mut settings = self.settings.write();
        (settings.min_tip, settings.min_fee) = (tip, fee);
    }

    /// Refuses local transactions from now on that could pay more for their gas, in wei; `None` is no limit.
    pub fn set_fee_cap(&self, cap: Option<U256>) {
        self.settings.write().fee_cap = cap;
    }

    /// Says which gas limit the next blocks will have, if not that of the head: transactions with more are refused.
    pub fn set_gas_limit(&self, gas_limit: Option<u64>) {
        self.settings.write().gas_limit = gas_limit;
    }

    /// Calls `watcher` with every transaction that becomes pending: new ones, those that waited for them, and those that come back with a
    /// reorganisation. The pool may be looked at meanwhile. It may be called while the head moves, so it should not take long, and must
    /// neither insert blocks nor move the head.
    pub fn watch_added(&self, watcher: impl Fn(&Arc<PoolTransaction>) + Send + Sync + 'static) {
        self.watchers.write().push(Box::new(watcher));
    }

    /// Takes a transaction out. Those of the same sender after it are queued.
    pub fn remove(&self, hash: &B256) -> Option<Arc<PoolTransaction>> {
        let mut book = self.book.lock();
        let transaction = Arc::clone(book.get(hash)?);
        let mut changes = Changes::default();
        let removed = book.remove(transaction.sender(), transaction.nonce(), &mut changes);
        self.make_room(&mut book, self.context().base_fee, &mut changes);
        removed
    }

    /// Takes every transaction of a sender out. Gives their hashes in the order of their nonces.
    pub fn remove_sender(&self, sender: Address) -> Vec<B256> {
        let mut book = self.book.lock();
        let nonces: Vec<u64> =
            book.sender(&sender).map(|sender| sender.all().map(|tx| tx.nonce()).collect()).unwrap_or_default();
        // From the last one on, so that nothing is queued in between.
        let mut removed: Vec<B256> = (nonces.into_iter().rev())
            .filter_map(|nonce| Some(book.remove(sender, nonce, &mut Changes::default())?.hash()))
            .collect();
        removed.reverse();
        removed
    }

    /// Takes every transaction out.
    pub fn clear(&self) {
        self.book.lock().clear();
    }

    fn context(&self) -> Arc<HeadContext> {
        Arc::clone(&self.context.read())
    }

    /// Tells the watchers; nobody may hold the book.
    fn announce(&self, changes: &Changes) {
        if changes.pending.is_empty() {
            return;
        }
        let watchers = self.watchers.read();
        for transaction in &changes.pending {
            watchers.iter().for_each(|watcher| watcher(transaction));
        }
    }
}
