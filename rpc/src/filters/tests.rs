//! Events as clients see them.

use crate::{
    Backend, HttpOptions, RpcError, serve_http,
    server::tests::{WebSocket, post},
    test_chain::{self, build, make_head, transaction},
};
use alloy_primitives::{Bytes, bytes};
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc};

/// Code of a contract whose creation emits a log with the topic 7: PUSH1 7, PUSH1 0, PUSH1 0, LOG1, STOP.
const LOGGING: Bytes = bytes!("600760006000a100");
const TOPIC: &str = "0x0000000000000000000000000000000000000000000000000000000000000007";

struct Node {
    backend: Arc<Backend>,
    server: crate::RunningServer,
    url: String,
}

impl Node {
    async fn start() -> Self {
        let backend = test_chain::backend(test_chain::dev_chain());
        let options = HttpOptions { address: SocketAddr::from(([127, 0, 0, 1], 0)), ..HttpOptions::default() };
        let server = serve_http(backend.methods(), &options).await.unwrap();
        let url = format!("http://{}", server.local_address());
        Self { backend, server, url }
    }

    async fn call(&self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let (_, body) = post(&self.url, request.to_string()).await;
        let mut answer: Value = serde_json::from_str(&body).unwrap();
        if answer["error"].is_object() { answer["error"].take() } else { answer["result"].take() }
    }

    /// A block on the parent, perhaps with a log.
    fn build(&self, parent: alloy_primitives::B256, has_log: bool) -> alloy_primitives::B256 {
        let transactions = if has_log { vec![transaction(0, None, LOGGING)] } else { Vec::new() };
        build(self.backend.chain(), parent, transactions)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_tell_of_blocks_and_logs_and_take_logs_back() {
    let node = Node::start().await;
    let mut socket = WebSocket::open(node.server.local_address()).await;
    socket.send(r#"{"id":1,"method":"eth_subscribe","params":["newHeads"]}"#).await;
    let heads = socket.next().await.unwrap()["result"].clone();
    socket.send(&format!(r#"{{"id":2,"method":"eth_subscribe","params":["logs",{{"topics":["{TOPIC}"]}}]}}"#)).await;
    let logs = socket.next().await.unwrap()["result"].clone();
    socket.send(r#"{"id":3,"method":"eth_subscribe","params":["syncing"]}"#).await;
    assert!(socket.next().await.unwrap()["result"].is_string());
    assert_eq!(socket.next().await.unwrap()["params"]["result"], false);

    let chain = node.backend.chain();
    let genesis = chain.head().hash;
    let first = node.build(genesis, true);
    make_head(chain, first);
    let mut events = [socket.next().await.unwrap(), socket.next().await.unwrap()];
    events.sort_by_key(|event| event["params"]["subscription"] == logs);
    assert_eq!(events[0]["method"], "eth_subscription");
    assert_eq!(events[0]["params"]["subscription"], heads);
    assert_eq!(events[0]["params"]["result"]["hash"], json!(first));
    assert_eq!(events[0]["params"]["result"]["number"], "0x1");
    let log = &events[1]["params"]["result"];
    assert_eq!((&log["topics"], &log["removed"], &log["logIndex"]), (&json!([TOPIC]), &json!(false), &json!("0x0")));

    // Another branch: the log is taken back.
    socket.send(&format!(r#"{{"id":4,"method":"eth_unsubscribe","params":[{heads}]}}"#)).await;
    assert_eq!(socket.next().await.unwrap()["result"], true);
    socket.send(&format!(r#"{{"id":5,"method":"eth_unsubscribe","params":[{heads}]}}"#)).await;
    assert_eq!(socket.next().await.unwrap()["error"]["message"], "subscription not found");
    let other = node.build(genesis, false);
    make_head(chain, other);
    let taken_back = socket.next().await.unwrap();
    assert_eq!(taken_back["params"]["result"]["removed"], true);
    assert_eq!(taken_back["params"]["result"]["blockHash"], json!(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_collect_between_polls() {
    let node = Node::start().await;
    let chain = node.backend.chain();
    let genesis = chain.head().hash;
    let blocks = node.call("eth_newBlockFilter", json!([])).await;
    let logs = node.call("eth_newFilter", json!([{ "topics": [[TOPIC]] }])).await;
    let others = node.call("eth_newFilter", json!([{ "address": "0x0000000000000000000000000000000000000001" }])).await;
    let later = node.call("eth_newFilter", json!([{ "fromBlock": "0x5" }])).await;
    let first = node.build(genesis, true);
    make_head(chain, first);
    assert_eq!(node.call("eth_getFilterChanges", json!([blocks])).await, json!([first]));
    assert_eq!(node.call("eth_getFilterChanges", json!([blocks])).await, json!([]));
    let changes = node.call("eth_getFilterChanges", json!([logs])).await;
    assert_eq!(changes.as_array().unwrap().len(), 1);
    assert_eq!(changes[0]["blockHash"], json!(first));
    assert_eq!(node.call("eth_getFilterLogs", json!([logs])).await, changes);
    assert_eq!(node.call("eth_getFilterChanges", json!([others])).await, json!([]));
    assert_eq!(node.call("eth_getFilterChanges", json!([later])).await, json!([]));

    let other = node.build(genesis, false);
    make_head(chain, other);
    let changes = node.call("eth_getFilterChanges", json!([logs])).await;
    assert_eq!((changes.as_array().unwrap().len(), &changes[0]["removed"]), (1, &json!(true)));

    assert_eq!(node.call("eth_getFilterLogs", json!([blocks])).await["message"], "filter not found");
    assert_eq!(node.call("eth_uninstallFilter", json!([blocks])).await, true);
    assert_eq!(node.call("eth_uninstallFilter", json!([blocks])).await, false);
    assert_eq!(node.call("eth_getFilterChanges", json!([blocks])).await["code"], -32000);
    assert_eq!(node.call("eth_subscribe", json!(["newHeads"])).await["message"], "notifications not supported");
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_of_the_pool_are_told() {
    use alloy_eips::Encodable2718;
    let node = Node::start().await;
    let filter = node.call("eth_newPendingTransactionFilter", json!([])).await;
    let mut socket = WebSocket::open(node.server.local_address()).await;
    socket.send(r#"{"id":1,"method":"eth_subscribe","params":["newPendingTransactions",true]}"#).await;
    assert!(socket.next().await.unwrap()["result"].is_string());
    let pool = Arc::clone(node.backend.pool());
    let sent = transaction(0, None, Bytes::new());
    let raw = sent.encoded_2718();
    let hash =
        tokio::task::spawn_blocking(move || pool.add_raw(&raw, braid_chain::Origin::Local)).await.unwrap().unwrap();
    assert_eq!(socket.next().await.unwrap()["params"]["result"]["hash"], json!(hash));
    assert_eq!(node.call("eth_getFilterChanges", json!([filter])).await, json!([hash]));
}

#[test]
fn kinds_are_read_as_geth_reads_them() {
    use super::subscription::Kind;
    let code = |name| Kind::parse(name, None).map_err(|error: RpcError| (error.code, error.message));
    assert!(matches!(code("logs"), Ok(Kind::Logs(_))));
    assert!(matches!(code("newPendingTransactions"), Ok(Kind::Pending { full: false })));
    let expected = (-32601, "no \"foo\" subscription in eth namespace".to_owned());
    assert_eq!(code("foo").unwrap_err(), expected);
}
