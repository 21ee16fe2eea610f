//! The servers: HTTP and WebSocket on one port, IPC, and the authenticated port of the Engine API.
//!
//! How a message travels, and where to read:
//!
//! * `http` accepts connections and turns requests into responses; `access` says who may come in (virtual hosts, origins, content types, tokens);
//!   a request to upgrade goes to `websocket`. `ipc` accepts connections on a socket file, `framing` finds the messages in its stream.
//! * `dispatcher` answers one message, whatever it came by: `message` reads requests and writes answers, `metrics` counts them, `batch_sends`
//!   puts transactions that come together into the pool together.
//! * Connections that stay open (WebSocket, IPC) are a `connection`: its outbox is bounded, it owns subscriptions, and `conversation` keeps so many calls running.
//!
//! What is tolerated follows geth: missing and `null` parameters, ids of every kind, unknown members. So do the texts of the errors.

mod access;
mod batch_sends;
mod connection;
mod conversation;
mod dispatcher;
mod framing;
mod http;
mod ipc;
mod message;
mod metrics;
mod options;
mod running;
#[cfg(test)]
pub(crate) mod tests;
mod websocket;

pub(crate) use connection::{CallScope, Connection};
pub use http::{serve_engine, serve_http};
pub use ipc::serve_ipc;
pub(crate) use message::notification;
pub use options::{Cors, Hosts, HttpOptions, Limits};
pub use running::{RunningServer, ServerError};
