//! Every method, with parameters of every kind: an answer or an error each time, and never the end of the node.

use super::assert_serves;
use crate::node::{Program, RunningNode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The names in the document that the node gives of itself.
fn methods(node: &RunningNode) -> BTreeSet<String> {
    let document = node.call("rpc.discover", json!([]));
    let methods = document["methods"].as_array().expect("a list of methods");
    methods.iter().map(|method| method["name"].as_str().expect("a name").to_owned()).collect()
}

/// Values that fit somewhere, and values that fit nowhere.
fn values() -> Vec<Value> {
    let address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    let hash = format!("0x{}", "ff".repeat(32));
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("0x"),
        json!("0x0"),
        json!("0xzz"),
        json!("latest"),
        json!("é\u{0}"),
        json!(address),
        json!(hash),
        json!(format!("0x{}", "ab".repeat(5000))),
        json!([]),
        json!([[[]]]),
        json!([address, hash]),
        json!({}),
        json!({ "to": address, "data": "0x", "value": "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" }),
        json!({ "fromBlock": "0x0", "toBlock": "0xffffffffffffffff", "topics": [null, [], hash] }),
        json!({ "blockHash": hash, "requireCanonical": true }),
        json!({ "tracer": "callTracer", "tracerConfig": 5 }),
        json!({ "tracer": "{ not: javascript", "timeout": "1s" }),
    ]
}

#[test]
fn every_method_takes_anything_without_harm() {
    if !Program::under_test().is_ours("every method") {
        return;
    }
    let mut node = RunningNode::start::<&str>([]);
    let methods = methods(&node);
    assert!(methods.len() > 150, "{methods:?}");
    let values = values();
    let mut answered = 0;
    for method in &methods {
        let mut lists: Vec<Value> =
            vec![json!(null), json!([]), json!({}), json!({ "address": 1 }), Value::Array(vec![Value::Null; 12])];
        lists.extend(values.iter().map(|value| json!([value])));
        for (at, value) in values.iter().enumerate() {
            lists.push(json!([value, values[(at * 7 + 3) % values.len()]]));
            lists.push(json!([values[(at * 5 + 1) % values.len()], value, values[(at * 11 + 2) % values.len()]]));
        }
        for params in lists {
            let answer = node.try_call(method, params.clone());
            let shown: String = params.to_string().chars().take(200).collect();
            let answer = answer.unwrap_or_else(|error| panic!("{method} {shown}: {error}\n{}", node.output()));
            let code = answer["error"]["code"].as_i64();
            assert!(answer.get("result").is_some() != code.is_some(), "{method} {shown}: {answer}");
            // Not "internal error": each of these has somebody to blame.
            assert!(code != Some(-32603), "{method} {shown}: {answer}");
            // Only a connection that stays can be told something.
            let stays = method.ends_with("_subscribe") || method.ends_with("_unsubscribe");
            assert!(stays || code != Some(-32601), "{method} is in the document: {answer}");
            answered += 1;
        }
        // What they have set must not stop the rest.
        for (method, params) in
            [("evm_setAutomine", json!([true])), ("anvil_reset", json!([])), ("anvil_setChainId", json!([31337]))]
        {
            let _ = node.try_call(method, params);
        }
        assert!(node.is_running(), "{method}:\n{}", node.output());
    }
    eprintln!("{answered} answers of {} methods", methods.len());
    assert_serves(&mut node);
}
