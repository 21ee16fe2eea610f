//! What a server allows.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Which web pages may use the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// None: browsers get no permission.
    #[default]
    None,
    /// Any (`*`); for development.
    Any,
    /// Those of these origins, such as `https://app.example`.
    Origins(Vec<String>),
}

/// Names by which clients may call the server (`--http.vhosts`). Against web pages that make their own name point to this machine. IP
/// addresses are always allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// Any (`*`).
    Any,
    /// These, without the port; letters large or small.
    Names(Vec<String>),
}

impl Default for Hosts {
    fn default() -> Self {
        Self::Names(vec!["localhost".to_owned()])
    }
}

/// Limits that keep a client from taking the server down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message of a client, in bytes.
    pub max_request_bytes: usize,
    /// Longest answer to one call, in bytes.
    pub max_response_bytes: usize,
    /// Most calls in a batch.
    pub max_batch: usize,
    /// Longest answer to a batch, in bytes; later calls of the batch are refused.
    pub max_batch_response_bytes: usize,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most subscriptions on a connection.
    pub max_subscriptions_per_connection: usize,
    /// Most calls of a connection (WebSocket, IPC) that run at once; until one ends, no more are read.
    pub max_calls_per_connection: usize,
    /// What may wait to be sent on a connection, in bytes. A subscriber that lets it fill is disconnected; answers to calls wait.
    pub max_queued_bytes: usize,
    /// How long a client may take to send a request, or keep a connection open without one.
    pub idle_timeout: Duration,
    /// How long a client may take to send the body of a request.
    pub body_timeout: Duration,
    /// How often a WebSocket is asked whether it is still there; after three times without any sign it is closed.
    pub ping_interval: Duration,
    /// How long calls may still run when the server stops.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_request_bytes: 32 << 20,
            max_response_bytes: 256 << 20,
            max_batch: 10_000,
            max_batch_response_bytes: 256 << 20,
            max_connections: 4096,
            max_subscriptions_per_connection: 1024,
            max_calls_per_connection: 64,
            max_queued_bytes: 64 << 20,
            idle_timeout: Duration::from_secs(120),
            body_timeout: Duration::from_secs(30),
            ping_interval: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

/// Settings of an HTTP and WebSocket server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// Address to listen at; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// Which web pages may use it.
    pub cors: Cors,
    /// By which names it may be called.
    pub hosts: Hosts,
    /// Whether long answers are compressed for clients that accept it.
    pub gzip: bool,
    /// Whether a WebSocket can be opened on the port.
    pub websocket: bool,
    /// Limits.
    pub limits: Limits,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8545)),
            cors: Cors::default(),
            hosts: Hosts::default(),
            gzip: true,
            websocket: true,
            limits: Limits::default(),
        }
    }
}
