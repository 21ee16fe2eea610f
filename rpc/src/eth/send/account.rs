//! Transactions that the node signs: for its own accounts with their keys, for impersonated ones with a signature that only claims the sender.

use super::mined;
use crate::{
    Backend, MethodSet, RpcError,
    eth::{json::TransactionJson, pooled_json},
    methods::Number,
};
use alloy_consensus::{EthereumTxEnvelope, SignableTransaction, TxEnvelope, TypedTransaction, transaction::Recovered};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync;
use braid_chain::{
    pool::{Origin, PooledTransaction},
    senders::impersonated_signature,
};
use braid_runtime::Transaction;
use serde_json::{
    json,
    value::{RawValue, Value, to_raw_value},
};
use std::sync::Arc;

pub(super) fn register(methods: &mut MethodSet) {
    let about = "Accounts that the node signs for.";
    methods.quick("eth_accounts() -> Address[]", about, |backend, ()| Ok(accounts(backend)));
    methods.alias("eth_requestAccounts", "eth_accounts");
    methods.waiting(
        "eth_sendTransaction(transaction: TransactionRequest) -> Hash",
        "Fills in what is missing, signs for an account of the node or an impersonated one, and sends. Gives the hash.",
        |backend: Arc<Backend>, (request,): (TransactionRequest,), extensions| async move {
            let sender = Arc::clone(&backend);
            let hash = Arc::clone(backend.slow()).run(move || send(&sender, request)).await??;
            mined::wait(&backend, hash, &extensions).await;
            Ok(hash)
        },
    );
    methods.waiting(
        "eth_sendTransactionSync(transaction: TransactionRequest, timeout?: Quantity) -> Receipt",
        "The same, and waits for the receipt, so many milliseconds at most.",
        |backend: Arc<Backend>, (request, timeout): (TransactionRequest, Option<Number>), _| async move {
            let moves = backend.head_moves();
            let sender = Arc::clone(&backend);
            let hash = Arc::clone(backend.slow()).run(move || send(&sender, request)).await??;
            mined::receipt(&backend, hash, moves, timeout).await
        },
    );
    methods.slow(
        "eth_fillTransaction(transaction: TransactionRequest) -> FilledTransaction",
        "Fills in nonce, fees and gas limit.",
        |backend, (request,): (TransactionRequest,)| fill(backend, request),
    );
    methods.slow(
        "eth_signTransaction(transaction: TransactionRequest) -> FilledTransaction",
        "Fills in what is missing and signs for an account of the node, without sending.",
        |backend, (request,): (TransactionRequest,)| sign(backend, request),
    );
    methods.slow(
        "eth_resend(transaction: TransactionRequest, gasPrice?: Quantity, gasLimit?: Quantity) -> Hash",
        "Sends a transaction of the pool again at another price. Gives the hash.",
        |backend, (request, price, gas): (TransactionRequest, Option<Number>, Option<Number>)| {
            resend(backend, request, price, gas)
        },
    );
    methods.quick(
        "eth_pendingTransactions() -> Transaction[]",
        "Transactions of the pool that were sent from accounts of the node.",
        |backend, ()| pending(backend),
    );
    if methods.backend().options().development {
        methods.waiting(
            "eth_sendUnsignedTransaction(transaction: TransactionRequest) -> Hash",
            "Sends a transaction from any account, without a signature. Gives the hash.",
            |backend: Arc<Backend>, (request,): (TransactionRequest,), extensions| async move {
                let sender = Arc::clone(&backend);
                let added = Arc::clone(backend.slow()).run(move || {
                    let (from, transaction) = sender.fill(request)?;
                    add(&sender, from, transaction, impersonated_signature(from))
                });
                let hash = added.await??;
                mined::wait(&backend, hash, &extensions).await;
                Ok(hash)
            },
        );
    }
}

/// Those with a key, then those that are impersonated.
fn accounts(backend: &Backend) -> Vec<Address> {
    let mut addresses = backend.accounts().addresses();
    let impersonated = backend.accounts().impersonated();
    addresses.extend(impersonated.into_iter().filter(|address| backend.accounts().signer(address).is_none()));
    addresses
}

fn send(backend: &Backend, request: TransactionRequest) -> Result<B256, RpcError> {
    let from = request.from.or_else(|| backend.accounts().addresses().first().copied());
    // Before anything is estimated, so that this is what the client reads.
    if from.is_none_or(|from| !can_send(backend, &from)) {
        return Err(RpcError::server("unknown account"));
    }
    Ok(backend.pool().add(backend.signed(request)?, Origin::Local)?)
}

fn can_send(backend: &Backend, address: &Address) -> bool {
    backend.accounts().signer(address).is_some() || backend.accounts().is_impersonated(address)
}

/// A signature with the key of the account; without one, the claim of an impersonated sender.
fn signature(backend: &Backend, from: &Address, transaction: &TypedTransaction) -> Result<Signature, RpcError> {
    match backend.accounts().signer(from) {
        Some(signer) => signer.sign_hash_sync(&transaction.signature_hash()).map_err(RpcError::internal),
        None if backend.accounts().is_impersonated(from) => Ok(impersonated_signature(*from)),
        None => Err(RpcError::server("unknown account")),
    }
}

fn add(
    backend: &Backend,
    from: Address,
    transaction: TypedTransaction,
    signature: Signature,
) -> Result<B256, RpcError> {
    Ok(backend.pool().add(pooled(from, transaction, signature)?, Origin::Local)?)
}

fn pooled(
    from: Address,
    transaction: TypedTransaction,
    signature: Signature,
) -> Result<Recovered<PooledTransaction>, RpcError> {
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    let pooled = envelope.try_into_pooled().map_err(|_| RpcError::server("missing sidecar in blob transaction"))?;
    Ok(Recovered::new_unchecked(pooled, from))
}

impl Backend {
    /// A transaction out of a request, filled in and signed as `eth_sendTransaction` does it.
    pub(crate) fn signed(&self, request: TransactionRequest) -> Result<Recovered<PooledTransaction>, RpcError> {
        let (from, transaction) = self.fill(request)?;
        let signature = signature(self, &from, &transaction)?;
        pooled(from, transaction, signature)
    }
}

/// A transaction with its encoding, as `eth_fillTransaction` and `eth_signTransaction` give it.
fn with_raw(from: Address, envelope: TxEnvelope) -> Result<Value, RpcError> {
    let raw = Bytes::from(envelope.encoded_2718());
    let transaction: Transaction = match envelope {
        EthereumTxEnvelope::Eip4844(signed) => {
            let (transaction, signature, hash) = signed.into_parts();
            let transaction = alloy_consensus::TxEip4844::from(transaction);
            EthereumTxEnvelope::Eip4844(alloy_consensus::Signed::new_unchecked(transaction, signature, hash))
        }
        EthereumTxEnvelope::Legacy(signed) => EthereumTxEnvelope::Legacy(signed),
        EthereumTxEnvelope::Eip2930(signed) => EthereumTxEnvelope::Eip2930(signed),
        EthereumTxEnvelope::Eip1559(signed) => EthereumTxEnvelope::Eip1559(signed),
        EthereumTxEnvelope::Eip7702(signed) => EthereumTxEnvelope::Eip7702(signed),
    };
    let tx = serde_json::to_value(TransactionJson { transaction: &transaction, sender: from, mined: None });
    Ok(json!({ "raw": raw, "tx": tx.map_err(RpcError::internal)? }))
}

fn fill(backend: &Backend, request: TransactionRequest) -> Result<Value, RpcError> {
    let (from, transaction) = backend.fill(request)?;
    let unsigned = Signature::new(U256::ZERO, U256::ZERO, false);
    with_raw(from, transaction.into_signed(unsigned).into())
}

fn sign(backend: &Backend, request: TransactionRequest) -> Result<Value, RpcError> {
    let (from, transaction) = backend.fill(request)?;
    let signer = backend.accounts().signer(&from).ok_or_else(|| RpcError::server("unknown account"))?;
    let signature = signer.sign_hash_sync(&transaction.signature_hash()).map_err(RpcError::internal)?;
    with_raw(from, transaction.into_signed(signature).into())
}

fn resend(
    backend: &Backend,
    mut request: TransactionRequest,
    price: Option<Number>,
    gas: Option<Number>,
) -> Result<B256, RpcError> {
    let nonce = request.nonce.ok_or_else(|| RpcError::server("missing transaction nonce in transaction spec"))?;
    let from = request.from.ok_or_else(|| RpcError::server("missing sender in transaction spec"))?;
    let known = backend.pool().get_by_nonce(&from, nonce);
    let known = known.ok_or_else(|| RpcError::server(format!("transaction of {from} with nonce {nonce} not found")))?;
    if let Some(price) = price {
        let price = price.0.saturating_to();
        (request.gas_price, request.max_fee_per_gas, request.max_priority_fee_per_gas) = (Some(price), None, None);
    }
    request.gas = gas.map(Number::saturating_u64).or(request.gas);
    tracing::debug!(old = %known.hash(), "sending a transaction again");
    send(backend, request)
}

fn pending(backend: &Backend) -> Result<Box<RawValue>, RpcError> {
    let pending = backend.pool().pending();
    let own: Vec<_> = pending.iter().filter(|pooled| can_send(backend, &pooled.sender())).collect();
    let own: Vec<_> = own.into_iter().map(|pooled| pooled_json(pooled)).collect();
    to_raw_value(&own).map_err(RpcError::internal)
}
