//! WebSocket and IPC.

use super::*;
use crate::server::serve_ipc;
use soketto::handshake::{Client, ServerResponse};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, UnixStream},
};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

pub(crate) type Socket = Compat<TcpStream>;

/// A client's WebSocket.
pub(crate) struct WebSocket {
    sender: soketto::Sender<Socket>,
    receiver: soketto::Receiver<Socket>,
}

impl WebSocket {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let host = address.to_string();
        let mut client = Client::new(stream.compat(), &host, "/");
        match client.handshake().await.unwrap() {
            ServerResponse::Accepted { .. } => {}
            other => panic!("no WebSocket: {other:?}"),
        }
        let (sender, receiver) = client.into_builder().finish();
        Self { sender, receiver }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.sender.send_text(text).await.unwrap();
        self.sender.flush().await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Option<Value> {
        let mut data = Vec::new();
        let received = tokio::time::timeout(Duration::from_secs(10), self.receiver.receive_data(&mut data)).await;
        received.expect("an answer in time").ok()?;
        Some(serde_json::from_slice(&data).unwrap())
    }
}

#[tokio::test]
async fn a_websocket_answers_on_the_port_of_http() {
    let (server, url) = start(&options()).await;
    let mut socket = WebSocket::open(server.local_address()).await;
    // What waits does not hold up what does not.
    socket.send(r#"{"id":1,"method":"test_sleep","params":[200]}"#).await;
    socket.send(r#"[{"id":2,"method":"test_echo","params":["b"]}]"#).await;
    socket.send("nonsense").await;
    assert_eq!(socket.next().await.unwrap()[0]["result"], "b");
    assert_eq!(socket.next().await.unwrap()["error"]["code"], -32700);
    assert_eq!(socket.next().await.unwrap()["id"], 1);
    assert_eq!(post(&url, r#"{"id":2,"method":"test_echo","params":["b"]}"#).await.0, 200);

    // A message too long ends the connection, with an answer if the client gets to read it.
    socket.send(&" ".repeat((1 << 20) + 1)).await;
    while let Some(answer) = socket.next().await {
        assert_eq!(answer["error"]["message"], "message too large");
    }
    let mut socket = WebSocket::open(server.local_address()).await;
    socket.send(r#"{"id":1,"method":"test_echo","params":[1]}"#).await;
    assert_eq!(socket.next().await.unwrap()["result"], 1);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_closes_websockets() {
    let (server, _) = start(&options()).await;
    let mut socket = WebSocket::open(server.local_address()).await;
    socket.send(r#"{"id":1,"method":"test_sleep","params":[200]}"#).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stopped = tokio::spawn(server.stop());
    assert_eq!(socket.next().await.unwrap()["result"], 200);
    assert!(socket.next().await.is_none());
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_silent_websocket_is_closed() {
    let mut options = options();
    options.limits.ping_interval = Duration::from_millis(20);
    let (server, _) = start(&options).await;
    let mut silent = WebSocket::open(server.local_address()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut data = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), silent.receiver.receive_data(&mut data)).await;
    assert!(end.expect("closed in time").is_err());
}

#[tokio::test]
async fn ipc_takes_messages_one_after_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("braid.ipc");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = serve_ipc(methods(), &path, &Limits::default()).await.unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(serve_ipc(methods(), &path, &Limits::default()).await.is_err(), "somebody listens there");

    let stream = UnixStream::connect(&path).await.unwrap();
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(br#"{"id":1,"method":"test_echo","params":["}"]}[{"id":2,"method":"test_echo","#).await.unwrap();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), r#"{"jsonrpc":"2.0","id":1,"result":"}"}"#);
    write.write_all(br#""params":[2]}]"#).await.unwrap();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), r#"[{"jsonrpc":"2.0","id":2,"result":2}]"#);
    write.write_all(b"\n\nrubbish").await.unwrap();
    assert!(lines.next_line().await.unwrap().unwrap().contains("-32700"));
    assert_eq!(lines.next_line().await.unwrap(), None);
    server.stop().await;
    assert!(!path.exists());
}
