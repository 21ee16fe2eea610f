//! `trace_replayTransaction` and `trace_replayBlockTransactions`.

use super::{block, limits};
use crate::{
    Backend, MethodSet, RpcError,
    replay::{Limits, Replay, ReplayError, Transacted, replayed},
};
use alloy_eips::BlockId;
use alloy_primitives::{B256, map::HashSet};
use alloy_rpc_types_trace::parity::{TraceResults, TraceResultsWithTransactionHash, TraceType};
use revm::{DatabaseRef, state::EvmState};
use revm_inspectors::tracing::{TracingInspector, TracingInspectorConfig};

/// Which traces a client wants.
pub(super) type TraceTypes = HashSet<TraceType>;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "trace_replayTransaction(hash: Hash, types: TraceType[]) -> TraceResults",
        "Output, trace, VM trace and state diff of a transaction, as far as `types` names them (`trace`, `vmTrace`, `stateDiff`).",
        |backend, (hash, types): (B256, TraceTypes)| replay_transaction(backend, hash, &types),
    );
    methods.slow(
        "trace_replayBlockTransactions(block: BlockId, types: TraceType[]) -> TraceResults[]?",
        "The same for all transactions of a block; `null` if there is no such block.",
        |backend, (id, types): (BlockId, TraceTypes)| replay_block(backend, id, &types),
    );
}

pub(super) fn inspector(types: &TraceTypes) -> TracingInspector {
    TracingInspector::new(TracingInspectorConfig::from_parity_config(types))
}

/// The limits of a call that wants these traces.
pub(super) fn limits_of(backend: &Backend, types: &TraceTypes) -> Limits {
    limits(backend).recording_steps(types.contains(&TraceType::VmTrace))
}

/// The traces of a transaction, and what it changes. `state` is that before it.
pub(super) fn finish<D: DatabaseRef<Error: Into<ReplayError>>>(
    transacted: Transacted<TracingInspector>,
    types: &TraceTypes,
    state: &D,
) -> Result<(TraceResults, EvmState), ReplayError> {
    let builder = transacted.inspector.into_parity_builder();
    let results = builder.into_trace_results_with_state(&transacted.outcome, types, state);
    Ok((results.map_err(Into::into)?, transacted.outcome.state))
}

fn replay_transaction(backend: &Backend, hash: B256, types: &TraceTypes) -> Result<TraceResults, RpcError> {
    let (block, index) = backend.traced_transaction(&hash)?;
    replayed(|| {
        let mut replay = Replay::at(backend.chain(), &block, index, limits_of(backend, types))?;
        let transacted = replay.inspect(inspector(types))?;
        Ok(finish(transacted, types, replay.state_mut())?.0)
    })
}

fn replay_block(
    backend: &Backend,
    id: BlockId,
    types: &TraceTypes,
) -> Result<Option<Vec<TraceResultsWithTransactionHash>>, RpcError> {
    let Some(block) = block(backend, id)? else { return Ok(None) };
    if block.transactions().is_empty() {
        return Ok(Some(Vec::new()));
    }
    let results = replayed(|| {
        backend.inspect_block(
            &block,
            limits_of(backend, types),
            || Ok(inspector(types)),
            |index, transacted, state, _| {
                let (full_trace, changes) = finish(transacted, types, state)?;
                let transaction_hash = *block.transactions()[index].tx_hash();
                Ok((TraceResultsWithTransactionHash { full_trace, transaction_hash }, changes))
            },
        )
    });
    results.map(Some)
}
