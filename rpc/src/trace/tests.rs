//! The traces of every block of the conformance suite's chain.

use crate::replay::suite::Suite;
use serde_json::{Value, json};

#[test]
fn every_block_has_traces() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(8);
    let chain = node.backend.chain();
    let mut all = Vec::new();
    for number in 0..=chain.head().number {
        let block = chain.block_by_number(number).unwrap().unwrap();
        let receipts = chain.block_receipts(&block).unwrap();
        let id = json!(format!("{number:#x}"));
        let traces = node.call("trace_block", json!([id])).unwrap();
        let traces = traces.as_array().unwrap();
        let rewards: Vec<_> = traces.iter().filter(|trace| trace["type"] == "reward").collect();
        let is_mined = number > 0 && block.header().difficulty != alloy_primitives::U256::ZERO;
        assert_eq!(rewards.len(), usize::from(is_mined) + block.body().ommers.len(), "block {number}");
        let types = json!(["trace", "vmTrace", "stateDiff"]);
        let replayed = node.call("trace_replayBlockTransactions", json!([id, types])).unwrap();
        let replayed = replayed.as_array().unwrap();
        assert_eq!(replayed.len(), receipts.len(), "block {number}");
        let opcodes = node.call("trace_blockOpcodeGas", json!([id])).unwrap();
        assert_eq!(opcodes["transactions"].as_array().unwrap().len(), receipts.len());
        for (index, transaction) in block.transactions().iter().enumerate() {
            let at = format!("block {number} transaction {index}");
            let hash = transaction.tx_hash();
            let own: Vec<_> = traces.iter().filter(|trace| trace["transactionHash"] == json!(hash)).cloned().collect();
            let root = &own[0];
            assert_eq!(root["traceAddress"], json!([]), "{at}");
            assert_eq!(root.get("error").is_some(), !receipts[index].success, "{at}: {root}");
            assert_eq!(node.call("trace_transaction", json!([hash])).unwrap(), json!(own), "{at}");
            assert_eq!(node.call("trace_get", json!([hash, []])).unwrap(), *root, "{at}");
            assert_eq!(replayed[index]["transactionHash"], json!(hash), "{at}");
            assert_eq!(replayed[index]["trace"].as_array().unwrap().len(), own.len(), "{at}");
            let one = node.call("trace_replayTransaction", json!([hash, types])).unwrap();
            for part in ["output", "trace", "vmTrace", "stateDiff"] {
                assert_eq!(one[part], replayed[index][part], "{at} {part}");
            }
            check_diff(
                &node,
                number,
                &replayed[index]["stateDiff"],
                receipts.len() == 1 && block.body().withdrawals.is_none(),
            );
        }
        all.extend(traces.iter().cloned());
    }
    let found = node.call("trace_filter", json!([{}])).unwrap();
    assert_eq!(found, json!(all));
    let some = node.call("trace_filter", json!([{ "after": 3, "count": "0x5" }])).unwrap();
    assert_eq!(some, json!(all[3..8]));
    let from = &all.iter().find(|trace| trace["type"] == "call").unwrap()["action"]["from"];
    let sent =
        node.call("trace_filter", json!([{ "fromAddress": [from], "fromBlock": "0x1", "toBlock": "latest" }])).unwrap();
    let expected: Vec<_> = all.iter().filter(|trace| trace["action"]["from"] == *from).collect();
    assert!(!expected.is_empty());
    assert_eq!(sent, json!(expected));
    assert_eq!(node.call("trace_filter", json!([{ "fromBlock": "0x500" }])).unwrap(), json!([]));
    assert_eq!(
        node.call("trace_filter", json!([{ "fromBlock": "0x5", "toBlock": "0x4" }])).unwrap_err()["code"],
        -32602
    );
}

/// In a block of one transaction nothing else changes contracts' storage, so the diff ends where the state after the block is.
fn check_diff(node: &crate::replay::suite::Node, number: u64, diff: &Value, is_alone: bool) {
    if !is_alone {
        return;
    }
    let block = node.backend.chain().block_by_number(number).unwrap().unwrap();
    let state = node.backend.chain().state(&block.hash()).unwrap();
    for (address, account) in diff.as_object().unwrap() {
        let address = address.parse().unwrap();
        for (slot, change) in account["storage"].as_object().unwrap() {
            let to = change["*"]["to"].as_str().or_else(|| change["+"].as_str());
            let Some(to) = to else { continue };
            let value = state.slot(address, slot.parse().unwrap()).unwrap();
            assert_eq!(value, to.parse::<alloy_primitives::U256>().unwrap(), "block {number} {address} {slot}");
        }
        let nonce = account["nonce"]["*"]["to"].as_str().or_else(|| account["nonce"]["+"].as_str());
        if let Some(nonce) = nonce {
            let record = state.account(address).unwrap().unwrap();
            assert_eq!(format!("{:#x}", record.nonce), nonce, "block {number} {address}");
        }
    }
}

#[test]
fn what_is_not_there() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(64);
    let unknown = json!(alloy_primitives::B256::repeat_byte(1));
    assert_eq!(node.call("trace_transaction", json!([unknown])).unwrap(), Value::Null);
    assert_eq!(node.call("trace_get", json!([unknown, ["0x0"]])).unwrap(), Value::Null);
    assert_eq!(node.call("trace_block", json!(["0x1000"])).unwrap(), Value::Null);
    assert_eq!(node.call("trace_replayTransaction", json!([unknown, ["trace"]])).unwrap_err()["code"], -32000);
    assert_eq!(node.call("trace_replayTransaction", json!([unknown, ["other"]])).unwrap_err()["code"], -32602);
}

#[test]
fn calls() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(64);
    let contract = "0x00000000000000000000000000000000000c0de0";
    // Adds one to slot 0 and returns it.
    let overrides = json!({ contract: { "code": "0x6001600054018060005560005260206000f3" } });
    let types = json!(["trace", "stateDiff", "vmTrace"]);
    let result = node.call("trace_call", json!([{ "to": contract }, types, "latest", overrides])).unwrap();
    assert_eq!(result["output"], format!("{:#066x}", 1), "{result}");
    assert_eq!(result["trace"][0]["action"]["to"], contract);
    assert_eq!(result["stateDiff"][contract]["storage"][format!("{:#066x}", 0)]["*"]["to"], format!("{:#066x}", 1));
    assert!(!result["vmTrace"]["ops"].as_array().unwrap().is_empty());
    // Each call sees what those before it did: the second creation has another address.
    let create = json!([{ "data": "0x" }, ["trace"]]);
    let results = node.call("trace_callMany", json!([[create, create], "latest"])).unwrap();
    let address = |index: usize| results[index]["trace"][0]["result"]["address"].clone();
    assert!(address(0).is_string(), "{results}");
    assert_ne!(address(0), address(1));
    let chain = node.backend.chain();
    let block = chain.block_by_number(chain.head().number).unwrap().unwrap();
    let raw = node.call("debug_getRawTransactions", json!([format!("{:#x}", block.number())])).unwrap();
    if let Some(raw) = raw.as_array().unwrap().first() {
        let result =
            node.call("trace_rawTransaction", json!([raw, ["trace"], format!("{:#x}", block.number())])).unwrap();
        assert_eq!(result["trace"][0]["action"]["from"], json!(chain.block_senders(&block).unwrap()[0]));
    }
    assert_eq!(node.call("trace_rawTransaction", json!(["0x02ff", ["trace"]])).unwrap_err()["code"], -32602);
}
