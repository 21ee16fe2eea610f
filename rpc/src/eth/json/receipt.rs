//! Receipts.

use super::{BlockContext, LogJson, Quantity};
use alloy_consensus::{Transaction as _, Typed2718};
use alloy_primitives::{Address, B256, logs_bloom};
use braid_runtime::{Receipt, Transaction};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// What a receipt says about how the transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Whether it succeeded, from Byzantium on (EIP-658).
    Status(bool),
    /// The state root after it, before.
    Root(B256),
}

/// A receipt with what its block and its transaction tell about it.
#[derive(Clone, Debug)]
pub(crate) struct ReceiptJson<'a> {
    pub(crate) receipt: &'a Receipt,
    pub(crate) transaction: &'a Transaction,
    pub(crate) sender: Address,
    pub(crate) block: BlockContext,
    pub(crate) index: usize,
    /// Gas used by this transaction alone.
    pub(crate) gas_used: u64,
    /// Index in the block of its first log.
    pub(crate) first_log: usize,
    pub(crate) outcome: Outcome,
    /// Price of blob gas in the block, in wei.
    pub(crate) blob_gas_price: Option<u128>,
}

impl Serialize for ReceiptJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self { receipt, transaction: tx, ref sender, ref block, .. } = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(blob_gas) = tx.blob_gas_used() {
            map.serialize_entry("blobGasUsed", &Quantity::from(blob_gas))?;
            map.serialize_entry("blobGasPrice", &self.blob_gas_price.map(Quantity))?;
        }
        map.serialize_entry("blockHash", &block.hash)?;
        map.serialize_entry("blockNumber", &Quantity::from(block.number))?;
        let contract = tx.is_create().then(|| sender.create(tx.nonce()));
        map.serialize_entry("contractAddress", &contract)?;
        map.serialize_entry("cumulativeGasUsed", &Quantity::from(receipt.cumulative_gas_used))?;
        map.serialize_entry("effectiveGasPrice", &Quantity(tx.effective_gas_price(block.base_fee)))?;
        map.serialize_entry("from", sender)?;
        map.serialize_entry("gasUsed", &Quantity::from(self.gas_used))?;
        map.serialize_entry("logs", &Logs(self))?;
        map.serialize_entry("logsBloom", &logs_bloom(&receipt.logs))?;
        match self.outcome {
            Outcome::Status(success) => map.serialize_entry("status", &Quantity::from(u64::from(success)))?,
            Outcome::Root(root) => map.serialize_entry("root", &root)?,
        }
        map.serialize_entry("to", &tx.to())?;
        map.serialize_entry("transactionHash", tx.tx_hash())?;
        map.serialize_entry("transactionIndex", &Quantity::from(self.index))?;
        map.serialize_entry("type", &Quantity::from(u64::from(tx.ty())))?;
        map.end()
    }
}

struct Logs<'a>(&'a ReceiptJson<'a>);

impl Serialize for Logs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ReceiptJson { receipt, transaction, block, index, first_log, .. } = self.0;
        let transaction = (*transaction.tx_hash(), *index);
        let logs = receipt.logs.iter().enumerate();
        serializer.collect_seq(logs.map(|(nth, log)| LogJson::new(log, block, transaction, first_log + nth)))
    }
}
