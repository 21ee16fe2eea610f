//! Signed transactions that follow each other in a batch: the pool takes them in one go, which recovers their senders on all threads and side by side.
//!
//! The calls before and after them in the batch see what they would see otherwise, since only neighbours are taken together.

use super::message::Request;
use crate::{Backend, RpcError};
use alloy_primitives::{B256, Bytes};
use braid_chain::pool::Origin;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The method that sends them.
pub(super) const METHOD: &str = "eth_sendRawTransaction";
/// From so many on they are taken together.
const MANY: usize = 2;

/// The transactions with which a batch begins, if they are many.
pub(super) fn leading(requests: &[Result<Request<'_>, Option<&RawValue>>]) -> Option<Vec<Bytes>> {
    let is_sent = |request: &Result<Request<'_>, _>| request.as_ref().is_ok_and(|request| request.method == METHOD);
    if requests.len() < MANY || !requests[..MANY].iter().all(is_sent) {
        return None;
    }
    let transactions: Vec<Bytes> = requests.iter().map_while(|request| raw(request.as_ref().ok()?)).collect();
    (transactions.len() >= MANY).then_some(transactions)
}

/// Puts transactions into the pool; the hash of each, or why it was not taken.
pub(super) async fn send(backend: &Arc<Backend>, transactions: Vec<Bytes>) -> Vec<Result<B256, RpcError>> {
    let count = transactions.len();
    let (done, sent) = oneshot::channel();
    let pool = Arc::clone(backend.pool());
    rayon::spawn(move || {
        // Nobody waits any more if the connection was closed; the transactions are sent all the same.
        let _ = done.send(pool.add_raw_batch(&transactions, Origin::Local));
    });
    match sent.await {
        Ok(results) => results.into_iter().map(|result| result.map_err(RpcError::from)).collect(),
        Err(_) => vec![Err(RpcError::internal("the call failed unexpectedly")); count],
    }
}

/// What is sent; nothing if the call is not as it should be, which it is told when its turn comes.
fn raw(request: &Request<'_>) -> Option<Bytes> {
    if request.method != METHOD {
        return None;
    }
    let (raw,): (Bytes,) = serde_json::from_str(request.params?.get()).ok()?;
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{server::dispatcher::Dispatcher, server::options::Limits, test_chain};
    use alloy_eips::Encodable2718;
    use serde_json::{Value, json};

    #[tokio::test]
    async fn a_batch_is_answered_as_its_calls_would_be_one_by_one() {
        let raw: Vec<Bytes> = (0..4)
            .map(|nonce| Bytes::from(test_chain::transaction(nonce, None, Bytes::new()).encoded_2718()))
            .collect();
        let sender = test_chain::transaction(0, None, Bytes::new()).signer();
        let send = |raw: Value| json!({ "jsonrpc": "2.0", "method": METHOD, "params": [raw] });
        let count = json!({ "jsonrpc": "2.0", "method": "eth_getTransactionCount", "params": [sender, "pending"] });
        let mut batch = vec![
            send(json!(raw[0])),
            send(json!(raw[1])),
            send(json!(raw[0])),
            send(json!("0x02")),
            count.clone(),
            send(json!(raw[2])),
            count.clone(),
            send(json!(5)),
            send(json!(raw[3])),
            json!({ "jsonrpc": "2.0", "method": METHOD }),
            count,
        ];
        for (id, call) in batch.iter_mut().enumerate() {
            call["id"] = json!(id);
        }
        let dispatcher = || {
            let backend = test_chain::backend(test_chain::dev_chain());
            Dispatcher::new(&backend.methods(), &Limits::default(), "test")
        };
        let together = dispatcher().answer(json!(batch).to_string().as_bytes(), None).await;
        let one_by_one = dispatcher();
        let mut expected = Vec::new();
        for call in &batch {
            let answer = one_by_one.answer(call.to_string().as_bytes(), None).await;
            expected.push(serde_json::from_str::<Value>(&answer).unwrap());
        }
        assert_eq!(serde_json::from_str::<Value>(&together).unwrap(), Value::from(expected.clone()));
        let results: Vec<_> = [4, 6, 10].map(|index| expected[index]["result"].clone()).into();
        assert_eq!(results, ["0x2", "0x3", "0x4"]);
        assert_eq!(expected[2]["error"]["message"], "already known");
    }

    #[test]
    fn only_neighbours_are_taken_together() {
        let calls = |methods: &[&str]| -> Vec<String> {
            methods.iter().map(|method| format!(r#"{{"id":1,"method":"{method}","params":["0x01"]}}"#)).collect()
        };
        let taken = |methods: &[&str]| {
            let calls = calls(methods);
            let requests: Vec<_> = calls.iter().map(|call| Request::parse(call)).collect();
            leading(&requests).map_or(0, |transactions| transactions.len())
        };
        assert_eq!(taken(&[METHOD]), 0);
        assert_eq!(taken(&[METHOD, "eth_chainId", METHOD]), 0);
        assert_eq!(taken(&[METHOD, METHOD, "eth_chainId", METHOD]), 2);
    }
}
