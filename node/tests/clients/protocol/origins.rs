//! Pages of other origins: what a browser asks before it sends, and what it must read in the answer.

use crate::{
    http::{Request, send},
    node::{Program, RunningNode},
};

const PAGE: &str = "https://app.example.org";

#[test]
fn a_preflight_is_answered() {
    let node = RunningNode::start::<&str>([]);
    let preflight = Request::new("OPTIONS")
        .header("Origin", PAGE)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type");
    let response = send(node.socket(), &preflight).expect("an answer");
    assert!(matches!(response.status, 200 | 204), "{response:?}");
    assert!(matches!(response.header("access-control-allow-origin"), Some("*" | PAGE)), "{response:?}");
    let list = |name| response.header(name).unwrap_or_default().to_ascii_lowercase();
    assert!(list("access-control-allow-methods").contains("post"), "{response:?}");
    let headers = list("access-control-allow-headers");
    assert!(headers == "*" || headers.contains("content-type"), "{response:?}");
    if Program::under_test() == Program::Braid {
        // From a page of the internet to this machine: only when the browser asks for it.
        assert_eq!(response.header("access-control-allow-private-network"), None);
        let private = preflight.header("Access-Control-Request-Private-Network", "true");
        let response = send(node.socket(), &private).expect("an answer");
        assert_eq!(response.header("access-control-allow-private-network"), Some("true"), "{response:?}");
    }
}

#[test]
fn every_answer_may_be_read_by_the_page() {
    let node = RunningNode::start::<&str>([]);
    // Errors too: without the header a page sees only that something went wrong.
    for body in
        [r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#, r#"{"jsonrpc":"2.0","id":1,"method":"none"}"#, "{"]
    {
        for origin in [PAGE, "http://localhost:3000", "null"] {
            let response = send(node.socket(), &Request::post(body).header("Origin", origin)).expect("an answer");
            let allowed = response.header("access-control-allow-origin");
            assert!(allowed == Some("*") || allowed == Some(origin), "{body} {origin}: {response:?}");
        }
    }
}

#[test]
fn a_page_under_a_foreign_name_is_refused() {
    // A page that lets its own name point at this machine is of the same origin for the browser: the name tells (DNS rebinding).
    if !Program::under_test().is_ours("foreign names") {
        return;
    }
    let node = RunningNode::start::<&str>([]);
    let chain_id = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}"#;
    for (host, status) in [("evil.example.org", 403), ("localhost:8545", 200), ("127.0.0.1", 200)] {
        let response = send(node.socket(), &Request::post(chain_id).header("Host", host)).expect("an answer");
        assert_eq!(response.status, status, "{host}: {response:?}");
    }
}
