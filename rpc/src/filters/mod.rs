//! Events: subscriptions of open connections, and filters that clients poll.
//!
//! `event` is what happens to the chain, made from what the chain tells; `feed` passes it on. A subscription (`subscription`) is a task that waits for
//! events and writes notifications; a filter (`polled`) is a list that the feed itself fills, so that whoever polls after a transaction was mined
//! finds it. Both ask `interest` which logs they want.

mod event;
mod feed;
mod interest;
mod polled;
mod subscription;
#[cfg(test)]
mod tests;

pub(crate) use feed::Feed;

use crate::{MethodSet, RpcError, eth::LogFilter, server::CallScope};
use polled::PolledFilter;
use subscription::Kind;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.waiting(
        "eth_subscribe(subscription: SubscriptionKind, options?: SubscriptionOptions) -> String",
        "Asks for notifications (newHeads, logs, newPendingTransactions, syncing); only over WebSocket and IPC.",
        |backend, (kind, options): (String, Option<Box<serde_json::value::RawValue>>), extensions| async move {
            let scope = extensions.get::<CallScope>().ok_or_else(subscription::not_supported)?;
            subscription::start(&backend, Kind::parse(&kind, options.as_deref())?, scope)
        },
    );
    methods.waiting(
        "eth_unsubscribe(subscription: String) -> Boolean",
        "Ends a subscription.",
        |_, (id,): (String,), extensions| async move {
            let scope = extensions.get::<CallScope>().ok_or_else(subscription::not_supported)?;
            if scope.connection().unsubscribe(&id) { Ok(true) } else { Err(RpcError::server("subscription not found")) }
        },
    );
    methods.quick(
        "eth_newFilter(filter: LogFilter) -> String",
        "A filter that collects logs from now on.",
        |backend, (filter,): (LogFilter,)| backend.feed().add_filter(PolledFilter::logs(filter)),
    );
    methods.quick(
        "eth_newBlockFilter() -> String",
        "A filter that collects hashes of blocks from now on.",
        |backend, ()| backend.feed().add_filter(PolledFilter::blocks()),
    );
    methods.quick(
        "eth_newPendingTransactionFilter(full?: Boolean) -> String",
        "A filter that collects transactions that come into the pool from now on: their hashes, or all of them.",
        |backend, (full,): (Option<bool>,)| backend.feed().add_filter(PolledFilter::pending(full.unwrap_or_default())),
    );
    methods.quick(
        "eth_getFilterChanges(filterId: String) -> FilterChange[]",
        "What a filter has collected since the last call.",
        |backend, (id,): (String,)| backend.feed().take_changes(&id),
    );
    methods.slow(
        "eth_getFilterLogs(filterId: String) -> Log[]",
        "All logs that a filter for logs wants, as eth_getLogs gives them.",
        |backend, (id,): (String,)| {
            let filter = backend.feed().log_filter(&id)?;
            backend.find_logs(&filter)?.to_json().map_err(RpcError::internal)
        },
    );
    methods.quick(
        "eth_uninstallFilter(filterId: String) -> Boolean",
        "Forgets a filter; false if there is none of this name.",
        |backend, (id,): (String,)| Ok(backend.feed().remove_filter(&id)),
    );
}
