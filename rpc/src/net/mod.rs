//! `net_`: the network.

use crate::{MethodSet, eth::json::Quantity};

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.quick("net_version() -> String", "Network id: the chain id, as a decimal number.", |backend, ()| {
        Ok(backend.chain().spec().chain_id().to_string())
    });
    methods.quick("net_listening() -> Boolean", "Whether the node can be reached.", |_, ()| Ok(true));
    methods.quick("net_peerCount() -> Quantity", "How many peers there are: none.", |_, ()| Ok(Quantity(0)));
}
