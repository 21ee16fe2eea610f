//! Going back.

use crate::{Backend, MethodSet, RpcError, methods::Number};
use alloy_primitives::U64;
use serde_json::{Map, Value};

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "evm_snapshot() -> Quantity",
        "Remembers the chain as it is. Gives an id for evm_revert.",
        |backend, (): ()| Ok(U64::from(backend.required_producer()?.snapshot())),
    );
    methods.alias("anvil_snapshot", "evm_snapshot");
    methods.slow(
        "evm_revert(id: Quantity) -> Bool",
        "Goes back to a snapshot. It is gone then, and so are later ones.",
        |backend, (id,): (Number,)| Ok(backend.required_producer()?.revert(id.saturating_u64())?),
    );
    methods.alias("anvil_revert", "evm_revert");
    methods.slow(
        "anvil_rollback(blocks?: Quantity) -> Null",
        "Takes back so many blocks, or one.",
        |backend, (blocks,): (Option<Number>,)| {
            let blocks = blocks.map_or(1, Number::saturating_u64);
            roll_back(backend, blocks)
        },
    );
    methods.slow(
        "anvil_reset(forking?: Object) -> Bool",
        "Goes back to the first block, as it was when this process began.",
        |backend, (forking,): (Option<Map<String, Value>>,)| {
            if forking.is_some_and(|options| names_a_chain(&options)) {
                return Err(RpcError::invalid_params("invalid argument 0: forking another chain is not supported"));
            }
            backend.required_producer()?.reset()?;
            Ok(true)
        },
    );
    methods.alias("hardhat_reset", "anvil_reset");
}

/// Whether there is more to it than names without values, which libraries send when nothing was asked for.
fn names_a_chain(options: &Map<String, Value>) -> bool {
    options.values().any(|value| match value {
        Value::Null => false,
        Value::Object(options) => names_a_chain(options),
        _ => true,
    })
}

fn roll_back(backend: &Backend, blocks: u64) -> Result<(), RpcError> {
    if backend.required_producer()?.roll_back(blocks)? {
        return Ok(());
    }
    let head = backend.chain().head().number;
    let message = format!("Rollback depth must not exceed current chain height: current height {head}, depth {blocks}");
    Err(RpcError::invalid_params(message))
}
