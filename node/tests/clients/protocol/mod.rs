//! What no client should send, and what every client may: by hand, through the program's own sockets.
//!
//! [`requests`] is about JSON-RPC in a body, [`methods`] about every method with parameters of every kind, [`transport`] about
//! HTTP, [`origins`] about pages of other origins, [`websocket`] about frames. After each of them the node must still answer.

mod methods;
mod origins;
mod requests;
mod transport;
mod websocket;

use super::{http, node::RunningNode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// For an answer that costs nothing, on a busy machine.
const SOON: Duration = Duration::from_secs(5);

/// The JSON of an answer to these bytes, whatever the status.
#[track_caller]
fn answer(node: &RunningNode, body: impl Into<Vec<u8>>) -> Value {
    let response = http::send(node.socket(), &http::Request::post(body)).expect("an answer");
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|error| panic!("{error}: {} {:?}", response.status, response.text()))
}

/// Still there, and quick.
#[track_caller]
fn assert_serves(node: &mut RunningNode) {
    assert!(node.is_running(), "the node has ended:\n{}", node.output());
    let begin = Instant::now();
    assert_eq!(node.call("eth_chainId", json!([])), "0x7a69");
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    assert!(!node.output().contains("panicked"), "{}", node.output());
}
