//! `admin_`: the node.

use crate::{Backend, MethodSet, RpcError, web3::client_version};
use alloy_primitives::{hex, keccak256};
use serde_json::{Value, json};

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.quick("admin_nodeInfo() -> NodeInfo", "The node and its chain.", |backend, ()| node_info(backend));
    methods.quick("admin_peers() -> Peer[]", "Peers: none.", |_, ()| Ok([(); 0]));
    methods.quick("admin_datadir() -> String?", "Folder of the database, if it has one.", |backend, ()| {
        Ok(backend.options().datadir.clone())
    });
    for signature in [
        "admin_addPeer(url: String) -> Boolean",
        "admin_removePeer(url: String) -> Boolean",
        "admin_addTrustedPeer(url: String) -> Boolean",
        "admin_removeTrustedPeer(url: String) -> Boolean",
    ] {
        methods.quick(signature, "The node has no peers: false.", |_, ()| Ok(false));
    }
}

/// As geth, so far as a node without a network can tell.
fn node_info(backend: &Backend) -> Result<Value, RpcError> {
    let chain = backend.chain();
    let head = chain.head();
    let genesis = chain.database().identity();
    // There is no network key; the chain and its first block give a stable name.
    let id = keccak256(genesis.genesis_hash);
    Ok(json!({
        "id": hex::encode(id),
        "name": client_version(),
        "enode": format!("enode://{0}{0}@127.0.0.1:0", hex::encode(id)),
        "ip": "127.0.0.1",
        "ports": { "discovery": 0, "listener": 0 },
        "listenAddr": "",
        "protocols": { "eth": {
            "network": chain.spec().chain_id(),
            "difficulty": chain.total_difficulty(&head.hash),
            "genesis": genesis.genesis_hash,
            "config": { "chainId": chain.spec().chain_id() },
            "head": head.hash,
        } },
    }))
}
