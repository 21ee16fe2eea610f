//! JSON-RPC over plain HTTP: one call at a time, with a limit on the rate, and tried again when that may help.

use reqwest::{StatusCode, Url, header::RETRY_AFTER};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, sleep_until},
};

/// Wait before the second try; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// JSON-RPC's code for a method that does not exist.
const METHOD_NOT_FOUND: i64 = -32601;
/// Code by which nodes say that too much is asked of them (EIP-1474).
const LIMIT_EXCEEDED: i64 = -32005;

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum RpcError {
    /// The node does not offer the method.
    #[error("the node does not offer {0}")]
    MethodMissing(&'static str),
    /// The node answered with an error.
    #[error("{method}: {message} (code {code})")]
    Refused { method: &'static str, code: i64, message: String },
    /// The answer is not what the method should give.
    #[error("{method}: malformed answer: {reason}")]
    Malformed { method: &'static str, reason: String },
    /// No answer came, however often it was tried.
    #[error("{method}: {reason} ({tries} tries)")]
    Unreachable { method: &'static str, reason: String, tries: u32 },
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("{0:?} is not a URL: {1}")]
    Malformed(String, String),
    #[error("{0}: https is not built in; use http, for example of a node on this machine or through a tunnel (ssh -L)")]
    Tls(String),
    #[error("{0}: the scheme must be http")]
    Scheme(String),
}

/// How hard to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Calls per second.
    pub(super) rate: Option<f64>,
    /// Further tries after the first.
    pub(super) retries: u32,
    /// For one try.
    pub(super) timeout: Duration,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    url: Url,
    limits: Limits,
    /// When the next call may start.
    next: Mutex<Instant>,
    id: AtomicU64,
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Box<RawValue>>,
    error: Option<AnswerError>,
}

#[derive(Deserialize)]
struct AnswerError {
    code: i64,
    #[serde(default)]
    message: String,
}

/// A try that failed: for good, or not.
enum Failure {
    Final(RpcError),
    Passing { reason: String, wait: Option<Duration> },
}

impl Client {
    pub(super) fn new(url: &str, limits: Limits) -> Result<Self, UrlError> {
        let parsed = Url::parse(url).map_err(|error| UrlError::Malformed(url.to_owned(), error.to_string()))?;
        match parsed.scheme() {
            "http" => {}
            "https" => return Err(UrlError::Tls(url.to_owned())),
            _ => return Err(UrlError::Scheme(url.to_owned())),
        }
        let http = reqwest::Client::builder()
            .timeout(limits.timeout)
            .build()
            .map_err(|error| UrlError::Malformed(url.to_owned(), error.to_string()))?;
        let next = Mutex::new(Instant::now());
        Ok(Self(Arc::new(Inner { http, url: parsed, limits, next, id: AtomicU64::new(1) })))
    }

    /// Calls a method. A result of `null` is an error, unless `T` knows what to make of it.
    pub(super) async fn call<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, RpcError> {
        let mut pause = FIRST_PAUSE;
        let tries = self.0.limits.retries + 1;
        for attempt in 1..=tries {
            match self.attempt(method, &params).await {
                Ok(result) => {
                    let text = result.as_deref().map_or("null", RawValue::get);
                    return serde_json::from_str(text)
                        .map_err(|error| RpcError::Malformed { method, reason: error.to_string() });
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { reason, .. }) if attempt == tries => {
                    return Err(RpcError::Unreachable { method, reason, tries });
                }
                Err(Failure::Passing { wait, .. }) => {
                    sleep(wait.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                    pause *= 2;
                }
            }
        }
        unreachable!("the last of {tries} tries returns")
    }

    async fn attempt(&self, method: &'static str, params: &Value) -> Result<Option<Box<RawValue>>, Failure> {
        self.wait_for_turn().await;
        let id = self.0.id.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        let request = self.0.http.post(self.0.url.clone()).header("content-type", "application/json").body(body);
        let passing = |error: reqwest::Error| Failure::Passing { reason: cause(&error), wait: None };
        let response = request.send().await.map_err(passing)?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let wait = wait.map(Duration::from_secs);
            return Err(Failure::Passing { reason: format!("the node answers {status}"), wait });
        }
        let body = response.bytes().await.map_err(passing)?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| {
            let reason = match status.is_success() {
                true => format!("no JSON-RPC: {error}"),
                false => format!("the node answers {status}"),
            };
            Failure::Final(RpcError::Malformed { method, reason })
        })?;
        match answer.error {
            None => Ok(answer.result),
            Some(error) if error.code == LIMIT_EXCEEDED => Err(Failure::Passing { reason: error.message, wait: None }),
            Some(error) if is_missing(&error) => Err(Failure::Final(RpcError::MethodMissing(method))),
            Some(AnswerError { code, message }) => {
                Err(Failure::Final(RpcError::Refused { method, code, message: message.replace('\n', " ") }))
            }
        }
    }

    async fn wait_for_turn(&self) {
        let Some(rate) = self.0.limits.rate else { return };
        let turn = {
            let mut next = self.0.next.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + Duration::from_secs_f64(1.0 / rate);
            turn
        };
        sleep_until(turn).await;
    }
}

/// Nodes and proxies have many ways to say that they do not know a method.
fn is_missing(error: &AnswerError) -> bool {
    let message = error.message.to_lowercase();
    let about_method = message.contains("method") || message.contains("namespace");
    let says_no = [
        "not found",
        "not available",
        "not supported",
        "does not exist",
        "not exist",
        "unsupported",
        "disabled",
        "not allowed",
    ];
    error.code == METHOD_NOT_FOUND || (about_method && says_no.iter().any(|no| message.contains(no)))
}

/// The innermost cause: the outer ones say no more than that a request failed.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_must_be_plain_http() {
        let limits = Limits { rate: None, retries: 0, timeout: Duration::from_secs(1) };
        assert!(Client::new("http://127.0.0.1:8545", limits).is_ok());
        for (url, says) in [
            ("https://example.org", "https is not built in"),
            ("ws://example.org", "the scheme must be http"),
            ("localhost", "is not a URL"),
        ] {
            let error = Client::new(url, limits).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn missing_methods_are_recognised() {
        let error = |code, message: &str| AnswerError { code, message: message.to_owned() };
        assert!(is_missing(&error(-32601, "")));
        assert!(is_missing(&error(-32000, "the method debug_executionWitness does not exist/is not available")));
        assert!(is_missing(&error(-32600, "Unsupported method: debug_x")));
        assert!(!is_missing(&error(-32000, "missing trie node")));
        assert!(!is_missing(&error(-32000, "block not found")));
    }
}
