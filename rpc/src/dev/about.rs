//! What node this is.

use crate::{Backend, MethodSet, RpcError, methods::Number};
use alloy_primitives::{B256, U256};
use braid_chain::MiningMode;
use serde_json::{Map, Value, json};

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "anvil_nodeInfo() -> Object",
        "The head, the rules and the settings of the node.",
        |backend, (): ()| node_info(backend),
    );
    methods.quick("anvil_metadata() -> Object", "The program, the chain and its snapshots.", |backend, (): ()| {
        metadata(backend)
    });
    methods.alias("hardhat_metadata", "anvil_metadata");
    methods.quick(
        "anvil_setLoggingEnabled(enabled: Bool) -> Bool",
        "Accepted for other tools; what is logged is said on the command line.",
        |_, (_,): (bool,)| Ok(true),
    );
    methods.alias("hardhat_setLoggingEnabled", "anvil_setLoggingEnabled");
    methods.quick(
        "anvil_setChainId(chainId: Quantity) -> Null",
        "Accepts the id that the chain has. Another one cannot be set while the node runs: transactions of the chain are signed for its id, and blocks are executed again with \
         it. `--chain-id` sets it at the start.",
        |backend, (chain_id,): (Number,)| set_chain_id(backend, chain_id),
    );
    methods.quick(
        "anvil_setRpcUrl(url: String) -> Null",
        "Accepted for other tools; no other chain is forked.",
        |_, (_,): (String,)| Ok(()),
    );
    methods.quick(
        "anvil_enableTraces() -> Null",
        "Accepted for other tools; traces can always be had.",
        |_, (): ()| Ok(()),
    );
}

fn set_chain_id(backend: &Backend, chain_id: Number) -> Result<(), RpcError> {
    let known = backend.chain().spec().chain_id();
    if chain_id.0 == U256::from(known) {
        return Ok(());
    }
    Err(RpcError::invalid_params(format!(
        "invalid argument 0: the chain id is {known} and cannot be changed while the node runs: start it with --chain-id {}",
        chain_id.0
    )))
}

fn node_info(backend: &Backend) -> Result<Value, RpcError> {
    let head = backend.chain().head_block()?;
    let header = head.header();
    let spec = backend.chain().spec();
    let mining = match backend.required_producer()?.mode() {
        MiningMode::Instant => json!({ "mode": "instant" }),
        MiningMode::Interval(interval) => json!({ "mode": "interval", "seconds": interval.as_secs_f64() }),
        MiningMode::Manual => json!({ "mode": "manual" }),
    };
    let fork = format!("{:?}", spec.spec_id(header)).to_lowercase();
    Ok(json!({
        "currentBlockNumber": format!("{:#x}", header.number),
        "currentBlockTimestamp": header.timestamp,
        "currentBlockHash": head.hash(),
        "hardFork": fork,
        "transactionOrder": "fees",
        "mining": mining,
        "environment": {
            "baseFee": format!("{:#x}", header.base_fee_per_gas.unwrap_or_default()),
            "chainId": spec.chain_id(),
            "gasLimit": format!("{:#x}", header.gas_limit),
            "gasPrice": format!("{:#x}", backend.suggested_fees()?.gas_price()),
        },
        "forkConfig": { "forkUrl": null, "forkBlockNumber": null, "forkRetryBackoff": null },
    }))
}

fn metadata(backend: &Backend) -> Result<Value, RpcError> {
    let head = backend.chain().head();
    let mut snapshots = Map::new();
    for (id, number, hash) in backend.required_producer()?.snapshots()? {
        let place: (u64, B256) = (number, hash);
        snapshots.insert(format!("{id:#x}"), json!(place));
    }
    Ok(json!({
        "clientVersion": crate::web3::client_version(),
        "chainId": backend.chain().spec().chain_id(),
        "latestBlockNumber": head.number,
        "latestBlockHash": head.hash,
        "instanceId": backend.instance(),
        "forkedNetwork": null,
        "snapshots": snapshots,
    }))
}

#[cfg(test)]
mod tests {
    use crate::test_node::{ALICE, BOB, Node, transfer};
    use braid_chain::MiningMode;
    use serde_json::json;

    #[tokio::test]
    async fn the_chain_id_is_part_of_the_chain() {
        let node = Node::new(MiningMode::Manual);
        assert!(node.call("anvil_setChainId", json!([31337])).await.is_null());
        let (code, message) = node.error("anvil_setChainId", json!(["0x1"])).await;
        assert_eq!(code, -32602);
        assert!(
            message.ends_with(
                "the chain id is 31337 and cannot be changed while the node runs: start it with --chain-id 1"
            ),
            "{message}"
        );
        assert_eq!(node.call("eth_chainId", json!([])).await, json!("0x7a69"));
    }

    #[tokio::test]
    async fn what_means_nothing_here_is_accepted_or_refused_as_by_anvil() {
        let node = Node::new(MiningMode::Manual);
        assert!(node.call("anvil_setRpcUrl", json!(["http://127.0.0.1:1"])).await.is_null());
        for method in ["anvil_setMinGasPrice", "hardhat_setMinGasPrice"] {
            let (code, message) = node.error(method, json!(["0x1"])).await;
            assert_eq!((code, message.contains("not supported when EIP-1559 is active")), (-32602, true));
        }
        let hash = alloy_primitives::B256::with_last_byte(1);
        for method in ["anvil_getBlobByHash", "anvil_getBlobsByTransactionHash"] {
            assert!(node.call(method, json!([hash])).await.is_null());
        }
        node.call("evm_setAccountBalance", json!([BOB, "0x5"])).await;
        assert_eq!(node.call("eth_getBalance", json!([BOB])).await, json!("0x5"));
    }

    #[tokio::test]
    async fn a_transaction_is_sent_and_its_receipt_waited_for() {
        let node = Node::new(MiningMode::Instant);
        let receipt = node.call("eth_sendTransactionSync", json!([transfer(ALICE, BOB)])).await;
        assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x1")));
        let node = Node::new(MiningMode::Manual);
        assert_eq!(node.error("eth_sendTransactionSync", json!([transfer(ALICE, BOB), 10])).await.0, 4);
    }
}
