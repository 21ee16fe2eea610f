//! JSON-RPC in the body of a request.

use super::{answer, assert_serves};
use crate::node::{Program, RunningNode};
use serde_json::{Value, json};

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

fn start() -> RunningNode {
    RunningNode::start::<&str>([])
}

#[track_caller]
fn assert_error(answer: &Value, codes: &[i64]) {
    let code = answer["error"]["code"].as_i64();
    assert!(code.is_some_and(|code| codes.contains(&code)), "not one of {codes:?}: {answer}");
    assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
    assert!(answer.get("result").is_none(), "{answer}");
}

#[test]
fn what_is_not_json_is_a_parse_error() {
    let mut node = start();
    let deep = "[".repeat(200_000);
    let deep_object = "{\"a\":".repeat(100_000);
    let bodies: [&[u8]; 9] = [
        b"{",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_chainId\"",
        b"not json",
        b"{'jsonrpc':'2.0'}",
        b"\xff\xfe\xfd",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}",
        deep.as_bytes(),
        deep_object.as_bytes(),
        b"{\"id\":1}{\"id\":2}",
    ];
    for body in bodies {
        let answer = answer(&node, body);
        assert_error(&answer, &[PARSE_ERROR, INVALID_REQUEST]);
        assert_eq!(answer["id"], Value::Null, "{answer}");
    }
    assert_serves(&mut node);
}

#[test]
fn what_is_no_request_is_invalid() {
    let mut node = start();
    for body in [
        "1",
        "null",
        "\"eth_chainId\"",
        "true",
        "{}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":5}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}",
        "{\"jsonrpc\":\"2.0\",\"id\":{\"a\":1},\"method\":\"eth_chainId\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"eth_chainId\"}",
        "[]",
    ] {
        if Program::under_test() == Program::Anvil && body == "[]" {
            continue;
        }
        assert_error(&answer(&node, body), &[PARSE_ERROR, INVALID_REQUEST]);
    }
    assert_serves(&mut node);
}

#[test]
fn every_id_comes_back_as_it_was() {
    if !Program::under_test().is_ours("ids of every kind") {
        return;
    }
    let node = start();
    for id in [
        "0",
        "1",
        "-7",
        "\"text\"",
        "\"\"",
        "\"d9f1c0de-6a3b-4c5e-9d2f-0123456789ab\"",
        "9007199254740993",
        "18446744073709551615",
        "\"\\u00e9\\\"\"",
        "null",
    ] {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"eth_chainId\",\"params\":[]}}");
        let answer = answer(&node, body);
        assert_eq!(answer["id"], serde_json::from_str::<Value>(id).expect("JSON"), "{answer}");
        assert_eq!(answer["result"], "0x7a69");
    }
    // An error has it, too.
    let answer = answer(&node, r#"{"jsonrpc":"2.0","id":"mine","method":"eth_noSuchMethod","params":[]}"#);
    assert_error(&answer, &[METHOD_NOT_FOUND]);
    assert_eq!(answer["id"], "mine");
}

#[test]
fn parameters_may_be_missing_but_not_wrong() {
    if !Program::under_test().is_ours("parameters that are missing or wrong") {
        return;
    }
    let mut node = start();
    for params in ["", ",\"params\":null", ",\"params\":[]"] {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_chainId\"{params}}}");
        assert_eq!(answer(&node, body)["result"], "0x7a69", "{params}");
    }
    // The block may be left out, or be null; fields that nobody knows are no error.
    let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    for params in [json!([address]), json!([address, null]), json!([address, "latest"])] {
        assert_eq!(node.call("eth_getBalance", params), "0x21e19e0c9bab2400000");
    }
    let call = json!({ "from": address, "to": address, "input": "0x", "data": "0x", "chain": "mainnet", "hardfork": "x", "networkId": 1, "gasPrice": null });
    assert_eq!(node.call("eth_call", json!([call])), "0x");
    let long = format!("0x{}", "f".repeat(1 << 20));
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!(["0x1234"])),
        ("eth_getBalance", json!([address, "newest"])),
        ("eth_getBalance", json!([address, "0xg"])),
        ("eth_getBalance", json!([address, format!("0x{}", "f".repeat(40))])),
        ("eth_getBalance", json!([long, "latest"])),
        ("eth_getBalance", json!([{ "address": address }])),
        ("eth_getBlockByHash", json!(["0x12", false])),
        ("eth_getBlockByNumber", json!([[], false])),
        ("eth_call", json!(["0x", "latest"])),
        ("eth_call", json!([{ "to": 5 }])),
        ("eth_call", json!([{ "to": address, "data": "0x123" }])),
        ("eth_call", json!([{ "to": address, "data": "zz" }])),
        ("eth_getLogs", json!(["0x1"])),
        ("eth_getLogs", json!([{ "topics": "x" }])),
        ("eth_sendRawTransaction", json!([1])),
        ("eth_feeHistory", json!(["x", "latest", []])),
        ("eth_getStorageAt", json!([address, "zz", "latest"])),
    ] {
        let answer = node.try_call(method, params).expect("an answer");
        assert_error(&answer, &[INVALID_PARAMS]);
    }
    // Bytes that are no transaction.
    for raw in ["0x", "0x00", "0x02", "0xc0", "0xffffffff", "0x02f8ff", "0x7f00", "0x05c0"] {
        let answer = node.try_call("eth_sendRawTransaction", json!([raw])).expect("an answer");
        assert_error(&answer, &[-32000, INVALID_PARAMS, -32003]);
    }
    assert_serves(&mut node);
}

#[test]
fn batches_of_every_kind() {
    let mut node = start();
    // Good, unknown, invalid, and one that wants no answer.
    let mixed = r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","id":"b","method":"eth_none"},7,{"jsonrpc":"2.0","method":"eth_chainId"}]"#;
    if Program::under_test() == Program::Braid {
        let answers = answer(&node, mixed);
        let answers = answers.as_array().expect("an array");
        assert_eq!(answers.len(), 3, "{answers:?}");
        let of = |id: Value| answers.iter().find(|answer| answer["id"] == id).expect("an answer to each");
        assert_eq!(of(json!(1))["result"], "0x7a69");
        assert_error(of(json!("b")), &[METHOD_NOT_FOUND]);
        assert_error(of(Value::Null), &[INVALID_REQUEST]);
        // A batch inside a batch is an invalid request.
        let nested = answer(&node, r#"[[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}]]"#);
        assert_error(&nested[0], &[INVALID_REQUEST]);
    }
    // Large ones: answered in full and in order, or refused as a whole.
    for size in [100, 1000, 20_000] {
        let one = |id: usize| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_blockNumber", "params": [] });
        let answer = answer(&node, Value::Array((0..size).map(one).collect()).to_string());
        match answer.as_array() {
            Some(answers) if answers.len() == size => {
                assert!(
                    answers.iter().enumerate().all(|(id, answer)| answer["id"] == id && answer["result"].is_string())
                );
            }
            Some(answers) => answers.iter().for_each(|answer| assert_error(answer, &[INVALID_REQUEST, -32005, -32010])),
            None => assert_error(&answer, &[INVALID_REQUEST, -32005, -32010]),
        }
        assert!(size > 100 || answer.is_array(), "libraries send this many: {answer}");
    }
    // Many answers that are large each: as much as the limit allows, then errors; not without end.
    let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    let big = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{ "to": address }, "latest", { address: { "code": "0x620fffff5ff3" } }] });
    let response =
        super::http::send(node.socket(), &super::http::Request::post(Value::Array(vec![big; 100]).to_string()));
    let response = response.expect("an answer");
    assert!(response.body.len() < 512 << 20, "{}", response.body.len());
    assert_serves(&mut node);
}

#[test]
fn requests_of_great_depth_or_length() {
    if !Program::under_test().is_ours("great depth") {
        return;
    }
    let mut node = start();
    // Within the parameters, where a server may parse late.
    for depth in [100, 1_000, 100_000] {
        let params = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":{params}}}");
        assert_error(&answer(&node, body), &[PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS]);
    }
    // A type that contains itself, and a message as deep.
    let mut message = json!({});
    for _ in 0..100 {
        message = json!({ "a": message });
    }
    let typed = json!({
        "types": { "EIP712Domain": [], "A": [{ "name": "a", "type": "A" }] },
        "domain": {}, "primaryType": "A", "message": message,
    });
    let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    let answer_to_typed = node.try_call("eth_signTypedData_v4", json!([address, typed])).expect("an answer");
    assert!(answer_to_typed.get("error").is_some() || answer_to_typed["result"].is_string(), "{answer_to_typed}");
    // A name without end.
    let method = "x".repeat(1 << 20);
    assert_error(&node.try_call(&method, json!([])).expect("an answer"), &[METHOD_NOT_FOUND, INVALID_REQUEST]);
    // Code that never ends is ended.
    let endless =
        json!([{ "to": address, "gas": "0xffffffffffffffff" }, "latest", { address: { "code": "0x5b600056" } }]);
    let answer = node.try_call("eth_call", endless).expect("an answer");
    assert!(answer.get("error").is_some(), "{answer}");
    assert_serves(&mut node);
}
