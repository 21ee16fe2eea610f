//! `ots_`: what the block explorer Otterscan asks for beside `eth_`.
//!
//! `blocks` has blocks and pages of their transactions, `operations` what single transactions did, `search` looks for transactions: by address, by
//! sender and nonce, and for the one that created a contract.

mod blocks;
mod operations;
mod search;
#[cfg(test)]
mod tests;

use crate::{MethodSet, RpcError};
use alloy_eips::BlockId;
use alloy_primitives::Address;
use serde_json::{Value, value::RawValue};

/// Version of the interface that is offered.
const API_LEVEL: u64 = 8;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.quick("ots_getApiLevel() -> Number", "Version of this interface.", |_, ()| Ok(API_LEVEL));
    methods.reading(
        "ots_hasCode(address: Address, block?: BlockId) -> Boolean",
        "Whether an account has code.",
        |(_, id): &(Address, Option<BlockId>)| *id,
        |backend, (address, id)| {
            let account = backend.state(id)?.account(address)?;
            Ok(account.is_some_and(|account| account.code_hash != alloy_primitives::KECCAK256_EMPTY))
        },
    );
    blocks::register(methods);
    operations::register(methods);
    search::register(methods);
}

/// What was written, to be changed.
fn parsed(json: &RawValue) -> Result<Value, RpcError> {
    serde_json::from_str(json.get()).map_err(RpcError::internal)
}
