//! `testing_`: blocks made to order, for test suites.
//!
//! <https://github.com/ethereum/execution-apis/tree/main/src/testing>

use crate::{
    Backend, MethodSet, RpcError,
    engine::{chain_attributes, envelope_v5},
};
use alloy_consensus::{Transaction as _, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_engine::PayloadAttributes;
use braid_chain::{
    ChainBlock, ChainError,
    execution_engine::{ExecutionEngine, ForkChoiceState},
    payload::BuiltPayload,
    pool::TransactionPool,
};
use braid_runtime::Transaction;
use revm::DatabaseRef;
use std::collections::HashMap;

/// Gas limit that is aimed at unless the attributes say otherwise, in gas.
const TARGET_GAS_LIMIT: u64 = 60_000_000;

type Arguments = (B256, PayloadAttributes, Option<Vec<Bytes>>, Option<Bytes>);

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.slow(
        "testing_buildBlockV1(parentBlockHash: Hash, payloadAttributes: PayloadAttributes, transactions?: Bytes[], extraData?: Bytes) -> BuiltPayload",
        "Builds a block of exactly these transactions, or of those in the pool if they are null. The chain stays as it is.",
        |backend, (parent, attributes, transactions, extra_data): Arguments| {
            let built = build(backend, parent, attributes, transactions, extra_data.unwrap_or_default())?;
            envelope_v5(backend, &built)
        },
    );
    methods.slow(
        "testing_commitBlockV1(payloadAttributes: PayloadAttributes, transactions?: Bytes[], extraData?: Bytes) -> Hash",
        "Builds a block on the head of exactly these transactions, or of those in the pool if they are null, and makes it the head.",
        |backend, (attributes, transactions, extra_data): (PayloadAttributes, Option<Vec<Bytes>>, Option<Bytes>)| {
            let parent = backend.chain().head().hash;
            let built = build(backend, parent, attributes, transactions, extra_data.unwrap_or_default())?;
            let hash = built.block.header.hash_slow();
            let choice = ForkChoiceState { head: hash, ..backend.chain().fork_choice() };
            backend.chain().update_fork_choice(choice, None).map_err(|error| RpcError::server(error.to_string()))?;
            Ok(hash)
        },
    );
}

fn build(
    backend: &Backend,
    parent: B256,
    mut attributes: PayloadAttributes,
    transactions: Option<Vec<Bytes>>,
    extra_data: Bytes,
) -> Result<BuiltPayload, RpcError> {
    let chain = backend.chain();
    let below = chain.block(&parent)?.ok_or_else(|| RpcError::server("unknown parent block"))?;
    if attributes.timestamp <= below.header().timestamp {
        return Err(RpcError::invalid_params("timestamp is not later than that of the parent"));
    }
    attributes.target_gas_limit.get_or_insert(TARGET_GAS_LIMIT);
    let attributes = chain_attributes(attributes, extra_data);
    let failed = |error: ChainError| RpcError::server(error.to_string());
    let Some(raw) = transactions else {
        let header = backend.chain().next_header(&below, &attributes, &Default::default());
        let best = backend.pool().best_transactions(
            below.header(),
            header.base_fee_per_gas.unwrap_or_default(),
            header.gas_limit,
        );
        let candidates = best.iter().map(|pooled| pooled.recovered().clone()).collect();
        return chain.build(parent, &attributes, candidates).map_err(failed);
    };
    let candidates = raw.iter().map(|raw| decode(backend.pool(), raw)).collect::<Result<Vec<_>, _>>()?;
    check_nonces(backend, &below, &candidates)?;
    let count = candidates.len();
    let built = chain.build(parent, &attributes, candidates).map_err(failed)?;
    // All of them, or none.
    if let Some((hash, reason)) = built.invalid.first() {
        return Err(RpcError::server(format!("transaction {hash}: {reason}")));
    }
    if built.block.body.transactions.len() != count {
        return Err(RpcError::server("the transactions do not fit into the block"));
    }
    Ok(built)
}

fn decode(pool: &TransactionPool, raw: &[u8]) -> Result<Recovered<Transaction>, RpcError> {
    let recovered = pool.decode(raw).and_then(|transaction| pool.recover(transaction));
    let recovered = recovered.map_err(|error| RpcError::server(error.to_string()))?;
    Ok(recovered.map(Into::into))
}

/// Nonces that do not fit are told as geth tells them.
fn check_nonces(
    backend: &Backend,
    parent: &ChainBlock,
    transactions: &[Recovered<Transaction>],
) -> Result<(), RpcError> {
    let state = backend.chain().state(&parent.hash())?;
    let mut next: HashMap<Address, u64> = HashMap::new();
    for transaction in transactions {
        let sender = transaction.signer();
        let expected = match next.get(&sender) {
            Some(nonce) => *nonce,
            None => {
                let account = state.basic_ref(sender).map_err(RpcError::internal)?;
                account.map_or(0, |account| account.nonce)
            }
        };
        let nonce = transaction.nonce();
        if nonce != expected {
            let what = if nonce > expected { "nonce too high" } else { "nonce too low" };
            return Err(RpcError::server(format!("{what}: address {sender}, tx: {nonce} state: {expected}")));
        }
        next.insert(sender, nonce.saturating_add(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::test_chain;
    use alloy_eips::Encodable2718;
    use alloy_primitives::{B256, Bytes};
    use jsonrpsee::core::server::MethodsError;
    use serde_json::{Value, json};

    #[tokio::test(flavor = "multi_thread")]
    async fn blocks_are_built_to_order_and_committed() {
        let backend = test_chain::backend(test_chain::dev_chain());
        let module = backend.engine_methods().into_module();
        let genesis = backend.chain().head().hash;
        let attributes = json!({
            "timestamp": "0x10",
            "prevRandao": B256::ZERO,
            "suggestedFeeRecipient": "0x0000000000000000000000000000000000000001",
            "withdrawals": [],
            "parentBeaconBlockRoot": B256::ZERO,
        });
        let raw = |nonce| Bytes::from(test_chain::transaction(nonce, None, Bytes::new()).encoded_2718());
        let build = async |transactions: Value| {
            let params = [json!(genesis), attributes.clone(), transactions, json!("0x62")];
            module.call::<_, Value>("testing_buildBlockV1", params.to_vec()).await
        };
        let built = build(json!([raw(0), raw(1)])).await.unwrap();
        assert_eq!(built["executionPayload"]["transactions"].as_array().unwrap().len(), 2);
        assert_eq!(built["executionPayload"]["extraData"], "0x62");
        assert!(built["executionRequests"].is_array() && built["blobsBundle"].is_object());
        for (transactions, message) in
            [(json!([raw(1)]), "nonce too high: address "), (json!([raw(0), raw(0)]), "nonce too low: address ")]
        {
            let Err(MethodsError::JsonRpc(error)) = build(transactions).await else { panic!("refused") };
            assert_eq!(error.code(), -32000);
            assert!(error.message().starts_with(message), "{error}");
        }
        // Without a list it is what the pool has.
        assert_eq!(build(Value::Null).await.unwrap()["executionPayload"]["transactions"], json!([]));
        backend.pool().add_raw(&raw(0), braid_chain::Origin::Local).unwrap();
        let built = build(Value::Null).await.unwrap();
        assert_eq!(built["executionPayload"]["transactions"], json!([raw(0)]));
        assert_eq!(backend.chain().head().hash, genesis, "the chain stays as it is");

        let hash: B256 = module.call("testing_commitBlockV1", [attributes, json!([raw(0)])].to_vec()).await.unwrap();
        assert_eq!(backend.chain().head().hash, hash);
    }
}
