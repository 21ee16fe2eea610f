//! HTTP.

use super::*;
use crate::server::{Cors, serve_engine};
use alloy_rpc_types_engine::{Claims, JwtSecret};
use reqwest::{Client, Method, StatusCode};

const ECHO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"test_echo","params":["a"]}"#;

async fn check(url: &str, cases: &[(&str, &str)]) {
    for (sent, expected) in cases {
        let (status, body) = post(url, (*sent).to_owned()).await;
        assert_eq!((status, body.as_str()), (200, *expected), "{sent}");
    }
}

#[tokio::test]
async fn requests_are_answered_as_geth_does() {
    let (server, url) = start(&options()).await;
    let parse_error = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error"}}"#;
    let invalid = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request"}}"#;
    check(
        &url,
        &[
            (ECHO, r#"{"jsonrpc":"2.0","id":1,"result":"a"}"#),
            // Ids go back as they came; `jsonrpc` may be missing; other members do not matter.
            (
                r#" {"id":"6f1b","method":"test_echo","params":[1],"networkId":5}"#,
                r#"{"jsonrpc":"2.0","id":"6f1b","result":1}"#,
            ),
            (
                r#"{"id":340282366920938463463374607431768211456,"method":"test_echo","params":[null]}"#,
                r#"{"jsonrpc":"2.0","id":340282366920938463463374607431768211456,"result":null}"#,
            ),
            (
                r#"{"id":null,"method":"test_echo","params":[[[2]]]}"#,
                r#"{"jsonrpc":"2.0","id":null,"result":[[2]]}"#,
            ),
            (
                r#"{"id":1,"method":"test_none"}"#,
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"the method test_none does not exist/is not available"}}"#,
            ),
            (
                r#"{"id":1,"method":"test_panic","params":null}"#,
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"the call failed unexpectedly"}}"#,
            ),
            (
                r#"{"id":1,"method":"test_echo","params":5}"#,
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"non-array args"}}"#,
            ),
            (r#"{"id":1,"method":"test_sleep","params":[1]}"#, r#"{"jsonrpc":"2.0","id":1,"result":1}"#),
            // Notifications are not answered.
            (r#"{"method":"test_echo","params":[1]}"#, ""),
            (r#"[{"method":"test_echo","params":[1]}]"#, ""),
            // No requests.
            ("", parse_error),
            ("{", parse_error),
            ("nonsense", parse_error),
            ("[1", parse_error),
            ("5", invalid),
            ("{}", invalid),
            (
                r#"{"id":4,"jsonrpc":"1.0","method":"test_echo"}"#,
                r#"{"jsonrpc":"2.0","id":4,"error":{"code":-32600,"message":"invalid request"}}"#,
            ),
            ("[]", r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"empty batch"}}"#),
            ("[[]]", &format!("[{invalid}]")),
            (
                r#"[{"id":1,"method":"test_echo","params":["a"]},{"method":"x"},7,{"id":2,"method":"test_sleep","params":[2]}]"#,
                &format!(
                    r#"[{{"jsonrpc":"2.0","id":1,"result":"a"}},{invalid},{{"jsonrpc":"2.0","id":2,"result":2}}]"#
                ),
            ),
        ],
    )
    .await;
    server.stop().await;
}

#[tokio::test]
async fn limits_hold() {
    let mut options = options();
    options.limits.max_response_bytes = 1000;
    options.limits.max_batch_response_bytes = 1500;
    let (_server, url) = start(&options).await;
    let long = |bytes| format!(r#"{{"id":1,"method":"test_long","params":[{bytes}]}}"#);
    assert!(post(&url, long(900)).await.1.len() > 900);
    assert!(post(&url, long(1001)).await.1.contains("response too large"));

    let batch = format!("[{},{},{}]", long(900), long(900), long(900));
    let answers: Vec<Value> = serde_json::from_str(&post(&url, batch).await.1).unwrap();
    assert!(answers[1]["result"].is_string());
    assert_eq!(answers[2]["error"]["code"], -32003);

    let many = format!("[{}]", vec![long(1); 101].join(","));
    let answers: Vec<Value> = serde_json::from_str(&post(&url, many).await.1).unwrap();
    assert_eq!((answers.len(), &answers[0]["error"]["message"]), (1, &Value::from("batch too large")));

    let (status, body) = post(&url, vec![b' '; (1 << 20) + 1]).await;
    assert_eq!(status, 413);
    assert!(body.contains("request too large"));
}

#[tokio::test]
async fn what_is_not_json_rpc_gets_a_clean_answer() {
    let (_server, url) = start(&options()).await;
    let client = Client::new();
    let status = |method: Method| client.request(method, &url).send();
    assert_eq!(status(Method::GET).await.unwrap().status(), StatusCode::OK);
    assert_eq!(status(Method::PUT).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let typed = |kind: &'static str| client.post(&url).header("content-type", kind).body(ECHO).send();
    assert_eq!(typed("text/plain").await.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(typed("application/json; charset=utf-8").await.unwrap().status(), StatusCode::OK);
    let called = client.post(&url).header("host", "evil.example").header("content-type", "application/json").body(ECHO);
    assert_eq!(called.send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn browsers_get_what_they_ask_for() {
    let (_server, url) = start(&HttpOptions { cors: Cors::Any, ..options() }).await;
    let client = Client::new();
    let preflight = client
        .request(Method::OPTIONS, &url)
        .header("origin", "https://app.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-custom")
        .header("access-control-request-private-network", "true")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), StatusCode::OK);
    let header = |name: &str| preflight.headers().get(name).unwrap().to_str().unwrap().to_owned();
    assert_eq!(header("access-control-allow-origin"), "*");
    assert_eq!(header("access-control-allow-headers"), "content-type,x-custom");
    assert_eq!(header("access-control-allow-private-network"), "true");
    assert!(header("access-control-allow-methods").contains("POST"));
    assert_eq!(header("access-control-max-age"), "7200");
    let request = client.post(&url).header("origin", "https://app.example").header("content-type", "application/json");
    let response = request.body(ECHO).send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "*");

    let (_closed, url) = start(&options()).await;
    let preflight = client.request(Method::OPTIONS, &url).header("origin", "https://app.example").send().await.unwrap();
    assert!(preflight.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn long_answers_are_compressed_for_who_wants_it() {
    let (_server, url) = start(&options()).await;
    let post = |bytes: usize| {
        let request = Client::new().post(&url).header("content-type", "application/json");
        let request = request.header("accept-encoding", "gzip");
        request.body(format!(r#"{{"id":1,"method":"test_long","params":[{bytes}]}}"#)).send()
    };
    let long = post(100_000).await.unwrap();
    assert_eq!(long.headers()["content-encoding"], "gzip");
    assert!(long.bytes().await.unwrap().len() < 10_000);
    assert!(post(100).await.unwrap().headers().get("content-encoding").is_none());
}

#[tokio::test]
async fn running_calls_end_before_the_server_does() {
    let (server, url) = start(&options()).await;
    let call = tokio::spawn(async move { post(&url, r#"{"id":1,"method":"test_sleep","params":[300]}"#).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let address = server.local_address();
    server.stop().await;
    assert_eq!(call.await.unwrap().1, r#"{"jsonrpc":"2.0","id":1,"result":300}"#);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn too_many_connections_are_refused() {
    let mut options = options();
    options.limits.max_connections = 1;
    let (server, url) = start(&options).await;
    let _held = tokio::net::TcpStream::connect(server.local_address()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let response = Client::new().get(&url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_engine_wants_a_token() {
    let secret = JwtSecret::random();
    let server = serve_engine(methods(), &options(), secret).await.unwrap();
    let url = format!("http://{}", server.local_address());
    let client = Client::new();
    let send = |token: Option<String>| {
        let request = client.post(&url).header("content-type", "application/json").body(ECHO);
        match token {
            Some(token) => request.header("authorization", token).send(),
            None => request.send(),
        }
    };
    let now = Claims::with_current_timestamp().iat;
    let token = |secret: &JwtSecret, iat| format!("Bearer {}", secret.encode(&Claims { iat, exp: None }).unwrap());
    for (name, token) in [("now", token(&secret, now)), ("a bit old", token(&secret, now - 50))] {
        assert_eq!(send(Some(token)).await.unwrap().status(), StatusCode::OK, "{name}");
    }
    let unsigned = {
        // {"alg":"none","typ":"JWT"} and {"iat": now}, in base64 without a signature
        let base64 = |text: &str| {
            let mut out = String::new();
            for chunk in text.as_bytes().chunks(3) {
                let word =
                    chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
                let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                for index in 0..=chunk.len() {
                    out.push(char::from(alphabet[(word >> (18 - 6 * index) & 63) as usize]));
                }
            }
            out
        };
        format!("Bearer {}.{}.", base64(r#"{"alg":"none","typ":"JWT"}"#), base64(&format!(r#"{{"iat":{now}}}"#)))
    };
    let refused = [
        ("none", None, "missing token"),
        ("no bearer", Some("Basic YTpi".to_owned()), "missing token"),
        ("another secret", Some(token(&JwtSecret::random(), now)), "signature"),
        ("old", Some(token(&secret, now - 70)), "60 seconds"),
        ("from tomorrow", Some(token(&secret, now + 3600)), "60 seconds"),
        ("unsigned", Some(unsigned), "invalid token"),
        ("rubbish", Some("Bearer a.b.c".to_owned()), "invalid token"),
    ];
    for (name, token, message) in refused {
        let response = send(token).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{name}");
        let body = response.text().await.unwrap();
        assert!(body.contains(message), "{name}: {body}");
    }
}
