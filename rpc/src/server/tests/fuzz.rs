//! Anything at all through the server: the answer is JSON-RPC or a plain HTTP error, and the server lives.

use super::*;
use proptest::{prelude::*, test_runner::TestRunner};

const REQUESTS: [&str; 6] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"test_echo","params":["0x00",{"a":[1,2,null]}]}"#,
    r#"[{"jsonrpc":"2.0","id":"a","method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"eth_getBalance","params":["0x0000000000000000000000000000000000000001","latest"]}]"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x0000000000000000000000000000000000000001","data":"0x00","gas":"0xffff"},{"blockNumber":"0x0"}]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_newFilter","params":[{"fromBlock":"earliest","topics":[null,["0x00"]]}]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{},"latest",{"tracer":"callTracer"}]}"#,
];

const SCRAPS: [&str; 14] =
    ["{", "}", "[", "]", "\"", "\\", "null", "-1e999", "18446744073709551616", "0x", "\u{0}", "\\ud800", ",", ":"];

fn anything() -> impl Strategy<Value = Vec<u8>> {
    let mutated =
        (0..REQUESTS.len(), prop::collection::vec((any::<prop::sample::Index>(), 0..SCRAPS.len(), 0..4_usize), 1..6))
            .prop_map(|(request, edits)| {
                let mut bytes = REQUESTS[request].as_bytes().to_vec();
                for (place, scrap, removed) in edits {
                    let start = place.index(bytes.len() + 1);
                    let end = (start + removed).min(bytes.len());
                    bytes.splice(start..end, SCRAPS[scrap].bytes());
                }
                bytes
            });
    let deep = (1..60_000_usize, 0..4_usize).prop_map(|(depth, kind)| {
        let open = ["[", "{\"a\":", "[{\"a\":", "["][kind].repeat(depth);
        match kind {
            0 => format!(r#"{{"id":1,"method":"test_echo","params":[{open}{}]}}"#, "]".repeat(depth)).into_bytes(),
            1 => format!(r#"{{"id":1,"method":"test_echo","params":[{open}1{}]}}"#, "}".repeat(depth)).into_bytes(),
            _ => open.into_bytes(),
        }
    });
    let numbers = (1..2000_usize, any::<bool>()).prop_map(|(digits, hex)| {
        let number = "9".repeat(digits);
        let number = if hex { format!("\"0x{number}\"") } else { number };
        format!(r#"{{"id":{},"method":"eth_getBalance","params":[{number},{number}]}}"#, "9".repeat(digits))
            .into_bytes()
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), mutated, deep, numbers]
}

/// A message of JSON-RPC, or nothing where only notifications were sent.
fn is_answer(body: &str) -> bool {
    let is_one = |value: &Value| {
        let has_outcome = value.get("result").is_some() != value.get("error").is_some();
        value["jsonrpc"] == "2.0" && value.get("id").is_some() && has_outcome
    };
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Array(list)) => !list.is_empty() && list.iter().all(is_one),
        Ok(value) => is_one(&value),
        Err(error) => body.is_empty() || error.to_string().contains("number out of range"),
    }
}

#[test]
fn whatever_is_sent_is_answered() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_server, url) = runtime.block_on(start(&options()));
    let client = reqwest::Client::new();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() });
    let send = |body: Vec<u8>| {
        let request = client.post(&url).header("content-type", "application/json").body(body);
        runtime.block_on(async { request.send().await.unwrap().text().await.unwrap() })
    };
    runner
        .run(&anything(), |body| {
            let answer = send(body);
            prop_assert!(is_answer(&answer), "{}", answer);
            Ok(())
        })
        .unwrap();
    assert!(send(REQUESTS[0].into()).contains("\"result\":\"0x00\""));
}
