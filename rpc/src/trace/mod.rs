//! `trace_`: what transactions did, in the format of Parity (OpenEthereum).
//!
//! * `localized`: traces of stored blocks with their place, block rewards among them; `filter` looks for some of them.
//! * `results`: output, trace, VM trace and state diff of stored transactions; `call` the same of calls that are not stored.
//! * `opcodes`: gas by instruction.
//!
//! As with Parity, calls of precompiled contracts are left out, and the gas of the first call is what remains after the intrinsic cost.

mod call;
mod filter;
mod localized;
mod opcodes;
mod results;
mod rewards;
#[cfg(test)]
mod tests;

use crate::{Backend, MethodSet, RpcError, replay::Limits};
use alloy_eips::BlockId;
use braid_chain::ChainBlock;
use std::sync::Arc;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    localized::register(methods);
    filter::register(methods);
    results::register(methods);
    call::register(methods);
    opcodes::register(methods);
}

/// Limits of one call.
fn limits(backend: &Backend) -> Limits {
    Limits::new(backend.options().call_timeout)
}

/// The block, if there is one; the genesis has no traces.
fn block(backend: &Backend, id: BlockId) -> Result<Option<Arc<ChainBlock>>, RpcError> {
    backend.block(Some(id))
}
