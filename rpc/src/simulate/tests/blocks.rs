//! `eth_simulateV1`, where the conformance suite has no cases.

use super::{CONTRACT, Node, OTHER, RICH, returns, word};
use crate::{RpcOptions, replay::suite::Suite};
use alloy_primitives::{U256, hex};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn an_older_state_has_the_same_roots_as_when_it_was_new() {
    let Some(suite) = Suite::open() else { return };
    let transfer = json!({ "from": OTHER, "to": CONTRACT, "value": "0x5" });
    let block = json!({ "stateOverrides": { OTHER.to_string(): { "balance": "0x64" } }, "calls": [transfer] });
    let params = |number: &str| json!([{ "blockStateCalls": [block, {}] }, number]);
    let (recent, past) = (suite.node(64), suite.node(0));
    past.backend.chain().flush().unwrap();
    for number in ["0x1", "0x14", "0x28", "0x35"] {
        let expected = recent.call("eth_simulateV1", params(number)).unwrap();
        let number_of_second = word(&expected[1]["number"]);
        assert_eq!(number_of_second, number.parse::<U256>().unwrap() + U256::from(2));
        assert_eq!(past.call("eth_simulateV1", params(number)).unwrap(), expected, "after block {number}");
    }
}

#[test]
fn withdrawals_are_paid() {
    let node = Node::new();
    let balance = hex::encode_prefixed(returns(&hex!("60dd31")));
    let withdrawal = json!({ "index": "0x0", "validatorIndex": "0x1", "address": OTHER, "amount": "0x3" });
    let blocks = json!([
        { "blockOverrides": { "withdrawals": [withdrawal] } },
        { "stateOverrides": { CONTRACT.to_string(): { "code": balance } }, "calls": [{ "to": CONTRACT }] },
    ]);
    let result = node.ask("eth_simulateV1", json!([{ "blockStateCalls": blocks }])).unwrap();
    assert_eq!(word(&result[1]["calls"][0]["returnData"]), U256::from(3_000_000_000_u64));
    assert_eq!(result[0]["withdrawals"].as_array().unwrap().len(), 1);
}

#[test]
fn all_calls_share_one_gas_cap() {
    let node = Node::with_options(RpcOptions { gas_cap: 50_000, ..RpcOptions::default() });
    let transfer = json!({ "from": RICH, "to": OTHER });
    let run = |calls: Vec<Value>| node.ask("eth_simulateV1", json!([{ "blockStateCalls": [{ "calls": calls }] }]));
    let result = run(vec![transfer.clone(); 2]).unwrap();
    assert_eq!(word(&result[0]["gasUsed"]), U256::from(42_000));
    assert_eq!(run(vec![transfer; 3]).unwrap_err().0, -38013);
}

#[test]
fn transfers_of_failed_calls_leave_no_logs() {
    let node = Node::new();
    // Sends 1 wei on to the address in the input, then reverts if the input has more than 32 bytes.
    let code = hex!("5f5f5f5f60015f355af1 50 60203611 601357 00 5b 5f5ffd");
    let state = json!({ CONTRACT.to_string(): { "code": hex::encode_prefixed(code) } });
    let to = format!("{:0>64}", hex::encode(OTHER));
    let call = |input: String| json!({ "from": RICH, "to": CONTRACT, "value": "0x2", "input": format!("0x{input}") });
    let calls = [call(to.clone()), call(to.clone() + "00"), call(to)];
    let payload = json!({ "blockStateCalls": [{ "stateOverrides": state, "calls": calls }], "traceTransfers": true });
    let result = node.ask("eth_simulateV1", json!([payload])).unwrap();
    let indices = |call: usize| -> Vec<_> {
        let logs = result[0]["calls"][call]["logs"].as_array().unwrap();
        logs.iter().map(|log| log["logIndex"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (indices(0), indices(1), indices(2)),
        (vec!["0x0".into(), "0x1".into()], vec![], vec!["0x4".into(), "0x5".into()])
    );
    assert_eq!(result[0]["calls"][1]["error"]["code"], 3);
}

#[test]
fn a_simulation_ends_in_time() {
    let call_timeout = Duration::from_millis(50);
    let node = Node::with_options(RpcOptions { gas_cap: 0, call_timeout, ..RpcOptions::default() });
    let state = json!({ CONTRACT.to_string(): { "code": "0x5b5f56" } });
    let block = json!({ "blockOverrides": { "gasLimit": "0xffffffffffff" }, "stateOverrides": state, "calls": [{ "to": CONTRACT }] });
    let (_, text) = node.ask("eth_simulateV1", json!([{ "blockStateCalls": [block] }])).unwrap_err();
    assert_eq!(text, "execution aborted (timeout = 50ms)");
}

#[test]
fn a_legacy_transaction_is_shown_without_signature() {
    let node = Node::new();
    let call = json!({ "from": RICH, "to": OTHER, "gasPrice": "0x77359400" });
    let payload =
        json!({ "blockStateCalls": [{ "calls": [call] }], "returnFullTransactions": true, "validation": true });
    let result = node.ask("eth_simulateV1", json!([payload])).unwrap();
    let transaction = &result[0]["transactions"][0];
    assert_eq!((&transaction["type"], &transaction["v"]), (&json!("0x0"), &json!("0x0")));
}
