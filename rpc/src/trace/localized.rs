//! Traces of stored blocks, with their place.

use super::{block, limits, rewards};
use crate::{
    Backend, MethodSet, RpcError,
    methods::Number,
    replay::{Limits, Replay, ReplayError, replayed},
};
use alloy_eips::BlockId;
use alloy_primitives::B256;
use alloy_rpc_types_eth::TransactionInfo;
use alloy_rpc_types_trace::parity::LocalizedTransactionTrace;
use braid_chain::ChainBlock;
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig};
use std::sync::Arc;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "trace_block(block: BlockId) -> Trace[]?",
        "Traces of all transactions of a block, then its rewards; `null` if there is no such block.",
        |backend, (id,): (BlockId,)| {
            let Some(block) = block(backend, id)? else { return Ok(None) };
            replayed(|| of_block(backend, &block, limits(backend))).map(Some)
        },
    );
    methods.slow(
        "trace_transaction(hash: Hash) -> Trace[]?",
        "Traces of a transaction; `null` if it is in no block.",
        |backend, (hash,): (B256,)| of_transaction(backend, hash),
    );
    methods.slow(
        "trace_get(hash: Hash, address: Quantity[]) -> Trace?",
        "The trace of a transaction with this `traceAddress`: `[]` is the transaction itself, `[\"0x0\"]` its first call, and so on. `null` if \
         there is none.",
        |backend, (hash, address): (B256, Vec<Number>)| {
            let address: Vec<usize> = address.into_iter().map(|index| index.0.saturating_to()).collect();
            let traces = of_transaction(backend, hash)?.unwrap_or_default();
            Ok(traces.into_iter().find(|trace| trace.trace.trace_address == address))
        },
    );
}

/// Where a transaction is.
pub(super) fn place(block: &ChainBlock, index: usize) -> TransactionInfo {
    TransactionInfo {
        hash: Some(*block.transactions()[index].tx_hash()),
        index: Some(index as u64),
        block_hash: Some(block.hash()),
        block_number: Some(block.number()),
        ..TransactionInfo::default()
    }
}

fn inspector() -> TracingInspector {
    TracingInspector::new(TracingInspectorConfig::default_parity())
}

fn of_transaction(backend: &Backend, hash: B256) -> Result<Option<Vec<LocalizedTransactionTrace>>, RpcError> {
    let Some(found) = backend.chain().find_transaction(&hash)? else { return Ok(None) };
    let traces = replayed(|| {
        let mut replay = Replay::at(backend.chain(), &found.block, found.index, limits(backend))?;
        let transacted = replay.inspect(inspector())?;
        let builder = transacted.inspector.into_parity_builder();
        Ok(builder.into_localized_transaction_traces(place(&found.block, found.index)))
    })?;
    Ok(Some(traces))
}

/// Traces of all transactions of a block, then its rewards.
pub(super) fn of_block(
    backend: &Backend,
    block: &Arc<ChainBlock>,
    limits: Limits,
) -> Result<Vec<LocalizedTransactionTrace>, ReplayError> {
    let mut traces = Vec::new();
    if !block.transactions().is_empty() {
        let of_transactions = backend.inspect_block(
            block,
            limits,
            || Ok(inspector()),
            |index, transacted, _, _| {
                let builder = transacted.inspector.into_parity_builder();
                Ok((builder.into_localized_transaction_traces(place(block, index)), transacted.outcome.state))
            },
        )?;
        traces = of_transactions.into_iter().flatten().collect();
    }
    traces.extend(rewards::of_block(backend.chain().spec(), block));
    Ok(traces)
}
