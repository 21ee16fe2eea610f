//! Conditions under which a transaction is sent (`eth_sendRawTransactionConditional`).
//!
//! They are compared with the latest block and its state when the transaction comes, not again when it is put into a block.

use crate::{Backend, RpcError};
use alloy_primitives::U256;
use alloy_rpc_types_eth::erc4337::{AccountStorage, TransactionConditional};

/// A condition does not hold.
const REJECTED: i32 = -32003;
/// Most slots and accounts in the conditions.
const MAX_COST: u64 = 1000;

pub(super) fn check(backend: &Backend, conditions: &TransactionConditional) -> Result<(), RpcError> {
    let rejected = |what: &str| Err(RpcError::new(REJECTED, format!("transaction conditional failed: {what}")));
    if conditions.cost() > MAX_COST {
        return rejected(&format!("conditional cost, {}, exceeded max: {MAX_COST}", conditions.cost()));
    }
    let head = backend.chain().head_block()?;
    if !conditions.matches_block_number(head.number()) {
        return rejected("block number out of range");
    }
    if !conditions.matches_timestamp(head.header().timestamp) {
        return rejected("timestamp out of range");
    }
    let differs = backend.read_state(None, |state| {
        for (address, expected) in &conditions.known_accounts {
            let is_same = match expected {
                AccountStorage::RootHash(root) => state.proof(*address, &[])?.storage_root == *root,
                AccountStorage::Slots(slots) => {
                    let mut is_same = true;
                    for (slot, value) in slots {
                        is_same &= state.slot(*address, *slot)? == U256::from_be_bytes(value.0);
                    }
                    is_same
                }
            };
            if !is_same {
                return Ok(Some(*address));
            }
        }
        Ok(None)
    })?;
    differs.map_or(Ok(()), |address| rejected(&format!("storage of {address} differs")))
}
