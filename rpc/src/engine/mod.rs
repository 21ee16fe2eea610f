//! `engine_`: the Engine API, by which a consensus client drives the node.
//!
//! Each version of a call belongs to certain forks; `version` says which fields its parameters must and must not have. What the chain makes of a
//! block is told by `status`; an error of the node is an error, never INVALID.
//!
//! * `new_payload` validates blocks, `fork_choice` moves the head and starts to build, `get_payload` gives what was built.
//! * `bodies` and `blobs` give parts of blocks; `identity` says who we are and what is offered.
//!
//! <https://github.com/ethereum/execution-apis/tree/main/src/engine>

mod blobs;
mod bodies;
mod fork_choice;
mod get_payload;
mod identity;
mod new_payload;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use fork_choice::chain_attributes;
pub(crate) use get_payload::envelope_v5;

use crate::{Backend, MethodSet, RpcError, methods::FromParams};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use serde::Serialize;
use std::sync::Arc;

/// No payload of this name is known.
const UNKNOWN_PAYLOAD: i32 = -38001;
/// The safe or the finalized block is not an ancestor of the head.
const INVALID_FORK_CHOICE: i32 = -38002;
/// The attributes of the payload that is wanted make no sense.
const INVALID_ATTRIBUTES: i32 = -38003;
/// More was asked for than is given at once.
const TOO_LARGE: i32 = -38004;
/// The version of the call does not belong to the fork.
const UNSUPPORTED_FORK: i32 = -38005;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    new_payload::register(methods);
    fork_choice::register(methods);
    get_payload::register(methods);
    bodies::register(methods);
    blobs::register(methods);
    identity::register(methods);
}

/// A call that may take long. The consensus client does not stand in line with everybody else's slow calls.
fn call<P, R>(
    methods: &mut MethodSet,
    signature: &'static str,
    about: &'static str,
    handler: impl Fn(&Backend, P) -> Result<R, RpcError> + Copy + Send + Sync + 'static,
) where
    P: FromParams + Send + 'static,
    R: Serialize + Send + 'static,
{
    methods.waiting(signature, about, move |backend: Arc<Backend>, arguments: P, _| async move {
        let done = tokio::task::spawn_blocking(move || handler(&backend, arguments)).await;
        done.unwrap_or_else(|error| {
            tracing::error!("a call of the Engine API panicked: {error}");
            Err(RpcError::internal("the call failed unexpectedly"))
        })
    });
}

fn unsupported_fork(version: &str) -> RpcError {
    RpcError::new(
        UNSUPPORTED_FORK,
        format!("Unsupported fork: {version} does not belong to the fork of this timestamp"),
    )
}

/// The last fork from Paris on that holds at a timestamp, as far as the Engine API tells them apart.
fn fork_at(backend: &Backend, timestamp: u64) -> EthereumHardfork {
    let spec = backend.chain().spec();
    if spec.is_amsterdam_active_at_timestamp(timestamp) {
        EthereumHardfork::Amsterdam
    } else if spec.is_osaka_active_at_timestamp(timestamp) {
        EthereumHardfork::Osaka
    } else if spec.is_prague_active_at_timestamp(timestamp) {
        EthereumHardfork::Prague
    } else if spec.is_cancun_active_at_timestamp(timestamp) {
        EthereumHardfork::Cancun
    } else if spec.is_shanghai_active_at_timestamp(timestamp) {
        EthereumHardfork::Shanghai
    } else {
        EthereumHardfork::Paris
    }
}
