//! Transactions.

use super::{BlockContext, Quantity};
use alloy_consensus::{Transaction as _, Typed2718};
use alloy_primitives::{Address, U256};
use braid_runtime::Transaction;
use serde::{Serialize, Serializer, ser::SerializeMap};

/// Where a transaction is in the chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mined {
    pub(crate) block: BlockContext,
    /// Index in the block.
    pub(crate) index: usize,
}

/// A transaction with its sender; `mined` is `None` while it is in the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionJson<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) sender: Address,
    pub(crate) mined: Option<Mined>,
}

impl Serialize for TransactionJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { transaction: tx, sender, mined } = *self;
        let mut map = serializer.serialize_map(None)?;
        let number = |value: u64| Quantity::from(value);
        map.serialize_entry("blockHash", &mined.map(|mined| mined.block.hash))?;
        map.serialize_entry("blockNumber", &mined.map(|mined| number(mined.block.number)))?;
        map.serialize_entry("blockTimestamp", &mined.map(|mined| number(mined.block.timestamp)))?;
        map.serialize_entry("transactionIndex", &mined.map(|mined| Quantity::from(mined.index)))?;
        map.serialize_entry("from", &sender)?;
        map.serialize_entry("gas", &number(tx.gas_limit()))?;
        // What it pays, once that is known; the most that it pays before.
        let base_fee = mined.and_then(|mined| mined.block.base_fee);
        let gas_price = tx.gas_price().unwrap_or_else(|| match base_fee {
            Some(base_fee) => tx.effective_gas_price(Some(base_fee)),
            None => tx.max_fee_per_gas(),
        });
        map.serialize_entry("gasPrice", &Quantity(gas_price))?;
        if tx.is_dynamic_fee() {
            map.serialize_entry("maxFeePerGas", &Quantity(tx.max_fee_per_gas()))?;
            map.serialize_entry("maxPriorityFeePerGas", &tx.max_priority_fee_per_gas().map(Quantity))?;
        }
        if let Some(fee) = tx.max_fee_per_blob_gas() {
            map.serialize_entry("maxFeePerBlobGas", &Quantity(fee))?;
        }
        map.serialize_entry("hash", tx.tx_hash())?;
        map.serialize_entry("input", tx.input())?;
        map.serialize_entry("nonce", &number(tx.nonce()))?;
        map.serialize_entry("to", &tx.to())?;
        map.serialize_entry("value", &tx.value())?;
        map.serialize_entry("type", &number(tx.ty().into()))?;
        if let Some(list) = tx.access_list() {
            map.serialize_entry("accessList", list)?;
        }
        if let Some(chain_id) = tx.chain_id() {
            map.serialize_entry("chainId", &number(chain_id))?;
        }
        if let Some(hashes) = tx.blob_versioned_hashes() {
            map.serialize_entry("blobVersionedHashes", hashes)?;
        }
        if let Some(list) = tx.authorization_list() {
            map.serialize_entry("authorizationList", list)?;
        }
        let signature = tx.signature();
        let parity = u128::from(signature.v());
        let v = match (tx.is_legacy(), tx.chain_id()) {
            (false, _) => U256::from(parity),
            (true, None) => U256::from(27 + parity),
            (true, Some(chain_id)) => U256::from(35 + 2 * u128::from(chain_id) + parity),
        };
        map.serialize_entry("v", &v)?;
        map.serialize_entry("r", &signature.r())?;
        map.serialize_entry("s", &signature.s())?;
        if !tx.is_legacy() {
            map.serialize_entry("yParity", &Quantity(parity))?;
        }
        map.end()
    }
}
