//! `txpool_`: the transaction pool.

use crate::{
    Backend, MethodSet, RpcError,
    eth::{
        json::{Quantity, TransactionJson},
        pooled_json,
    },
};
use alloy_consensus::Transaction as _;
use alloy_primitives::Address;
use braid_chain::pool::{PoolContent, PoolTransaction};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::{collections::BTreeMap, sync::Arc};

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.quick(
        "txpool_status() -> PoolStatus",
        "How many transactions are pending, and how many wait for others.",
        |backend, ()| {
            let status = backend.pool().status();
            Ok(Both { pending: Quantity::from(status.pending), queued: Quantity::from(status.queued) })
        },
    );
    methods.slow(
        "txpool_content() -> PoolContent",
        "All transactions of the pool, by sender and nonce.",
        |backend, ()| show_all(backend, full),
    );
    methods.slow(
        "txpool_inspect() -> PoolInspection",
        "All transactions of the pool, by sender and nonce, each in a line of text.",
        |backend, ()| show_all(backend, summary),
    );
    methods.quick(
        "txpool_contentFrom(address: Address) -> SenderContent",
        "The transactions of a sender in the pool, by nonce.",
        |backend, (address,): (Address,)| {
            let content = backend.pool().content_from(address);
            let both = Both { pending: by_nonce(&content.pending, full), queued: by_nonce(&content.queued, full) };
            to_raw_value(&both).map_err(RpcError::internal)
        },
    );
}

#[derive(Debug, Serialize)]
struct Both<T> {
    pending: T,
    queued: T,
}

type ByNonce = BTreeMap<u64, Arc<PoolTransaction>>;

/// A transaction, as it is shown.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Full(TransactionJson<'a>),
    Summary(String),
}

type Show = fn(&PoolTransaction) -> Shown<'_>;

fn by_nonce(transactions: &ByNonce, show: Show) -> BTreeMap<u64, Shown<'_>> {
    transactions.iter().map(|(nonce, pooled)| (*nonce, show(pooled))).collect()
}

/// By sender, with the checksum in the address as geth writes it.
fn show_all(backend: &Backend, show: Show) -> Result<Box<RawValue>, RpcError> {
    let PoolContent { pending, queued } = backend.pool().content();
    let both = Both { pending: by_sender(&pending, show), queued: by_sender(&queued, show) };
    to_raw_value(&both).map_err(RpcError::internal)
}

fn by_sender(all: &BTreeMap<Address, ByNonce>, show: Show) -> BTreeMap<String, BTreeMap<u64, Shown<'_>>> {
    all.iter().map(|(sender, transactions)| (sender.to_checksum(None), by_nonce(transactions, show))).collect()
}

fn full(pooled: &PoolTransaction) -> Shown<'_> {
    Shown::Full(pooled_json(pooled))
}

/// As geth: `0x…: 1 wei + 21000 gas × 7 wei`.
fn summary(pooled: &PoolTransaction) -> Shown<'_> {
    let transaction = pooled.transaction();
    let (value, gas, price) = (transaction.value(), transaction.gas_limit(), transaction.max_fee_per_gas());
    let to = transaction.to().map_or_else(|| "contract creation".to_owned(), |to| to.to_string());
    Shown::Summary(format!("{to}: {value} wei + {gas} gas × {price} wei"))
}
