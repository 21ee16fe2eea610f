//! WebSocket, frame by frame.

use super::assert_serves;
use crate::{
    http::{Request, connect, receive},
    node::{Program, RunningNode},
};
use serde_json::{Value, json};
use std::{
    io::{self, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// Last frame of a message.
const FINAL: u8 = 0x80;

/// A connection after its handshake.
struct Socket(BufReader<TcpStream>);

impl Socket {
    fn open(node: &RunningNode) -> Self {
        let mut stream = BufReader::new(connect(node.socket()).expect("it listens"));
        // Key and answer are the example of the RFC.
        let request = Request::new("GET")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Origin", "https://app.example.org");
        stream.get_mut().write_all(&request.encode(node.socket())).expect("it reads");
        let response = receive(&mut stream).expect("an answer");
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        Self(stream)
    }

    /// One frame, masked as a client must.
    fn send_frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let mut frame = vec![kind];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..65_536 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        let mask = [7, 77, 177, 27];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.0.get_mut().write_all(&frame)
    }

    fn send(&mut self, text: impl AsRef<[u8]>) {
        self.send_frame(FINAL | TEXT, text.as_ref()).expect("it reads");
    }

    /// Kind and payload of the next frame.
    fn receive_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head)?;
        let mut length = u64::from(head[1] & 0x7f);
        if length >= 126 {
            let mut bytes = [0; 8];
            let start = if length == 126 { 6 } else { 0 };
            self.0.read_exact(&mut bytes[start..])?;
            length = u64::from_be_bytes(bytes);
        }
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload)?;
        Ok((head[0], payload))
    }

    /// The next message. Its own pings are passed over.
    #[track_caller]
    fn receive(&mut self) -> Value {
        let mut message = Vec::new();
        loop {
            let (kind, payload) = self.receive_frame().expect("a frame");
            match kind & 0x0f {
                TEXT | CONTINUATION => message.extend(payload),
                PING | PONG => continue,
                other => panic!("a frame of kind {other}: {}", String::from_utf8_lossy(&payload)),
            }
            if kind & FINAL != 0 {
                return serde_json::from_slice(&message).expect("JSON");
            }
        }
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(json!({ "jsonrpc": "2.0", "id": 9, "method": method, "params": params }).to_string());
        loop {
            let message = self.receive();
            if message["id"] == 9 {
                return message;
            }
        }
    }

    /// Whether the other side ends the connection, before the time limit of reads.
    fn is_closed(&mut self) -> bool {
        loop {
            match self.receive_frame() {
                Ok((kind, _)) if kind & 0x0f == CLOSE => return true,
                Ok(_) => {}
                Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
        }
    }
}

fn start() -> RunningNode {
    RunningNode::start::<&str>([])
}

#[test]
fn messages_and_what_is_none() {
    if !Program::under_test().is_ours("messages in detail") {
        return;
    }
    let mut node = start();
    let mut socket = Socket::open(&node);
    assert_eq!(socket.call("eth_chainId", json!([]))["result"], "0x7a69");
    // Errors end a message, not the connection.
    for (text, codes) in [("{", [-32700, -32600]), ("[]", [-32600, -32700]), ("7", [-32600, -32700])] {
        socket.send(text);
        let answer = socket.receive();
        assert!(codes.contains(&answer["error"]["code"].as_i64().unwrap_or_default()), "{text}: {answer}");
    }
    assert_eq!(socket.call("eth_nothing", json!([]))["error"]["code"], -32601);
    // A batch.
    socket.send(r#"[{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"net_version"}]"#);
    let batch = socket.receive();
    assert_eq!(batch.as_array().map(Vec::len), Some(2), "{batch}");
    // In pieces, with a ping between them.
    let text = br#"{"jsonrpc":"2.0","id":5,"method":"eth_chainId"}"#;
    socket.send_frame(TEXT, &text[..9]).expect("it reads");
    socket.send_frame(FINAL | PING, b"still there?").expect("it reads");
    socket.send_frame(FINAL | CONTINUATION, &text[9..]).expect("it reads");
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let (kind, payload) = socket.receive_frame().expect("a frame");
        match kind & 0x0f {
            PONG => assert_eq!(payload, b"still there?"),
            TEXT => assert!(String::from_utf8_lossy(&payload).contains("0x7a69")),
            _ => continue,
        }
        seen.push(kind);
    }
    // Bytes in place of text: some clients do.
    socket.send_frame(FINAL | BINARY, text).expect("it reads");
    let (kind, payload) = socket.receive_frame().expect("a frame");
    assert!(kind & 0x0f == CLOSE || String::from_utf8_lossy(&payload).contains("0x7a69"), "{kind} {payload:?}");
    assert_serves(&mut node);
}

#[test]
fn broken_frames_end_one_connection_only() {
    let mut node = start();
    let mut other = Socket::open(&node);
    let frames: [&[u8]; 5] = [
        // Not masked; longer than anything; of a kind that is none; a fragmented ping; reserved bits.
        &[0x81, 2, b'{', b'}'],
        &[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4],
        &[0x83, 0x80, 1, 2, 3, 4],
        &[0x09, 0x80, 1, 2, 3, 4],
        &[0xf1, 0x80, 1, 2, 3, 4],
    ];
    for frame in frames {
        let mut socket = Socket::open(&node);
        socket.0.get_mut().write_all(frame).expect("it reads");
        // A lenient server may answer that it is no request; it may not wait for 2^63 bytes.
        socket.0.get_ref().set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
        let harmless = socket.receive_frame().is_ok() || socket.is_closed();
        assert!(harmless || Program::under_test() == Program::Anvil, "{frame:x?}");
    }
    let mut socket = Socket::open(&node);
    socket.send([0xff, 0xfe]);
    socket.0.get_ref().set_read_timeout(Some(Duration::from_secs(2))).expect("a socket");
    let answered = socket.receive_frame();
    assert!(answered.is_ok() || socket.is_closed());
    // A farewell is answered.
    let mut socket = Socket::open(&node);
    socket.send_frame(FINAL | CLOSE, &1000_u16.to_be_bytes()).expect("it reads");
    assert!(socket.is_closed());
    assert_eq!(other.call("eth_chainId", json!([]))["result"], "0x7a69");
    assert_serves(&mut node);
}

#[test]
fn subscriptions() {
    if !Program::under_test().is_ours("subscriptions in detail") {
        return;
    }
    let mut node = start();
    let mut socket = Socket::open(&node);
    let heads = socket.call("eth_subscribe", json!(["newHeads"]))["result"].clone();
    let pending = socket.call("eth_subscribe", json!(["newPendingTransactions"]))["result"].clone();
    assert!(heads.is_string() && pending.is_string() && heads != pending);
    for wrong in [json!([]), json!(["nothing"]), json!([5]), json!(["logs", { "address": 5 }])] {
        let answer = socket.call("eth_subscribe", wrong.clone());
        assert!(answer.get("error").is_some(), "{wrong}: {answer}");
    }
    // Sent on another connection, told on this one: first that it waits, then its block.
    let [from, to] = ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"];
    let hash = node.call("eth_sendTransaction", json!([{ "from": from, "to": to, "value": "0x1" }]));
    let mut told = Vec::new();
    while told.len() < 2 {
        let message = socket.receive();
        assert_eq!(message["method"], "eth_subscription", "{message}");
        assert!(message.get("id").is_none(), "{message}");
        let result = &message["params"]["result"];
        if message["params"]["subscription"] == pending {
            assert_eq!(result, &hash);
        } else {
            assert_eq!((&message["params"]["subscription"], &result["number"]), (&heads, &json!("0x1")));
            assert!(result["hash"].is_string() && result.get("transactions").is_none(), "{result}");
        }
        told.push(message);
    }
    assert_eq!(socket.call("eth_unsubscribe", json!([heads]))["result"], true);
    assert_ne!(socket.call("eth_unsubscribe", json!([heads]))["result"], true);
    assert_ne!(socket.call("eth_unsubscribe", json!(["0x1234"]))["result"], true);
    node.call("evm_mine", json!([]));
    assert_eq!(socket.call("eth_blockNumber", json!([]))["result"], "0x2");
    // Not over HTTP, where nobody could be told.
    let answer = node.try_call("eth_subscribe", json!(["newHeads"])).expect("an answer");
    assert!(answer.get("error").is_some(), "{answer}");
    assert_serves(&mut node);
}

#[test]
fn a_subscriber_who_does_not_read_harms_nobody() {
    let mut node = start();
    let mut silent: Vec<_> = (0..20).map(|_| Socket::open(&node)).collect();
    for socket in &mut silent {
        for _ in 0..20 {
            assert!(socket.call("eth_subscribe", json!(["newHeads"]))["result"].is_string());
        }
    }
    let mut reader = Socket::open(&node);
    reader.call("eth_subscribe", json!(["newHeads"]));
    // Far more than the buffers of sockets hold.
    let reading = thread::spawn(move || {
        for expected in 1..=400_u64 {
            assert_eq!(reader.receive()["params"]["result"]["number"], format!("{expected:#x}"));
        }
    });
    for _ in 0..4 {
        node.call("anvil_mine", json!(["0x64"]));
    }
    reading.join().expect("each head, in order");
    assert_serves(&mut node);
    drop(silent);
    assert_serves(&mut node);
}

#[test]
fn many_connections() {
    let mut node = start();
    let mut sockets: Vec<_> = (0..200).map(|_| Socket::open(&node)).collect();
    for socket in &mut sockets {
        assert_eq!(socket.call("eth_chainId", json!([]))["result"], "0x7a69");
    }
    // Gone without a word.
    drop(sockets);
    assert_serves(&mut node);
}
