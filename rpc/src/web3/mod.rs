//! `web3_`: the client, and Keccak.

use crate::{Backend, MethodSet};
use alloy_primitives::{Bytes, keccak256};

/// Name, version, platform and compiler, as clients show it.
pub(crate) fn client_version() -> String {
    let (version, rust) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION"));
    format!("Braid/v{version}/{}-{}/rust{rust}", std::env::consts::OS, std::env::consts::ARCH)
}

/// [`client_version`] as tools ask for it. Hardhat's helpers move the clock, set balances and so on only on a node whose name begins with
/// that of one they know, so a development chain begins with the one it is compatible with.
fn client_version_for_tools(backend: &Backend) -> String {
    let version = client_version();
    if backend.producer().is_some() { format!("anvil-compatible/{version}") } else { version }
}

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.quick("web3_clientVersion() -> String", "Name and version of the node.", |backend, ()| {
        Ok(client_version_for_tools(backend))
    });
    methods.quick("web3_sha3(data: Bytes) -> Hash", "Keccak-256.", |_, (data,): (Bytes,)| Ok(keccak256(data)));
}
