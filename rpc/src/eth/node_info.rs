//! What the node is and does; methods of miners, which are kept for old clients.

use super::json::Quantity;
use crate::{MethodSet, RpcError};
use alloy_primitives::{B256, U64};

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick("eth_chainId() -> Quantity", "Chain id (EIP-155).", |backend, ()| {
        Ok(Quantity::from(backend.chain().spec().chain_id()))
    });
    methods.quick("eth_blockNumber() -> Quantity", "Number of the latest block.", |backend, ()| {
        Ok(Quantity::from(backend.chain().head().number))
    });
    methods.quick("eth_syncing() -> Boolean", "Whether blocks are being fetched: never.", |_, ()| Ok(false));
    methods.quick("eth_mining() -> Boolean", "Whether the node mines with proof of work: never.", |_, ()| Ok(false));
    methods.quick("eth_hashrate() -> Quantity", "Hashes a second of proof of work: none.", |_, ()| Ok(Quantity(0)));
    methods
        .quick("eth_protocolVersion() -> Quantity", "Version of the wire protocol: eth/68.", |_, ()| Ok(U64::from(68)));
    methods.quick("eth_coinbase() -> Address", "Who gets the tips of the next block.", |backend, ()| {
        backend.pending_header().map(|header| header.beneficiary)
    });
    let about = "Proof of work is not supported.";
    methods.quick("eth_getWork() -> Hash[]", about, |_, ()| no_work());
    methods.quick("eth_submitWork(nonce: Bytes, hash: Hash, digest: Hash) -> Boolean", about, |_, ()| Ok(false));
    methods.quick("eth_submitHashrate(rate: Quantity, id: Hash) -> Boolean", about, |_, ()| Ok(false));
}

fn no_work() -> Result<[B256; 3], RpcError> {
    Err(RpcError::server("no mining work available: the chain has no proof of work"))
}
