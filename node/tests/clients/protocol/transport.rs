//! HTTP: methods, headers, bodies, and connections that come slowly, in number, or with something else.

use super::{SOON, assert_serves};
use crate::{
    http::{Request, Response, connect, receive, send},
    node::{Program, RunningNode},
};
use serde_json::json;
use std::{
    io::{BufReader, Read, Write},
    thread,
    time::{Duration, Instant},
};

const CHAIN_ID: &str = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;

fn start() -> RunningNode {
    RunningNode::start::<&str>([])
}

#[track_caller]
fn assert_chain_id(response: &Response) {
    assert_eq!(response.status, 200, "{response:?}");
    assert!(response.text().contains("\"0x7a69\""), "{}", response.text());
}

#[test]
fn other_methods_are_refused() {
    let mut node = start();
    for method in ["GET", "PUT", "DELETE", "PATCH", "BREW"] {
        // A plain answer, whatever it is, to a person who opens the address.
        let response = send(node.socket(), &Request::new(method).header("Connection", "close")).expect("an answer");
        assert!((200..500).contains(&response.status), "{method}: {response:?}");
        assert!(response.status != 200 || method == "GET", "{method}: {response:?}");
    }
    assert_serves(&mut node);
}

#[test]
fn content_types() {
    let mut node = start();
    let with =
        |kind: &str| send(node.socket(), &Request::post(CHAIN_ID).header("Content-Type", kind)).expect("an answer");
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_chain_id(&with(kind));
    }
    // Refused as such, or taken for what it is.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let response = with(kind);
        assert!(matches!(response.status, 200 | 400 | 415), "{kind}: {response:?}");
    }
    let response = send(node.socket(), &Request::post(CHAIN_ID).without("Content-Type")).expect("an answer");
    assert!(matches!(response.status, 200 | 400 | 415), "{response:?}");
    assert_serves(&mut node);
}

#[test]
fn large_answers_are_compressed_on_request() {
    if !Program::under_test().is_ours("compression") {
        return;
    }
    let node = start();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover","params":[]}"#;
    let plain = send(node.socket(), &Request::post(body)).expect("an answer");
    assert_eq!(plain.header("content-encoding"), None);
    let packed =
        send(node.socket(), &Request::post(body).header("Accept-Encoding", "gzip, deflate, br")).expect("an answer");
    assert_eq!(packed.header("content-encoding"), Some("gzip"), "{:?}", packed.headers);
    assert_eq!(packed.body[..2], [0x1f, 0x8b], "the mark of the format");
    assert!(packed.body.len() * 2 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
}

#[test]
fn bodies_of_every_length() {
    let mut node = start();
    let ours = Program::under_test() == Program::Braid;
    // In pieces.
    let mut stream = connect(node.socket()).expect("it listens");
    let head =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (first, second) = CHAIN_ID.split_at(10);
    write!(stream, "{head}{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len())
        .expect("it reads");
    assert_chain_id(&receive(&mut BufReader::new(stream)).expect("an answer"));
    // After a permission, as curl asks for with larger bodies.
    let mut stream = connect(node.socket()).expect("it listens");
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n", CHAIN_ID.len()).expect("it reads");
    let mut stream = BufReader::new(stream);
    assert_eq!(receive(&mut stream).expect("a permission").status, 100);
    stream.get_mut().write_all(CHAIN_ID.as_bytes()).expect("it reads");
    assert_chain_id(&receive(&mut stream).expect("an answer"));
    // Spaces are no harm.
    assert_chain_id(
        &send(node.socket(), &Request::post(format!("{}{CHAIN_ID}\n\n", " ".repeat(1 << 16)))).expect("an answer"),
    );
    // A megabyte of data in a call is nothing unusual.
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{{"to":"0x{}","gas":"0xfffffff","data":"0x{}"}}]}}"#,
        "11".repeat(20),
        "00".repeat(500_000),
    );
    assert_eq!(send(node.socket(), &Request::post(call)).expect("an answer").status, 200);
    // Nothing at all.
    let response = send(node.socket(), &Request::post("")).expect("an answer");
    assert!(response.status >= 400 || response.text().contains("-32"), "{response:?}");
    // More than anybody needs, announced: refused before it comes.
    if ours {
        let mut stream = connect(node.socket()).expect("it listens");
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n", 1_u64 << 40).expect("it reads");
        let begin = Instant::now();
        let response = receive(&mut BufReader::new(stream)).expect("an answer");
        assert_eq!(response.status, 413, "{response:?}");
        assert!(begin.elapsed() < SOON);
    }
    assert_serves(&mut node);
}

#[test]
fn many_requests_on_one_connection() {
    let mut node = start();
    let mut stream = BufReader::new(connect(node.socket()).expect("it listens"));
    // All sent before the first answer is read; the answers come in order.
    let mut bytes = Vec::new();
    for id in 0..50 {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_chainId"}}"#);
        bytes.extend(Request::post(body).encode(node.socket()));
    }
    stream.get_mut().write_all(&bytes).expect("it reads");
    for id in 0..50 {
        let response = receive(&mut stream).expect("an answer");
        assert!(
            response.text().contains(&format!("\"id\":{id},")) || response.text().contains(&format!("\"id\":{id}}}"))
        );
    }
    assert_serves(&mut node);
}

#[test]
fn what_is_not_http_harms_nobody() {
    let mut node = start();
    let words: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0",
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    ];
    for bytes in words {
        let mut stream = connect(node.socket()).expect("it listens");
        stream.write_all(bytes).expect("it reads");
        // An answer, an end, or a wait for more: all are fine.
        stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket");
        let _ = stream.read(&mut [0; 1024]);
    }
    // A head without an end.
    let mut stream = connect(node.socket()).expect("it listens");
    let line = format!("X-Long: {}\r\n", "x".repeat(8000));
    stream.write_all(b"POST / HTTP/1.1\r\n").expect("it reads");
    for _ in 0..1000 {
        if stream.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    assert_serves(&mut node);
}

#[test]
fn slow_and_silent_clients_keep_nobody_waiting() {
    let mut node = start();
    let socket = node.socket();
    // Connections that say nothing, and some that stop in the middle.
    let mut idle = Vec::new();
    for index in 0..300 {
        // More than it allows: it closes them or lets them wait.
        let Ok(mut stream) = connect(socket) else { break };
        if index % 2 == 0 {
            let half = Request::post(CHAIN_ID).encode(socket);
            let _ = stream.write_all(&half[..half.len() / 2]);
        }
        idle.push(stream);
    }
    assert_serves(&mut node);
    // A byte at a time, while others are served at once.
    let slow = thread::spawn(move || {
        let mut stream = connect(socket).expect("it listens");
        for byte in Request::post(CHAIN_ID).encode(socket) {
            stream.write_all(&[byte]).expect("it reads");
            thread::sleep(Duration::from_millis(10));
        }
        receive(&mut BufReader::new(stream)).expect("an answer")
    });
    while !slow.is_finished() {
        assert_serves(&mut node);
        thread::sleep(Duration::from_millis(50));
    }
    assert_chain_id(&slow.join().expect("no panic"));
    // Large answers that nobody reads.
    let mut unread = Vec::new();
    let address = "0x1111111111111111111111111111111111111111";
    let call = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{{"to":"{address}"}},"latest",{{"{address}":{{"code":"0x620fffff5ff3"}}}}]}}"#
    );
    for _ in 0..20 {
        let mut stream = connect(socket).expect("it listens");
        for _ in 0..10 {
            stream.write_all(&Request::post(call.as_str()).encode(socket)).expect("it reads");
        }
        unread.push(stream);
    }
    assert_serves(&mut node);
    drop((idle, unread));
    assert_serves(&mut node);
}

#[test]
fn slow_calls_starve_nobody() {
    let mut node = start();
    let socket = node.socket();
    // Code that never ends, as much gas as there is: on as many connections as a careless page opens. A precompile that takes long by itself, too.
    let endless = "0x1111111111111111111111111111111111111111";
    let overridden = json!([{ "to": endless }, "latest", { endless: { "code": "0x5b600056" } }]);
    let stored = "0x2222222222222222222222222222222222222222";
    // Powers of numbers of 1024 bits (MODEXP), again and again.
    let powers = "0x3333333333333333333333333333333333333333";
    let code =
        "0x60805f52608060205260806040525f196060525f1960e0525f196101605260016101c0525b5f5f6101e05f5f60055af150602456";
    for (address, code) in [(stored, "0x5b600056"), (powers, code)] {
        node.call("anvil_setCode", json!([address, code]));
    }
    let calls = [overridden, json!([{ "to": stored }]), json!([{ "to": powers }])];
    let busy: Vec<_> = (0..12)
        .map(|index| {
            let method = if index < 6 { "eth_call" } else { "eth_estimateGas" };
            let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": calls[index % calls.len()] });
            let call = Request::post(call.to_string()).encode(socket);
            thread::spawn(move || {
                let mut stream = connect(socket)?;
                // They wait for each other, each until its gas or its time is used up.
                stream.set_read_timeout(Some(Duration::from_secs(120)))?;
                stream.write_all(&call)?;
                receive(&mut BufReader::new(stream))
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    if Program::under_test() == Program::Braid {
        assert_serves(&mut node);
    }
    for each in busy {
        let response = each.join().expect("no panic").expect("an answer");
        assert!(response.text().contains("\"error\""), "{response:?}");
    }
    assert_serves(&mut node);
}

#[test]
fn many_clients_at_once() {
    let mut node = start();
    let socket = node.socket();
    let clients: Vec<_> = (0..64)
        .map(|_| {
            thread::spawn(move || {
                let mut stream = BufReader::new(connect(socket).expect("it listens"));
                for _ in 0..50 {
                    stream.get_mut().write_all(&Request::post(CHAIN_ID).encode(socket)).expect("it reads");
                    assert_chain_id(&receive(&mut stream).expect("an answer"));
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("each is answered");
    }
    assert_serves(&mut node);
}
