//! Ethereum JSON-RPC and the Engine API for a chain.
//!
//! * [`Backend`] is what every method works on; [`Backend::methods`] are those of the open port, [`Backend::engine_methods`] those of the authenticated one.
//! * `methods` is how methods are registered; each namespace is a module with a function `register`.
//! * `server` brings them to HTTP, WebSocket and IPC.
//! * [`RpcError`] is what a client gets when a call fails.

mod accounts;
mod admin;
mod backend;
mod block_id;
mod braid;
mod debug;
mod dev;
mod engine;
mod erigon;
mod error;
mod eth;
mod filters;
mod methods;
mod namespaces;
mod net;
mod ots;
mod pending;
mod replay;
mod rpc_info;
mod server;
mod simulate;
mod slow;
#[cfg(test)]
mod test_chain;
#[cfg(test)]
mod test_node;
mod testing;
mod trace;
mod txpool;
mod web3;

pub use accounts::Accounts;
pub use backend::{Backend, RpcOptions};
pub use error::RpcError;
pub use methods::MethodSet;
pub use server::{Cors, Hosts, HttpOptions, Limits, RunningServer, ServerError, serve_engine, serve_http, serve_ipc};
