//! `web3_`: the client, and Keccak.

use crate::MethodSet;
use alloy_primitives::{Bytes, keccak256};

/// Name, version, platform and compiler, as clients show it.
pub(crate) fn client_version() -> String {
    let (version, rust) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION"));
    format!("Braid/v{version}/{}-{}/rust{rust}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.quick("web3_clientVersion() -> String", "Name and version of the node.", |_, ()| Ok(client_version()));
    methods.quick("web3_sha3(data: Bytes) -> Hash", "Keccak-256.", |_, (data,): (Bytes,)| Ok(keccak256(data)));
}
