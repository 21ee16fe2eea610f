//! Blocks and pages of their transactions.

use super::parsed;
use crate::{Backend, MethodSet, RpcError, methods::Number};
use alloy_consensus::Transaction as _;
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_evm::block::calc;
use alloy_primitives::{B256, U256};
use alloy_rpc_types_trace::otterscan::InternalIssuance;
use braid_chain::ChainBlock;
use serde_json::{Value, json};
use std::sync::Arc;

/// Characters of call data that are shown: `0x` and four bytes.
const SHOWN_INPUT: usize = 2 + 8;

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "ots_getBlockDetails(block: BlockTag) -> BlockDetails?",
        "A block without its transactions, what it issued and the fees it took, in wei.",
        |backend, (number,): (BlockNumberOrTag,)| details(backend, number.into()),
    );
    methods.quick(
        "ots_getBlockDetailsByHash(hash: Hash) -> BlockDetails?",
        "The same for the block with a hash.",
        |backend, (hash,): (B256,)| details(backend, hash.into()),
    );
    methods.slow(
        "ots_getBlockTransactions(block: BlockTag, page: Quantity, pageSize: Quantity) -> BlockTransactions?",
        "A page of the transactions of a block, with their receipts; page 0 has the last ones. Of call data there are four bytes, and no logs.",
        |backend, (number, page, size): (BlockNumberOrTag, Number, Number)| {
            page_of(backend, number.into(), page.0.saturating_to(), size.0.saturating_to())
        },
    );
}

/// The block as JSON, without the parts that make it long.
fn slim(backend: &Backend, block: &ChainBlock, full: bool) -> Result<Value, RpcError> {
    let mut json = parsed(&backend.write_block(block, full)?)?;
    json["transactionCount"] = block.transactions().len().into();
    json["logsBloom"] = Value::Null;
    Ok(json)
}

/// Only blocks that are made have details.
fn made(backend: &Backend, id: BlockId) -> Result<Option<Arc<ChainBlock>>, RpcError> {
    if id.is_pending() { Ok(None) } else { backend.block(Some(id)) }
}

fn details(backend: &Backend, id: BlockId) -> Result<Option<Value>, RpcError> {
    let Some(block) = made(backend, id)? else { return Ok(None) };
    let mut json = slim(backend, &block, false)?;
    if let Some(fields) = json.as_object_mut() {
        fields.remove("transactions");
    }
    let header = block.header();
    let mut issuance = InternalIssuance::default();
    let base = calc::base_block_reward(backend.chain().spec().at(header), header.number);
    if let Some(base) = base.filter(|_| header.number > 0) {
        let ommers = &block.body().ommers;
        issuance.block_reward = U256::from(calc::block_reward(base, ommers.len()));
        let reward = |number| U256::from(calc::ommer_reward(base, header.number, number));
        issuance.uncle_reward = ommers.iter().map(|ommer| reward(ommer.number)).sum();
        issuance.issuance = issuance.block_reward + issuance.uncle_reward;
    }
    let receipts = backend.chain().block_receipts(&block)?;
    let mut before = 0;
    let fees = block.transactions().iter().zip(receipts.iter()).map(|(transaction, receipt)| {
        let gas = receipt.cumulative_gas_used - std::mem::replace(&mut before, receipt.cumulative_gas_used);
        U256::from(gas) * U256::from(transaction.effective_gas_price(header.base_fee_per_gas))
    });
    let fees: U256 = fees.sum();
    Ok(Some(json!({ "block": json, "issuance": issuance, "totalFees": fees })))
}

fn page_of(backend: &Backend, id: BlockId, page: usize, size: usize) -> Result<Option<Value>, RpcError> {
    let Some(block) = made(backend, id)? else { return Ok(None) };
    let end = block.transactions().len().saturating_sub(page.saturating_mul(size));
    let range = end.saturating_sub(size)..end;
    let mut json = slim(backend, &block, true)?;
    if let Some(transactions) = json["transactions"].as_array_mut() {
        *transactions = transactions[range.clone()].to_vec();
        for transaction in transactions {
            if let Some(Value::String(input)) = transaction.get_mut("input") {
                input.truncate(SHOWN_INPUT);
            }
        }
    }
    let mut receipts = Vec::with_capacity(range.len());
    for transaction in &block.transactions()[range] {
        let mut receipt = receipt(backend, &block, transaction.tx_hash())?;
        (receipt["logs"], receipt["logsBloom"]) = (Value::Null, Value::Null);
        receipts.push(receipt);
    }
    Ok(Some(json!({ "fullblock": json, "receipts": receipts })))
}

/// The receipt of a transaction with the time of its block, in seconds.
pub(super) fn receipt(backend: &Backend, block: &ChainBlock, hash: &B256) -> Result<Value, RpcError> {
    let written = backend.write_receipt(hash)?.ok_or_else(|| RpcError::server("receipt not found"))?;
    let mut json = parsed(&written)?;
    json["timestamp"] = block.header().timestamp.into();
    Ok(json)
}
