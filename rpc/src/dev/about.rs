//! What node this is.

use crate::{Backend, MethodSet, RpcError};
use alloy_primitives::B256;
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
        "anvil_enableTraces() -> Null",
        "Accepted for other tools; traces can always be had.",
        |_, (): ()| Ok(()),
    );
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
