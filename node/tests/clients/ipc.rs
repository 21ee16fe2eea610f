//! A client over the Unix socket: JSON texts one after the other, with nothing between them that counts.

use super::node::{Program, RunningNode};
use serde_json::{Deserializer, StreamDeserializer, Value, de::IoRead, json};
use std::{
    io::Write,
    os::unix::{fs::FileTypeExt, net::UnixStream},
    path::Path,
    time::Duration,
};

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// One end of a connection.
struct Client {
    stream: UnixStream,
    answers: StreamDeserializer<'static, IoRead<UnixStream>, Value>,
}

impl Client {
    fn connect(path: &str) -> Self {
        let stream = UnixStream::connect(path).expect("the node listens on its socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let answers = Deserializer::from_reader(stream.try_clone().expect("another handle")).into_iter();
        Self { stream, answers }
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the node reads");
    }

    fn receive(&mut self) -> Value {
        self.answers.next().expect("the connection is open").expect("JSON in time")
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({ "jsonrpc": "2.0", "id": method, "method": method, "params": params }).to_string());
        let answer = self.receive();
        assert_eq!(answer["id"], json!(method), "{answer}");
        answer
    }
}

/// A node with a socket in a folder of its own, and where it is.
fn node(folder: &Path) -> Option<(RunningNode, String)> {
    if !Program::under_test().is_ours("IPC") {
        return None;
    }
    let path = folder.join("the.ipc");
    let node = RunningNode::start(["--ipc".as_ref(), path.as_os_str(), "--no-mining".as_ref()]);
    let path = node.address_of("ipc").to_owned();
    Some((node, path))
}

#[test]
fn requests_and_batches_are_answered_over_ipc() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((node, path)) = node(folder.path()) else { return };
    assert!(Path::new(&path).metadata().expect("it is there").file_type().is_socket());
    let mut client = Client::connect(&path);
    assert_eq!(client.call("eth_chainId", json!([]))["result"], json!("0x7a69"));
    // In pieces, and several at once without anything between them.
    client.send(r#"{"jsonrpc":"2.0","id":1,"meth"#);
    std::thread::sleep(Duration::from_millis(50));
    client.send(r#"od":"net_version"}{"jsonrpc":"2.0","id":2,"method":"web3_clientVersion"} {"jsonrpc":"2.0","id":3,"method":"no_such"}"#);
    let mut answers = [client.receive(), client.receive(), client.receive()];
    answers.sort_by_key(|answer| answer["id"].as_u64());
    assert_eq!(answers[0]["result"], json!("31337"));
    assert!(answers[1]["result"].as_str().is_some_and(|version| version.contains("Braid")), "{answers:?}");
    assert_eq!(answers[2]["error"]["code"], json!(-32601));
    client.send(r#"[{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"},{"jsonrpc":"2.0","method":"eth_blockNumber"},{"jsonrpc":"2.0","id":2,"method":"eth_accounts"}]"#);
    let batch = client.receive();
    assert_eq!((batch[0]["result"].clone(), batch.as_array().map(Vec::len)), (json!("0x0"), Some(2)), "{batch}");
    // Everything that the open port has is here too, and what is done here is seen there.
    assert_eq!(client.call("evm_mine", json!([]))["error"], Value::Null);
    assert_eq!(node.call("eth_blockNumber", json!([])), json!("0x1"));
    // Another client is not disturbed by one that goes away in the middle.
    client.send(r#"{"jsonrpc":"2.0","id":1,"meth"#);
    drop(client);
    assert_eq!(Client::connect(&path).call("eth_blockNumber", json!([]))["result"], json!("0x1"));
    assert!(node.stop().success());
    assert!(!Path::new(&path).exists(), "the socket goes with the node");
}

#[test]
fn heads_and_transactions_are_told_over_ipc() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((node, path)) = node(folder.path()) else { return };
    let mut client = Client::connect(&path);
    let heads = client.call("eth_subscribe", json!(["newHeads"]))["result"].clone();
    let transactions = client.call("eth_subscribe", json!(["newPendingTransactions"]))["result"].clone();
    assert!(heads.is_string() && transactions.is_string() && heads != transactions);
    let accounts = node.call("eth_accounts", json!([]));
    let sent = node.call("eth_sendTransaction", json!([{ "from": accounts[0], "to": accounts[1], "value": "0x1" }]));
    let event = client.receive();
    assert_eq!((&event["method"], &event["params"]["subscription"]), (&json!("eth_subscription"), &transactions));
    assert_eq!(event["params"]["result"], sent);
    node.call("evm_mine", json!([]));
    let event = client.receive();
    assert_eq!((&event["params"]["subscription"], &event["params"]["result"]["number"]), (&heads, &json!("0x1")));
    assert_eq!(client.call("eth_unsubscribe", json!([heads]))["result"], json!(true));
    node.call("evm_mine", json!([]));
    assert_eq!(client.call("eth_blockNumber", json!([]))["result"], json!("0x2"), "and no event before");
    assert!(node.stop().success());
}

#[test]
fn the_engine_api_is_on_a_socket_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    if !Program::under_test().is_ours("the Engine API over IPC") {
        return;
    }
    let path = folder.path().join("engine.ipc");
    let node = RunningNode::start(["--authrpc.ipc".as_ref(), path.as_os_str(), "--no-mining".as_ref()]);
    let mut client = Client::connect(node.address_of("authrpcIpc"));
    let offered = client.call("engine_exchangeCapabilities", json!([[]]))["result"].clone();
    assert!(offered.as_array().is_some_and(|list| list.contains(&json!("engine_newPayloadV4"))), "{offered}");
    assert_eq!(client.call("eth_chainId", json!([]))["result"], json!("0x7a69"));
    assert_eq!(
        client.call("evm_mine", json!([]))["error"]["code"],
        json!(-32601),
        "only what a consensus client wants"
    );
    let here = node.try_call("engine_exchangeCapabilities", json!([[]])).expect("an answer");
    assert_eq!(here["error"]["code"], json!(-32601), "not on the open port: {here}");
    assert!(node.stop().success());
}
