//! Simulated blocks as clients get them.

use super::logs::IndexedLog;
use crate::{
    RpcError,
    eth::json::{BlockContext, HeaderJson, LogJson, Mined, TransactionJson},
    simulate::failure::describe_halt,
};
use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{B256, Bytes, U64};
use revm::context_interface::result::ExecutionResult;
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::transaction::Unsigned;

/// The EVM stopped a call.
const VM_ERROR: i32 = -32015;

/// What a call did.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) logs: Vec<IndexedLog>,
    pub(super) result: ExecutionResult,
}

/// A block that was simulated.
#[derive(Debug)]
pub(super) struct SimulatedBlock {
    pub(super) header: Header,
    pub(super) hash: B256,
    /// Length of its RLP, in bytes.
    pub(super) size: usize,
    pub(super) withdrawals: Option<Vec<Withdrawal>>,
    pub(super) transactions: Vec<Unsigned>,
    pub(super) outcomes: Vec<Outcome>,
}

#[derive(Serialize)]
struct BlockReply<'a> {
    #[serde(flatten)]
    header: HeaderJson<'a>,
    size: U64,
    transactions: Vec<Value>,
    uncles: [B256; 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawals: Option<&'a [Withdrawal]>,
    calls: Vec<CallReply<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallReply<'a> {
    return_data: Bytes,
    logs: Vec<LogJson<'a>>,
    gas_used: U64,
    max_used_gas: U64,
    status: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<CallError>,
}

#[derive(Serialize)]
struct CallError {
    code: i32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

impl From<RpcError> for CallError {
    fn from(RpcError { code, message, data }: RpcError) -> Self {
        Self { code, message, data }
    }
}

impl SimulatedBlock {
    /// As JSON; with `full` the transactions are more than their hashes.
    pub(super) fn reply(&self, full: bool) -> Result<Value, RpcError> {
        let context = BlockContext {
            hash: self.hash,
            number: self.header.number,
            timestamp: self.header.timestamp,
            base_fee: self.header.base_fee_per_gas,
        };
        let transactions = self.transactions.iter().enumerate().map(|(index, unsigned)| {
            if full { full_transaction(unsigned, Mined { block: context, index }) } else { hash(unsigned) }
        });
        let transactions = transactions.collect::<Result<_, _>>().map_err(RpcError::internal)?;
        let calls = self.outcomes.iter().zip(&self.transactions).enumerate();
        let reply = BlockReply {
            header: HeaderJson { hash: Some(self.hash), header: &self.header },
            size: U64::from(self.size),
            transactions,
            uncles: [],
            withdrawals: self.withdrawals.as_deref(),
            calls: calls
                .map(|(index, (outcome, unsigned))| outcome.reply(&context, (*unsigned.transaction.tx_hash(), index)))
                .collect(),
        };
        serde_json::to_value(&reply).map_err(RpcError::internal)
    }
}

fn hash(unsigned: &Unsigned) -> serde_json::Result<Value> {
    serde_json::to_value(unsigned.transaction.tx_hash())
}

fn full_transaction(unsigned: &Unsigned, mined: Mined) -> serde_json::Result<Value> {
    let json = TransactionJson { transaction: &unsigned.transaction, sender: unsigned.sender, mined: Some(mined) };
    let mut json = serde_json::to_value(json)?;
    // There is no signature, not even one of an odd `v`.
    json["v"] = Value::from("0x0");
    Ok(json)
}

impl Outcome {
    fn reply(&self, block: &BlockContext, transaction: (B256, usize)) -> CallReply<'_> {
        let gas = self.result.gas();
        let error = match &self.result {
            ExecutionResult::Success { .. } => None,
            ExecutionResult::Revert { output, .. } => Some(RpcError::reverted(output).into()),
            ExecutionResult::Halt { reason, .. } => Some(RpcError::new(VM_ERROR, describe_halt(reason)).into()),
        };
        CallReply {
            return_data: match &self.result {
                ExecutionResult::Success { output, .. } => output.data().clone(),
                // The data of a revert are in the error.
                _ => Bytes::new(),
            },
            logs: self.logs.iter().map(|(index, log)| LogJson::new(log, block, transaction, *index)).collect(),
            gas_used: U64::from(gas.tx_gas_used()),
            max_used_gas: U64::from(gas.total_gas_spent().max(gas.floor_gas())),
            status: U64::from(u64::from(self.result.is_success())),
            error,
        }
    }
}
