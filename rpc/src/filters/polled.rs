//! Filters that clients poll.

use super::{event::HeadEvent, interest::wanted};
use crate::{
    RpcError,
    error::LIMIT_EXCEEDED,
    eth::{LogFilter, pooled_json},
};
use braid_chain::pool::PoolTransaction;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Most filters at once.
const MAX_FILTERS: usize = 10_000;
/// What a filter may collect between two polls, in bytes. One that has more is forgotten, so that its owner is told.
const MAX_COLLECTED: usize = 32 << 20;

/// What a filter collects.
#[derive(Debug)]
enum Kind {
    Logs(LogFilter),
    Blocks,
    Pending { full: bool },
}

/// A filter and what it has collected.
#[derive(Debug)]
pub(super) struct PolledFilter {
    kind: Kind,
    collected: Vec<Box<RawValue>>,
    bytes: usize,
    polled: Instant,
}

impl PolledFilter {
    fn new(kind: Kind) -> Self {
        Self { kind, collected: Vec::new(), bytes: 0, polled: Instant::now() }
    }

    pub(super) fn logs(filter: LogFilter) -> Self {
        Self::new(Kind::Logs(filter))
    }

    pub(super) fn blocks() -> Self {
        Self::new(Kind::Blocks)
    }

    pub(super) fn pending(full: bool) -> Self {
        Self::new(Kind::Pending { full })
    }

    fn push(&mut self, change: &impl Serialize) {
        match to_raw_value(change) {
            Ok(json) => {
                self.bytes += json.get().len();
                self.collected.push(json);
            }
            Err(error) => tracing::error!("a change cannot be written as JSON: {error}"),
        }
    }
}

/// All filters, by name.
#[derive(Debug)]
pub(super) struct Filters {
    filters: HashMap<String, PolledFilter>,
    lifetime: Duration,
    /// Filters for transactions: without any, the pool is not held up.
    pending: usize,
}

impl Filters {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { filters: HashMap::new(), lifetime, pending: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    pub(super) fn insert(&mut self, name: String, filter: PolledFilter) -> Result<(), RpcError> {
        self.keep(|_| true);
        if self.filters.len() >= MAX_FILTERS {
            return Err(RpcError::new(LIMIT_EXCEEDED, "too many filters"));
        }
        self.filters.insert(name, filter);
        self.count_pending();
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        let is_removed = self.filters.remove(name).is_some();
        self.count_pending();
        is_removed
    }

    pub(super) fn take_changes(&mut self, name: &str) -> Result<Vec<Box<RawValue>>, RpcError> {
        self.keep(|_| true);
        let filter = self.filters.get_mut(name).ok_or_else(not_found)?;
        filter.polled = Instant::now();
        filter.bytes = 0;
        Ok(std::mem::take(&mut filter.collected))
    }

    pub(super) fn log_filter(&mut self, name: &str) -> Result<LogFilter, RpcError> {
        let filter = self.filters.get_mut(name).ok_or_else(not_found)?;
        filter.polled = Instant::now();
        match &filter.kind {
            Kind::Logs(filter) => Ok(filter.clone()),
            _ => Err(not_found()),
        }
    }

    pub(super) fn head_moved(&mut self, event: &HeadEvent) {
        for filter in self.filters.values_mut() {
            match &filter.kind {
                Kind::Pending { .. } => continue,
                Kind::Blocks => event.added.iter().for_each(|block| filter.push(&block.hash)),
                Kind::Logs(wish) => {
                    let wish = wish.clone();
                    for (block, is_removed) in event.blocks() {
                        wanted(&wish, block).for_each(|log| filter.push(&block.log_json(log, is_removed)));
                    }
                }
            }
        }
        self.keep(|filter| filter.bytes <= MAX_COLLECTED);
    }

    pub(super) fn transaction_came(&mut self, transaction: &PoolTransaction) {
        if self.pending == 0 {
            return;
        }
        for filter in self.filters.values_mut() {
            match filter.kind {
                Kind::Pending { full: true } => filter.push(&pooled_json(transaction)),
                Kind::Pending { full: false } => filter.push(&transaction.hash()),
                _ => {}
            }
        }
        self.keep(|filter| filter.bytes <= MAX_COLLECTED);
    }

    /// Forgets those that nobody polls, and those that are not to be kept.
    fn keep(&mut self, is_kept: impl Fn(&PolledFilter) -> bool) {
        let lifetime = self.lifetime;
        self.filters.retain(|_, filter| filter.polled.elapsed() < lifetime && is_kept(filter));
        self.count_pending();
    }

    fn count_pending(&mut self) {
        self.pending = self.filters.values().filter(|filter| matches!(filter.kind, Kind::Pending { .. })).count();
    }
}

fn not_found() -> RpcError {
    RpcError::server("filter not found")
}
