//! The cases of the conformance suite, and every tracer over every block of its chain.

use crate::replay::suite::{Node, Suite};
use serde_json::{Value, json};

/// Takes the texts out of errors: the suite does not compare them.
fn without_messages(mut reply: Value) -> Value {
    if let Some(error) = reply.get_mut("error").and_then(Value::as_object_mut) {
        error.remove("message");
    }
    reply
}

#[test]
fn cases_of_the_suite() {
    let Some(suite) = Suite::open() else { return };
    for blocks_in_memory in [64, 4] {
        let node = suite.node(blocks_in_memory);
        let cases = suite.cases("debug_");
        assert!(cases.len() >= 20, "{} cases", cases.len());
        for case in cases {
            for (request, expected) in &case.exchanges {
                let reply = node.reply(request);
                let (reply, expected) = (without_messages(reply), without_messages(expected.clone()));
                if case.schema_only {
                    check_steps(&case.name, &reply["result"], &expected["result"]);
                } else {
                    assert_eq!(reply, expected, "{}", case.name);
                }
            }
        }
    }
}

/// Traces agree in all that the specification wants to be there.
fn check_steps(name: &str, actual: &Value, expected: &Value) {
    match (actual, expected) {
        (Value::Array(actual), Value::Array(expected)) => {
            assert_eq!(actual.len(), expected.len(), "{name}");
            actual.iter().zip(expected).for_each(|(actual, expected)| check_steps(name, actual, expected));
        }
        (Value::Object(actual), Value::Object(expected)) => {
            for (key, expected) in expected {
                let actual = actual.get(key).unwrap_or_else(|| panic!("{name}: {key} is missing in {actual:?}"));
                check_steps(&format!("{name} {key}"), actual, expected);
            }
        }
        (actual, expected) => assert_eq!(actual, expected, "{name}"),
    }
}

fn hashes(node: &Node, number: u64) -> (Value, Vec<(String, u64)>) {
    let chain = node.backend.chain();
    let block = chain.block_by_number(number).unwrap().unwrap();
    let receipts = chain.block_receipts(&block).unwrap();
    let mut before = 0;
    let transactions = block.transactions().iter().zip(receipts.iter()).map(|(transaction, receipt)| {
        let gas = receipt.cumulative_gas_used - std::mem::replace(&mut before, receipt.cumulative_gas_used);
        (transaction.tx_hash().to_string(), gas)
    });
    (json!(format!("{number:#x}")), transactions.collect())
}

#[test]
fn every_tracer_over_every_block() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(8);
    let head = node.backend.chain().head().number;
    let tracers = [
        json!({}),
        json!({ "enableMemory": true, "enableReturnData": true }),
        json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true } }),
        json!({ "tracer": "flatCallTracer" }),
        json!({ "tracer": "prestateTracer" }),
        json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } }),
        json!({ "tracer": "4byteTracer" }),
        json!({ "tracer": "noopTracer" }),
        json!({ "tracer": "muxTracer", "tracerConfig": { "callTracer": {}, "prestateTracer": {} } }),
    ];
    for number in 1..=head {
        let (block, transactions) = hashes(&node, number);
        let chain_block = node.backend.chain().block_by_number(number).unwrap().unwrap();
        let receipts = node.backend.chain().block_receipts(&chain_block).unwrap();
        for tracer in &tracers {
            let traces = node.call("debug_traceBlockByNumber", json!([block, tracer])).unwrap();
            let traces = traces.as_array().unwrap();
            assert_eq!(traces.len(), transactions.len(), "block {number}");
            for (index, (trace, (hash, gas))) in traces.iter().zip(&transactions).enumerate() {
                let at = format!("block {number} transaction {index} {tracer}");
                assert_eq!(&trace["txHash"], hash, "{at}");
                let result = &trace["result"];
                if let Some(used) = result.get("structLogs").map(|_| &result["gas"]) {
                    assert_eq!(used, gas, "{at}");
                    assert_eq!(result["failed"], !receipts[index].success, "{at}");
                }
                if tracer["tracer"] == "callTracer" {
                    assert_eq!(result["gasUsed"], format!("{gas:#x}"), "{at}");
                    let mut logs = Vec::new();
                    collect_logs(result, &mut logs);
                    assert_eq!(logs.len(), receipts[index].logs.len(), "{at}");
                    for (actual, log) in logs.iter().zip(&receipts[index].logs) {
                        assert_eq!(actual["data"], json!(log.data.data), "{at}");
                        assert_eq!(actual["topics"], json!(log.topics()), "{at}");
                        assert_eq!(actual["address"], json!(log.address), "{at}");
                    }
                }
            }
        }
    }
}

/// The logs of a call and of those that it made, in the order in which they happened.
fn collect_logs(call: &Value, logs: &mut Vec<Value>) {
    if call.get("error").is_some() {
        return;
    }
    let mut own: Vec<Value> = call["logs"].as_array().cloned().unwrap_or_default();
    own.sort_by_key(position);
    let mut own = own.into_iter().peekable();
    for (index, inner) in call["calls"].as_array().into_iter().flatten().enumerate() {
        while own.peek().is_some_and(|log| position(log) <= index as u64) {
            logs.extend(own.next());
        }
        collect_logs(inner, logs);
    }
    logs.extend(own);
}

/// How many inner calls were before a log.
fn position(log: &Value) -> u64 {
    u64::from_str_radix(log["position"].as_str().unwrap_or("0x0").trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn one_transaction_is_traced_as_with_its_block() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(64);
    for number in [2, 11, 40, 54] {
        let (block, transactions) = hashes(&node, number);
        let tracer = json!({ "tracer": "prestateTracer", "tracerConfig": { "diffMode": true } });
        let traces = node.call("debug_traceBlockByNumber", json!([block, tracer])).unwrap();
        for (index, (hash, _)) in transactions.iter().enumerate() {
            let trace = node.call("debug_traceTransaction", json!([hash, tracer])).unwrap();
            assert_eq!(trace, traces[index]["result"], "block {number} transaction {index}");
        }
    }
}

#[test]
fn what_cannot_be_traced() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(64);
    let (_, transactions) = hashes(&node, 1);
    let (hash, _) = &transactions[0];
    let error = |options: Value| node.call("debug_traceTransaction", json!([hash, options])).unwrap_err();
    let script = error(json!({ "tracer": "{fault: function() {}}" }));
    assert_eq!(script["code"], -32000, "{script}");
    assert!(script["message"].as_str().unwrap().contains("JavaScript"), "{script}");
    assert_eq!(error(json!({ "tracer": "callTracer", "tracerConfig": 5 }))["code"], -32602);
    assert_eq!(error(json!({ "timeout": "soon" }))["code"], -32602);
    let late = error(json!({ "timeout": "1ns" }));
    assert!(late["message"].as_str().unwrap().contains("timeout"), "{late}");
    assert!(node.call("debug_traceTransaction", json!([hash, { "tracer": "", "other": 1 }])).is_ok());
    let block = node.call("debug_traceBlock", json!(["0x01"])).unwrap_err();
    assert_eq!(block["code"], -32000, "{block}");
    let raw = node.call("debug_getRawBlock", json!(["0x1"])).unwrap();
    let by_rlp = node.call("debug_traceBlock", json!([raw])).unwrap();
    assert_eq!(by_rlp, node.call("debug_traceBlockByNumber", json!(["0x1"])).unwrap());
}

#[test]
fn calls_are_traced() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(64);
    // Returns the word that is given to it, plus the value of slot 0.
    let code = "0x60005460003501600052602060006000f3".replace("602060006000f3", "60206000f3");
    let contract = "0x00000000000000000000000000000000000c0de0";
    let word = format!("{:#066x}", 5);
    let call = json!({ "to": contract, "input": word });
    let overrides =
        json!({ contract: { "code": code, "stateDiff": { format!("{:#066x}", 0): format!("{:#066x}", 7) } } });
    let options = json!({ "stateOverrides": overrides });
    let trace = node.call("debug_traceCall", json!([call, "latest", options])).unwrap();
    assert_eq!(trace["returnValue"], format!("{:#066x}", 12), "{trace}");
    assert_eq!(trace["structLogs"][1]["op"], "SLOAD");
    let many = json!([[{ "transactions": [call, call] }], {}, { "tracer": "callTracer", "stateOverrides": overrides }]);
    let many = node.call("debug_traceCallMany", many).unwrap();
    assert_eq!(many[0].as_array().unwrap().len(), 2);
    assert_eq!(many[0][1]["output"], format!("{:#066x}", 12));
    let late = json!([{ "to": contract, "input": word }, "latest", { "stateOverrides": overrides, "timeout": "1ns" }]);
    assert_eq!(node.call("debug_traceCall", late).unwrap_err()["code"], -32000);
    let number = json!({ "blockOverrides": { "number": "0x1234" }, "stateOverrides": { contract: { "code": "0x4360005260206000f3" } } });
    let trace = node.call("debug_traceCall", json!([{ "to": contract }, "latest", number])).unwrap();
    assert_eq!(trace["returnValue"], format!("{:#066x}", 0x1234));
    let endless =
        json!({ "timeout": "50ms", "tracer": "noopTracer", "stateOverrides": { contract: { "code": "0x5b600056" } } });
    let error = node.call("debug_traceCall", json!([{ "to": contract }, "latest", endless])).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("timeout"), "{error}");
}

#[test]
fn a_call_between_the_transactions_of_a_block() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(64);
    let chain = node.backend.chain();
    let blocks = (1..=chain.head().number).map(|number| chain.block_by_number(number).unwrap().unwrap());
    let block = blocks.max_by_key(|block| block.transactions().len()).unwrap();
    let senders = chain.block_senders(&block).unwrap();
    assert!(senders.len() > 1);
    let id = json!(format!("{:#x}", block.number()));
    // What the sender of the first transaction has, as a call sees it.
    let reads_balance =
        json!({ "code": format!("0x73{}3160005260206000f3", &senders[0].to_string()[2..].to_lowercase()) });
    let contract = "0x00000000000000000000000000000000000c0de0";
    let balance = |index: Value| {
        let options = json!({ "txIndex": index, "stateOverrides": { contract: reads_balance } });
        let trace = node.call("debug_traceCall", json!([{ "to": contract }, id, options])).unwrap();
        trace["returnValue"].clone()
    };
    let parent = chain.state(&block.header().parent_hash).unwrap().account(senders[0]).unwrap().unwrap().balance;
    let after = chain.state(&block.hash()).unwrap().account(senders[0]).unwrap().unwrap().balance;
    assert_eq!(balance(json!("0x0")), format!("{parent:#066x}"));
    assert_ne!(balance(json!("0x1")), format!("{parent:#066x}"));
    assert_eq!(balance(Value::Null), format!("{after:#066x}"));
}

#[test]
fn witnesses_suffice() {
    use alloy_rpc_types_debug::ExecutionWitness;
    use braid_chain::{Bundle, ChainReference, PreState, Witness, validate, validation::StateRootCheck};
    let Some(suite) = Suite::open() else { return };
    // Blocks in memory, and blocks below the written ones.
    let node = suite.node(8);
    let chain = node.backend.chain();
    let config = serde_json::from_value(node.call("debug_chainConfig", json!([])).unwrap()).unwrap();
    let reference = ChainReference::Config(Box::new(config));
    let expected = chain.spec();
    let read = reference.spec().unwrap();
    for number in 1..=chain.head().number {
        let block = chain.block_by_number(number).unwrap().unwrap();
        assert_eq!(read.spec_id(block.header()), expected.spec_id(block.header()), "block {number}");
        let witness = node.call("debug_executionWitness", json!([format!("{number:#x}")])).unwrap();
        assert_eq!(node.call("debug_executionWitnessByBlockHash", json!([block.hash()])).unwrap(), witness);
        let witness: ExecutionWitness = serde_json::from_value(witness).unwrap();
        let headers = witness.headers.iter().map(|header| alloy_rlp::decode_exact(header).unwrap());
        let headers: Vec<alloy_consensus::Header> = headers.collect();
        let parent = headers.last().unwrap();
        assert_eq!(parent.hash_slow(), block.header().parent_hash, "block {number}");
        let pre_state = Witness {
            state_root: parent.state_root,
            state: witness.state,
            codes: witness.codes,
            keys: witness.keys,
            headers,
        };
        let bundle = Bundle {
            chain: reference.clone(),
            block: braid_runtime::Block::new(block.header().clone(), block.body().clone()),
            ommers_missing: false,
            senders: None,
            pre_state: PreState::Witness(pre_state),
            block_hashes: Default::default(),
            receipts: None,
            access_list: None,
        };
        let snapshot = bundle.snapshot().unwrap();
        let recovered = bundle.recovered_block().unwrap();
        let outcome =
            braid_runtime::oracle::execute_serial(&snapshot, &recovered, chain.spec(), Default::default()).unwrap();
        let validation = validate(&bundle, &snapshot, &outcome);
        assert!(validation.is_match(), "block {number}: {:?}", validation.mismatches);
        assert_eq!(validation.state_root, StateRootCheck::Compared, "block {number}");
    }
}

#[test]
fn storage_is_listed_in_order() {
    let Some(suite) = Suite::open() else { return };
    let node = suite.node(8);
    let chain = node.backend.chain();
    let mut seen = 0;
    for number in 1..=chain.head().number {
        let block = chain.block_by_number(number).unwrap().unwrap();
        let id = json!(block.hash());
        let modified = node.call("debug_getModifiedAccountsByHash", json!([block.hash()])).unwrap();
        for address in modified.as_array().unwrap() {
            // The queues of requests change after the last transaction.
            if ["0x00000961ef480eb55e80d19ad83579a64c007002", "0x0000bbddc7ce488642fb579f8b00f3a590007251"]
                .contains(&address.as_str().unwrap())
            {
                continue;
            }
            let range = |index: usize, start: &Value, count: u64| {
                node.call("debug_storageRangeAt", json!([id, index, address, start, count])).unwrap()
            };
            let last = block.transactions().len();
            let all = range(last, &json!("0x"), 1000);
            let storage = all["storage"].as_object().unwrap();
            assert_eq!(all["nextKey"], Value::Null);
            let state = chain.state(&block.hash()).unwrap();
            let account = address.as_str().unwrap().parse().unwrap();
            let mut pages = serde_json::Map::new();
            let mut next = json!("0x");
            while !next.is_null() {
                let page = range(last, &next, 2);
                pages.extend(page["storage"].as_object().unwrap().clone());
                next = page["nextKey"].clone();
            }
            assert_eq!(&pages, storage, "block {number} {address}");
            for slot in storage.values() {
                let Some(key) = slot["key"].as_str() else { continue };
                let value = state.slot(account, key.parse().unwrap()).unwrap();
                assert_eq!(slot["value"], format!("{value:#066x}"), "block {number} {address} {key}");
                seen += 1;
            }
            let proof = state.proof(account, &[]).unwrap();
            assert_eq!(
                storage.is_empty(),
                proof.storage_root == alloy_consensus::EMPTY_ROOT_HASH,
                "block {number} {address}"
            );
        }
    }
    assert!(seen > 10, "{seen} slots");
    let all = node.call("debug_getModifiedAccountsByNumber", json!(["0x0", "latest"])).unwrap();
    assert!(all.as_array().unwrap().len() > 5);
    let genesis = json!(["0x0", "0x0", alloy_primitives::Address::ZERO, "0x", 5]);
    assert_eq!(node.call("debug_storageRangeAt", genesis).unwrap_err()["message"], "genesis is not traceable");
}
