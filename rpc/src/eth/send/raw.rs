//! Signed transactions.

use super::{conditional, mined};
use crate::{Backend, MethodSet, RpcError, methods::Number};
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_eth::erc4337::TransactionConditional;
use braid_chain::pool::Origin;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Type of blob transactions (EIP-4844).
const BLOB_TYPE: u8 = 3;

pub(super) fn register(methods: &mut MethodSet) {
    methods.waiting(
        "eth_sendRawTransaction(transaction: Bytes) -> Hash",
        "Sends a signed transaction. Gives its hash.",
        |backend: Arc<Backend>, (raw,): (Bytes,), extensions| async move {
            let hash = send(&backend, raw).await?;
            mined::wait(&backend, hash, &extensions).await;
            Ok(hash)
        },
    );
    methods.waiting(
        "eth_sendRawTransactionSync(transaction: Bytes, timeout?: Quantity) -> Receipt",
        "Sends a signed transaction and waits for its receipt, so many milliseconds at most (EIP-7966).",
        |backend: Arc<Backend>, (raw, timeout): (Bytes, Option<Number>), _| async move {
            send_and_wait(&backend, raw, timeout).await
        },
    );
    methods.waiting(
        "eth_sendRawTransactionConditional(transaction: Bytes, conditions: Conditions) -> Hash",
        "Sends a signed transaction if the latest block and state are as the client believes.",
        |backend: Arc<Backend>, (raw, conditions): (Bytes, TransactionConditional), _| async move {
            conditional::check(&backend, &conditions)?;
            send(&backend, raw).await
        },
    );
}

/// Puts a transaction into the pool. Blobs take milliseconds to verify, so that is done elsewhere; anything else is as quick as getting there.
async fn send(backend: &Arc<Backend>, raw: Bytes) -> Result<B256, RpcError> {
    if raw.first() != Some(&BLOB_TYPE) {
        return Ok(backend.pool().add_raw(&raw, Origin::Local)?);
    }
    let pool = Arc::clone(backend.pool());
    let added = Arc::clone(backend.slow()).run(move || pool.add_raw(&raw, Origin::Local)).await?;
    Ok(added?)
}

async fn send_and_wait(backend: &Arc<Backend>, raw: Bytes, timeout: Option<Number>) -> Result<Box<RawValue>, RpcError> {
    let moves = backend.head_moves();
    let hash = send(backend, raw).await?;
    mined::receipt(backend, hash, moves, timeout).await
}
