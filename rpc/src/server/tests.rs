//! The servers as clients see them, on loopback.

mod fuzz;
mod http;
mod streams;

pub(crate) use streams::WebSocket;

use super::{HttpOptions, Limits, RunningServer, serve_http};
use crate::{MethodSet, RpcError, test_chain};
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};

/// Some methods that do what the tests need.
pub(super) fn methods() -> MethodSet {
    let backend = test_chain::backend(test_chain::dev_chain());
    let mut methods = backend.methods();
    methods.quick("test_echo(value: Any) -> Any", "Gives back.", |_, (value,): (Value,)| Ok(value));
    methods.quick("test_panic() -> Any", "Panics.", |_, ()| -> Result<(), RpcError> { panic!("as asked") });
    methods.quick("test_long(bytes: Quantity) -> Any", "A long answer.", |_, (bytes,): (usize,)| Ok("x".repeat(bytes)));
    methods.waiting("test_sleep(ms: Quantity) -> Any", "Waits.", |_, (ms,): (u64,), _| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        Ok(ms)
    });
    methods
}

pub(super) fn options() -> HttpOptions {
    let limits = Limits { max_request_bytes: 1 << 20, max_batch: 100, ..Limits::default() };
    HttpOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), limits, ..HttpOptions::default() }
}

pub(super) async fn start(options: &HttpOptions) -> (RunningServer, String) {
    let server = serve_http(methods(), options).await.unwrap();
    let url = format!("http://{}", server.local_address());
    (server, url)
}

/// Posts a body as JSON; gives status and body.
pub(crate) async fn post(url: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
    let request = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
