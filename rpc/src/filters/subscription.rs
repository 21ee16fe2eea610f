//! Subscriptions of open connections.

use super::{Feed, event::HeadEvent, interest::wanted};
use crate::{
    Backend, RpcError,
    error::{LIMIT_EXCEEDED, METHOD_NOT_FOUND},
    eth::{LogFilter, json::HeaderJson, pooled_json},
    server::{CallScope, Connection, notification},
};
use braid_chain::pool::PoolTransaction;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::sync::Arc;
use tokio::sync::broadcast::{self, error::RecvError};

/// What is subscribed to.
#[derive(Debug)]
pub(super) enum Kind {
    NewHeads,
    Logs(Box<LogFilter>),
    Pending { full: bool },
    Syncing,
}

impl Kind {
    pub(super) fn parse(name: &str, options: Option<&RawValue>) -> Result<Self, RpcError> {
        let options = options.map_or("null", RawValue::get);
        let bad = |error: serde_json::Error| RpcError::invalid_params(format!("invalid argument 1: {error}"));
        match name {
            "newHeads" => Ok(Self::NewHeads),
            "syncing" => Ok(Self::Syncing),
            "logs" => {
                let options = if options == "null" { "{}" } else { options };
                serde_json::from_str(options).map(Box::new).map(Self::Logs).map_err(bad)
            }
            "newPendingTransactions" => {
                let full: Option<bool> = serde_json::from_str(options).map_err(bad)?;
                Ok(Self::Pending { full: full.unwrap_or_default() })
            }
            name => {
                let shown: String = name.chars().take(64).collect();
                let message = format!("no {shown:?} subscription in eth namespace");
                Err(RpcError::new(METHOD_NOT_FOUND, message))
            }
        }
    }
}

/// What calls over plain HTTP get.
pub(super) fn not_supported() -> RpcError {
    RpcError::new(METHOD_NOT_FOUND, "notifications not supported")
}

/// Starts a subscription; gives its name.
pub(super) fn start(backend: &Backend, kind: Kind, scope: &CallScope) -> Result<String, RpcError> {
    let feed = Arc::clone(backend.feed());
    let name = feed.new_name();
    let connection = Arc::clone(scope.connection());
    let ended = connection.subscribe(&name);
    let ended = ended.map_err(|_| RpcError::new(LIMIT_EXCEEDED, "too many subscriptions on this connection"))?;
    // From here on nothing is missed; but nothing is sent before the name is.
    let source = Source::new(&feed, kind);
    let answered = scope.answered();
    let subscriber = Subscriber { name: name.clone(), connection };
    tokio::spawn(async move {
        let told = async {
            if answered.await.is_ok() {
                source.tell(&subscriber).await;
            }
        };
        tokio::select! {
            () = ended.cancelled() => {}
            () = told => {}
        }
    });
    Ok(name)
}

/// Who is told.
struct Subscriber {
    name: String,
    connection: Arc<Connection>,
}

impl Subscriber {
    fn send(&self, result: &impl Serialize) {
        match to_raw_value(result) {
            Ok(json) => self.connection.notify(notification(&self.name, &json)),
            Err(error) => tracing::error!("an event cannot be written as JSON: {error}"),
        }
    }
}

/// Where events come from.
enum Source {
    NewHeads(broadcast::Receiver<Arc<HeadEvent>>),
    Logs(broadcast::Receiver<Arc<HeadEvent>>, Box<LogFilter>),
    Pending(broadcast::Receiver<Arc<PoolTransaction>>, bool),
    Syncing,
}

impl Source {
    fn new(feed: &Feed, kind: Kind) -> Self {
        match kind {
            Kind::NewHeads => Self::NewHeads(feed.heads()),
            Kind::Logs(filter) => Self::Logs(feed.heads(), filter),
            Kind::Pending { full } => Self::Pending(feed.pending(), full),
            Kind::Syncing => Self::Syncing,
        }
    }

    /// Tells what happens until nothing more will, or something was missed.
    async fn tell(self, subscriber: &Subscriber) {
        match self {
            Self::NewHeads(mut heads) => {
                while let Some(event) = next_head(&mut heads, subscriber).await {
                    for block in &event.added {
                        subscriber.send(&HeaderJson { hash: Some(block.hash), header: &block.header });
                    }
                }
            }
            Self::Logs(mut heads, filter) => {
                while let Some(event) = next_head(&mut heads, subscriber).await {
                    for (block, is_removed) in event.blocks() {
                        wanted(&filter, block).for_each(|log| subscriber.send(&block.log_json(log, is_removed)));
                    }
                }
            }
            Self::Pending(mut transactions, full) => loop {
                match transactions.recv().await {
                    Ok(transaction) if full => subscriber.send(&pooled_json(&transaction)),
                    Ok(transaction) => subscriber.send(&transaction.hash()),
                    // Which transactions are waiting is no promise: those that were missed are passed over.
                    Err(RecvError::Lagged(missed)) => tracing::debug!("a subscription missed {missed} transactions"),
                    Err(RecvError::Closed) => return,
                }
            },
            Self::Syncing => {
                // The node takes what it is given and never catches up by itself.
                subscriber.send(&false);
                std::future::pending().await
            }
        }
    }
}

/// The next move of the head. Who missed one would believe in a wrong chain, so the connection is closed then.
async fn next_head(heads: &mut broadcast::Receiver<Arc<HeadEvent>>, subscriber: &Subscriber) -> Option<Arc<HeadEvent>> {
    match heads.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(missed)) => {
            tracing::debug!("a subscription missed {missed} moves of the head: disconnected");
            subscriber.connection.close();
            None
        }
        Err(RecvError::Closed) => None,
    }
}
