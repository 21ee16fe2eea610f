//! `eth_`: blocks, states, transactions, fees, logs, accounts of the node.
//!
//! `json` is how things are written; every other module is a group of methods.

mod access_list;
mod blocks;
mod capabilities;
mod fees;
mod fork_config;
pub(crate) mod json;
mod logs;
mod node_info;
mod pool_view;
mod receipts;
mod send;
mod sign;
mod state;
mod transactions;

#[cfg(test)]
mod tests;

pub(crate) use fees::{FeeHistoryCache, GasPriceOracle};
pub(crate) use logs::{LogFilter, LogRange};
pub(crate) use pool_view::pooled_json;

use crate::MethodSet;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    node_info::register(methods);
    fork_config::register(methods);
    capabilities::register(methods);
    state::register(methods);
    blocks::register(methods);
    transactions::register(methods);
    receipts::register(methods);
    access_list::register(methods);
    logs::register(methods);
    fees::register(methods);
    send::register(methods);
    sign::register(methods);
}
