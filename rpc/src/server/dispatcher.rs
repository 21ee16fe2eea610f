//! Answers messages: single requests and batches, whatever they came by.

use super::{
    batch_sends,
    connection::CallScope,
    message::{INVALID_REQUEST, PARSE_ERROR, RESPONSE_TOO_LARGE, Request, write_error, write_result},
    metrics::{MethodMetrics, ServerMetrics},
    options::Limits,
};
use crate::{
    Backend, MethodSet, RpcError,
    error::METHOD_NOT_FOUND,
    methods::{InBatch, Later, Method, Reply},
};
use alloy_primitives::B256;
use futures::FutureExt;
use jsonrpsee::{Extensions, types::Params};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

/// After how many calls of a batch others get their turn on the thread.
const CALLS_IN_A_ROW: usize = 64;

/// The methods of a server, ready to be called.
#[derive(Debug)]
pub(super) struct Dispatcher {
    methods: HashMap<&'static str, Endpoint>,
    backend: Arc<Backend>,
    limits: Limits,
    metrics: ServerMetrics,
}

#[derive(Debug)]
struct Endpoint {
    method: Method,
    metrics: MethodMetrics,
}

impl Dispatcher {
    pub(super) fn new(methods: &MethodSet, limits: &Limits, transport: &'static str) -> Arc<Self> {
        let backend = Arc::clone(methods.backend());
        let endpoints = methods.methods().iter();
        let methods = endpoints
            .map(|(name, method)| (*name, Endpoint { method: method.clone(), metrics: MethodMetrics::new(name) }))
            .collect();
        Arc::new(Self { methods, backend, limits: limits.clone(), metrics: ServerMetrics::new(transport) })
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) const fn metrics(&self) -> &ServerMetrics {
        &self.metrics
    }

    /// Answers a message. The answer is empty if none is due (notifications).
    pub(super) async fn answer(&self, message: &[u8], scope: Option<&CallScope>) -> String {
        let _counted = self.metrics.message();
        let Ok(message) = std::str::from_utf8(message) else { return self.not_json() };
        let message = message.trim_ascii_start();
        let mut out = String::new();
        if message.starts_with('[') {
            self.answer_batch(message, scope, &mut out).await;
            return out;
        }
        match Request::parse(message) {
            Ok(request) => self.answer_request(&request, scope, None, &mut out).await,
            // Only now it matters whether it is JSON at all.
            Err(_) if serde_json::from_str::<&RawValue>(message).is_err() => return self.not_json(),
            Err(id) => self.refuse(id, &mut out),
        }
        out
    }

    /// The answer to what is no JSON.
    fn not_json(&self) -> String {
        self.metrics.invalid.increment(1);
        error_answer(PARSE_ERROR, "parse error")
    }

    /// The answer to JSON that is no request.
    fn refuse(&self, id: Option<&RawValue>, out: &mut String) {
        self.metrics.invalid.increment(1);
        write_error(out, id, &RpcError::new(INVALID_REQUEST, "invalid request"));
    }

    async fn answer_batch(&self, message: &str, scope: Option<&CallScope>, out: &mut String) {
        // As a rule all are requests; if not, each is looked at by itself.
        let requests: Vec<Result<Request<'_>, Option<&RawValue>>> =
            match serde_json::from_str::<Vec<Request<'_>>>(message) {
                Ok(requests) if requests.iter().all(Request::is_valid) => requests.into_iter().map(Ok).collect(),
                _ => match serde_json::from_str::<Vec<&RawValue>>(message) {
                    Ok(parts) => parts.into_iter().map(|part| Request::parse(part.get())).collect(),
                    Err(_) => return out.push_str(&self.not_json()),
                },
            };
        if requests.is_empty() {
            return out.push_str(&error_answer(INVALID_REQUEST, "empty batch"));
        }
        if requests.len() > self.limits.max_batch {
            let first = requests.iter().find_map(|request| request.as_ref().ok()?.id);
            out.push('[');
            write_error(out, first, &RpcError::new(INVALID_REQUEST, "batch too large"));
            return out.push(']');
        }
        let (mut sent, mut since) = (Vec::new().into_iter(), Instant::now());
        out.push('[');
        for (index, request) in requests.iter().enumerate() {
            if index % CALLS_IN_A_ROW == CALLS_IN_A_ROW - 1 {
                tokio::task::yield_now().await;
            }
            if sent.as_slice().is_empty()
                && self.methods.contains_key(batch_sends::METHOD)
                && let Some(transactions) = batch_sends::leading(&requests[index..])
            {
                since = Instant::now();
                sent = batch_sends::send(&self.backend, transactions).await.into_iter();
            }
            let before = out.len();
            if before > 1 {
                out.push(',');
            }
            let start = out.len();
            let sent = sent.next();
            match request {
                Ok(Request { id: Some(id), .. }) if start > self.limits.max_batch_response_bytes => {
                    write_error(out, Some(id), &RpcError::new(RESPONSE_TOO_LARGE, "response too large"));
                }
                Ok(request) => match sent {
                    Some(sent) => self.answer_sent(request, since, sent, out),
                    None => self.answer_request(request, scope, Some(InBatch), out).await,
                },
                Err(id) => self.refuse(*id, out),
            }
            if out.len() == start {
                out.truncate(before);
            }
        }
        if out.len() == 1 {
            // Only notifications.
            return out.clear();
        }
        out.push(']');
    }

    async fn answer_request(
        &self,
        request: &Request<'_>,
        scope: Option<&CallScope>,
        in_batch: Option<InBatch>,
        out: &mut String,
    ) {
        let since = Instant::now();
        let params = Params::new(request.params.map(RawValue::get));
        let Some(Endpoint { method, metrics }) = self.methods.get(&*request.method) else {
            self.metrics.unknown.count(since, false);
            return request.id.map_or((), |id| write_error(out, Some(id), &unknown_method(&request.method)));
        };
        let reply = match method {
            Method::Quick(call) => Self::guarded(&request.method, || call(&params)),
            Method::Waiting(call) => self.wait_for(&**call, request, params, scope, in_batch).await,
            Method::Brief(attempt, call) => {
                match Self::guarded(&request.method, || attempt(&params).map_or(Ok(None), |reply| reply.map(Some))) {
                    Ok(Some(reply)) => Ok(reply),
                    Ok(None) => self.wait_for(&**call, request, params, scope, in_batch).await,
                    Err(error) => Err(error),
                }
            }
        };
        metrics.count(since, reply.is_ok());
        self.write(request, reply, out);
    }

    /// Answers a call that was made with its neighbours.
    fn answer_sent(&self, request: &Request<'_>, since: Instant, sent: Result<B256, RpcError>, out: &mut String) {
        if let Some(endpoint) = self.methods.get(batch_sends::METHOD) {
            endpoint.metrics.count(since, sent.is_ok());
        }
        self.write(request, sent.and_then(|hash| to_raw_value(&hash).map_err(RpcError::internal)), out);
    }

    fn write(&self, request: &Request<'_>, reply: Reply, out: &mut String) {
        let Some(id) = request.id else { return };
        match reply {
            Ok(result) if result.get().len() > self.limits.max_response_bytes => {
                write_error(out, Some(id), &RpcError::new(RESPONSE_TOO_LARGE, "response too large"));
            }
            Ok(result) => write_result(out, id, &result),
            Err(error) => write_error(out, Some(id), &error),
        }
    }

    /// Answers with a method that waits for something.
    async fn wait_for(
        &self,
        call: &Later,
        request: &Request<'_>,
        params: Params<'_>,
        scope: Option<&CallScope>,
        in_batch: Option<InBatch>,
    ) -> Reply {
        let mut extensions = Extensions::new();
        if let Some(scope) = scope {
            extensions.insert(scope.clone());
        }
        if let Some(in_batch) = in_batch {
            extensions.insert(in_batch);
        }
        let params = params.into_owned();
        let reply = AssertUnwindSafe(async move { call(params, extensions).await }).catch_unwind().await;
        reply.unwrap_or_else(|_| Err(panicked(&request.method)))
    }

    /// A defect in one method must not take the connection with it.
    fn guarded<T>(method: &str, call: impl FnOnce() -> Result<T, RpcError>) -> Result<T, RpcError> {
        catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(panicked(method)))
    }
}

fn panicked(method: &str) -> RpcError {
    tracing::error!("{method} panicked");
    RpcError::internal("the call failed unexpectedly")
}

/// An answer to nothing in particular.
pub(super) fn error_answer(code: i32, message: &str) -> String {
    let mut out = String::new();
    write_error(&mut out, None, &RpcError::new(code, message));
    out
}

fn unknown_method(name: &str) -> RpcError {
    // Names come from outside; a long one is not sent back whole.
    let shown: String = name.chars().take(64).collect();
    RpcError::new(METHOD_NOT_FOUND, format!("the method {shown} does not exist/is not available"))
}
