//! Passes on what chain and pool tell.

use super::{
    event::HeadEvent,
    polled::{Filters, PolledFilter},
};
use crate::{RpcError, eth::LogFilter};
use alloy_primitives::{B256, keccak256};
use braid_chain::{Chain, Reorganisation, TransactionPool, pool::PoolTransaction};
use parking_lot::Mutex;
use serde_json::value::RawValue;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::broadcast;

/// Moves of the head that a subscription may be behind.
const HEADS_BEHIND: usize = 256;
/// Transactions that a subscription may be behind.
const TRANSACTIONS_BEHIND: usize = 16_384;

/// Tells subscriptions and filters what happens.
#[derive(Debug)]
pub(crate) struct Feed {
    heads: broadcast::Sender<Arc<HeadEvent>>,
    pending: broadcast::Sender<Arc<PoolTransaction>>,
    filters: Mutex<Filters>,
    secret: B256,
    next_name: AtomicU64,
}

impl Feed {
    /// Follows a chain and a pool. Filters that are not polled for so long are forgotten.
    pub(crate) fn new(chain: &Chain, pool: &TransactionPool, lifetime: Duration) -> Arc<Self> {
        // Keys of a hash table are random; hashing nothing with them gives what nobody outside can know.
        let mut secret = B256::ZERO;
        for part in secret.chunks_exact_mut(8) {
            part.copy_from_slice(&RandomState::new().build_hasher().finish().to_be_bytes());
        }
        let feed = Arc::new(Self {
            heads: broadcast::channel(HEADS_BEHIND).0,
            pending: broadcast::channel(TRANSACTIONS_BEHIND).0,
            filters: Mutex::new(Filters::new(lifetime)),
            secret,
            next_name: AtomicU64::new(0),
        });
        let weak = Arc::downgrade(&feed);
        chain.watch_head(move |reorganisation| {
            if let Some(feed) = weak.upgrade() {
                feed.head_moved(reorganisation);
            }
        });
        let weak = Arc::downgrade(&feed);
        pool.watch_added(move |transaction| {
            if let Some(feed) = weak.upgrade() {
                feed.transaction_came(transaction);
            }
        });
        feed
    }

    /// On the thread that moved the head: where nobody listens it must cost nothing.
    fn head_moved(&self, reorganisation: &Reorganisation) {
        let mut filters = self.filters.lock();
        if filters.is_empty() && self.heads.receiver_count() == 0 {
            return;
        }
        let event = Arc::new(HeadEvent::new(reorganisation));
        filters.head_moved(&event);
        drop(filters);
        // Nobody may be left.
        let _ = self.heads.send(event);
    }

    fn transaction_came(&self, transaction: &Arc<PoolTransaction>) {
        self.filters.lock().transaction_came(transaction);
        if self.pending.receiver_count() > 0 {
            let _ = self.pending.send(Arc::clone(transaction));
        }
    }

    pub(super) fn heads(&self) -> broadcast::Receiver<Arc<HeadEvent>> {
        self.heads.subscribe()
    }

    pub(super) fn pending(&self) -> broadcast::Receiver<Arc<PoolTransaction>> {
        self.pending.subscribe()
    }

    /// A name that nobody can guess, as geth writes them: hexadecimal without leading zeros.
    pub(super) fn new_name(&self) -> String {
        let count = self.next_name.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let hash = keccak256([self.secret.as_slice(), &count].concat());
        let number = u128::from_be_bytes(hash.0[..16].try_into().unwrap_or_default());
        format!("{number:#x}")
    }

    pub(super) fn add_filter(&self, filter: PolledFilter) -> Result<String, RpcError> {
        let name = self.new_name();
        self.filters.lock().insert(name.clone(), filter)?;
        Ok(name)
    }

    pub(super) fn take_changes(&self, name: &str) -> Result<Vec<Box<RawValue>>, RpcError> {
        self.filters.lock().take_changes(name)
    }

    pub(super) fn log_filter(&self, name: &str) -> Result<LogFilter, RpcError> {
        self.filters.lock().log_filter(name)
    }

    pub(super) fn remove_filter(&self, name: &str) -> bool {
        self.filters.lock().remove(name)
    }
}
