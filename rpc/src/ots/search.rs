//! Looking for transactions.

use super::{blocks::receipt, parsed};
use crate::{
    Backend, MethodSet, RpcError,
    error::LIMIT_EXCEEDED,
    methods::Number,
    replay::{Limits, replayed},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY};
use alloy_rpc_types_trace::{otterscan::ContractCreator, parity::TransactionTrace};
use braid_chain::ChainBlock;
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most transactions of a page; one block may make it a little longer.
const MOST_RESULTS: usize = 1000;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "ots_searchTransactionsBefore(address: Address, block: Quantity, pageSize: Quantity) -> TransactionsWithReceipts",
        "Transactions that an account had part in, in blocks before one (0: from the latest on), the latest first. Blocks are executed again \
         for that, as many as there is time for.",
        |backend, (address, block, size): (Address, Number, Number)| {
            search(backend, address, block.saturating_u64(), size.0.saturating_to(), Direction::Before)
        },
    );
    methods.slow(
        "ots_searchTransactionsAfter(address: Address, block: Quantity, pageSize: Quantity) -> TransactionsWithReceipts",
        "The same in blocks after one (0: from the first on): those closest to it, the latest first.",
        |backend, (address, block, size): (Address, Number, Number)| {
            search(backend, address, block.saturating_u64(), size.0.saturating_to(), Direction::After)
        },
    );
    methods.slow(
        "ots_getTransactionBySenderAndNonce(sender: Address, nonce: Quantity) -> Hash?",
        "Hash of the transaction of a sender with a nonce.",
        |backend, (sender, nonce): (Address, Number)| by_sender_and_nonce(backend, sender, nonce.saturating_u64()),
    );
    methods.slow(
        "ots_getContractCreator(address: Address) -> ContractCreator?",
        "The transaction that created a contract, and who created it; `null` for an account without code, and for one of the genesis.",
        |backend, (address,): (Address,)| creator(backend, address),
    );
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Before,
    After,
}

fn limits(backend: &Backend) -> Limits {
    Limits::new(backend.options().call_timeout)
}

/// The traces of all transactions of a block.
fn traces(backend: &Backend, block: &Arc<ChainBlock>, limits: Limits) -> Result<Vec<Vec<TransactionTrace>>, RpcError> {
    if block.transactions().is_empty() || block.number() == 0 {
        return Ok(Vec::new());
    }
    let inspector = || Ok(TracingInspector::new(TracingInspectorConfig::default_parity()));
    replayed(|| {
        backend.inspect_block(block, limits, inspector, |_, done, _, _| {
            Ok((done.inspector.into_parity_builder().into_transaction_traces(), done.outcome.state))
        })
    })
}

/// Whether an account called, was called, was created, or got ether.
fn takes_part(trace: &TransactionTrace, address: Address) -> bool {
    let created = trace.result.as_ref().and_then(|result| result.created_contract());
    let refunded = trace.action.as_selfdestruct().map(|action| action.refund_address);
    trace.action.contains_address(address) || created == Some(address) || refunded == Some(address)
}

fn search(
    backend: &Backend,
    address: Address,
    from: u64,
    size: usize,
    direction: Direction,
) -> Result<Value, RpcError> {
    let size = size.clamp(1, MOST_RESULTS);
    let head = backend.chain().head().number;
    let limits = limits(backend);
    let numbers: Box<dyn Iterator<Item = u64>> = match direction {
        Direction::Before if from == 0 => Box::new((1..=head).rev()),
        Direction::Before => Box::new((1..from.min(head + 1)).rev()),
        Direction::After => Box::new(from.saturating_add(1)..=head),
    };
    let (mut found, mut is_end) = (Vec::new(), true);
    for number in numbers {
        if found.len() >= size {
            is_end = false;
            break;
        }
        if limits.check().is_err() {
            if found.is_empty() {
                let message = format!("nothing was found down to block {number} in the time there is: begin there");
                return Err(RpcError::new(LIMIT_EXCEEDED, message));
            }
            is_end = false;
            break;
        }
        let Some(block) = backend.chain().block_by_number(number)? else { break };
        let mut of_block = Vec::new();
        for (index, traces) in traces(backend, &block, limits)?.iter().enumerate() {
            if traces.iter().any(|trace| takes_part(trace, address)) {
                of_block.push((Arc::clone(&block), index));
            }
        }
        // The latest comes first.
        if direction == Direction::Before {
            of_block.reverse();
        }
        found.extend(of_block);
    }
    if direction == Direction::After {
        found.reverse();
    }
    let (mut transactions, mut receipts) = (Vec::new(), Vec::new());
    for (block, index) in &found {
        let mut all = parsed(&backend.write_block(block, true)?)?;
        transactions.push(all["transactions"][*index].take());
        receipts.push(receipt(backend, block, block.transactions()[*index].tx_hash())?);
    }
    let (first, last) = match direction {
        Direction::Before => (from == 0 || from > head, is_end),
        Direction::After => (is_end, from == 0),
    };
    Ok(json!({ "txs": transactions, "receipts": receipts, "firstPage": first, "lastPage": last }))
}

/// The first block after which something holds that holds after the head and, once it does, for good; `None` if it held before the first block whose
/// state is kept.
fn first_block(backend: &Backend, holds: impl Fn(u64) -> Result<bool, RpcError>) -> Result<Option<u64>, RpcError> {
    let (mut low, mut high) = (backend.chain().database().history_from()?, backend.chain().head().number);
    if !holds(high)? || holds(low)? {
        return Ok(None);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(high))
}

fn by_sender_and_nonce(backend: &Backend, sender: Address, nonce: u64) -> Result<Option<B256>, RpcError> {
    let is_used = |number: u64| {
        let account = backend.state(Some(number.into()))?.account(sender)?;
        Ok(account.is_some_and(|account| account.nonce > nonce))
    };
    let Some(number) = first_block(backend, is_used)? else { return Ok(None) };
    let Some(block) = backend.chain().block_by_number(number)? else { return Ok(None) };
    let senders = backend.chain().block_senders(&block)?;
    let index = block.transactions().iter().zip(senders).position(|(tx, from)| *from == sender && tx.nonce() == nonce);
    Ok(index.map(|index| *block.transactions()[index].tx_hash()))
}

fn creator(backend: &Backend, address: Address) -> Result<Option<ContractCreator>, RpcError> {
    let has_code = |number: u64| {
        let account = backend.state(Some(number.into()))?.account(address)?;
        Ok(account.is_some_and(|account| account.code_hash != KECCAK256_EMPTY))
    };
    let Some(number) = first_block(backend, has_code)? else { return Ok(None) };
    let Some(block) = backend.chain().block_by_number(number)? else { return Ok(None) };
    let all = traces(backend, &block, limits(backend))?;
    let found = all.iter().zip(block.transactions()).find_map(|(traces, transaction)| {
        let made = |trace: &&TransactionTrace| {
            trace.result.as_ref().and_then(|result| result.created_contract()) == Some(address)
        };
        let creator = traces.iter().find(made)?.action.as_create()?.from;
        Some(ContractCreator { hash: *transaction.tx_hash(), creator })
    });
    Ok(found)
}
