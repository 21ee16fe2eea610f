//! Senders of the transactions in a batch, recovered on all threads before the calls run in their order.
//!
//! Recovery is nearly all that taking a transaction costs. What is found goes into the chain's cache of senders, where the calls find it; what
//! cannot be decoded or recovered is left to them, so that errors come from one place.

use super::message::Request;
use crate::Backend;
use alloy_consensus::{EthereumTxEnvelope, TxEip4844Variant};
use alloy_eips::Decodable2718;
use alloy_primitives::{Bytes, TxHash};
use braid_runtime::senders::{LANES, SignedHash, recover_signers};
use rayon::prelude::*;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Recovers the senders of all raw transactions in a batch, if there are at least two.
pub(super) async fn recover(backend: &Arc<Backend>, requests: &[Result<Request<'_>, Option<&RawValue>>]) {
    let transactions = requests.iter().filter_map(|request| raw_transaction(request.as_ref().ok()?));
    let transactions: Vec<Bytes> = transactions.collect();
    if transactions.len() < 2 {
        return;
    }
    let (done, wait) = oneshot::channel();
    let backend = Arc::clone(backend);
    rayon::spawn(move || {
        let senders = backend.chain().senders();
        transactions.par_chunks(LANES).for_each(|group| {
            let unknown = group.iter().filter_map(decode).filter(|transaction| {
                // An `s` in the upper half is refused by the calls (EIP-2).
                senders.get(transaction.tx_hash()).is_none() && transaction.signature().normalize_s().is_none()
            });
            let (hashes, signed): (Vec<TxHash>, Vec<SignedHash>) =
                unknown.map(|transaction| (*transaction.tx_hash(), SignedHash::of(&transaction))).unzip();
            for (hash, sender) in hashes.into_iter().zip(recover_signers(&signed)) {
                if let Some(sender) = sender {
                    senders.insert(hash, sender);
                }
            }
        });
        // Nobody waits any more if the connection was closed.
        let _ = done.send(());
    });
    let _ = wait.await;
}

fn raw_transaction(request: &Request<'_>) -> Option<Bytes> {
    if request.method != "eth_sendRawTransaction" {
        return None;
    }
    let (raw,): (Bytes,) = serde_json::from_str(request.params?.get()).ok()?;
    Some(raw)
}

/// With or without the sidecar of blobs.
fn decode(raw: &Bytes) -> Option<EthereumTxEnvelope<TxEip4844Variant>> {
    EthereumTxEnvelope::decode_2718_exact(raw).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_chain;
    use alloy_eips::Encodable2718;

    #[tokio::test]
    async fn senders_are_known_before_the_calls_run() {
        let backend = test_chain::backend(test_chain::dev_chain());
        let transactions: Vec<_> = (0..3).map(|nonce| test_chain::transaction(nonce, None, Bytes::new())).collect();
        let mut batch: Vec<String> = transactions
            .iter()
            .map(|transaction| {
                let raw = Bytes::from(transaction.encoded_2718());
                format!(r#"{{"id":1,"method":"eth_sendRawTransaction","params":["{raw}"]}}"#)
            })
            .collect();
        batch.push(r#"{"id":1,"method":"eth_sendRawTransaction","params":["0x02"]}"#.to_owned());
        let requests: Vec<_> = batch.iter().map(|text| Request::parse(text)).collect();
        recover(&backend, &requests[..1]).await;
        assert_eq!(backend.chain().senders().get(transactions[0].tx_hash()), None, "one alone is left to its call");
        recover(&backend, &requests).await;
        for transaction in &transactions {
            assert_eq!(backend.chain().senders().get(transaction.tx_hash()), Some(transaction.signer()));
        }
    }
}
