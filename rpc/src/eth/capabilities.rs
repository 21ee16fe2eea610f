//! `eth_capabilities`: which history the node has.

use super::json::Quantity;
use crate::{Backend, MethodSet, RpcError};
use alloy_primitives::B256;
use serde::Serialize;

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "eth_capabilities() -> Capabilities",
        "From which block on states, blocks, receipts and logs are there.",
        |backend, ()| capabilities(backend),
    );
}

#[derive(Debug, Serialize)]
struct HeadJson {
    number: Quantity,
    hash: B256,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    disabled: bool,
    oldest_block: Quantity,
}

#[derive(Debug, Serialize)]
struct Capabilities {
    head: HeadJson,
    state: Resource,
    stateproofs: Resource,
    tx: Resource,
    logs: Resource,
    receipts: Resource,
    blocks: Resource,
}

fn capabilities(backend: &Backend) -> Result<Capabilities, RpcError> {
    let chain = backend.chain();
    let head = chain.head();
    let from = |number: u64| Resource { disabled: false, oldest_block: number.into() };
    let state = from(chain.database().history_from().map_err(RpcError::from)?);
    let all = from(0);
    Ok(Capabilities {
        head: HeadJson { number: head.number.into(), hash: head.hash },
        state,
        stateproofs: state,
        tx: all,
        logs: all,
        receipts: all,
        blocks: all,
    })
}
