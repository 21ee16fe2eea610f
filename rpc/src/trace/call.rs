//! `trace_call`, `trace_callMany`, `trace_rawTransaction`: traces of what is not in a block.

use super::results::{TraceTypes, finish, inspector, limits_of};
use crate::{
    Backend, MethodSet, RpcError,
    replay::{TracedCalls, replayed},
    simulate::Overrides,
};
use alloy_consensus::{
    TxEnvelope,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::{BlockId, Decodable2718};
use alloy_primitives::Bytes;
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use alloy_rpc_types_trace::parity::TraceResults;

type CallArguments = (TransactionRequest, TraceTypes, Option<BlockId>, Option<StateOverride>, Option<BlockOverrides>);

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "trace_call(transaction: TransactionRequest, types: TraceType[], block?: BlockId, stateOverrides?: StateOverride, \
         blockOverrides?: BlockOverrides) -> TraceResults",
        "Output, trace, VM trace and state diff of a call, as far as `types` names them (`trace`, `vmTrace`, `stateDiff`).",
        |backend, (request, types, block, state, block_overrides): CallArguments| {
            let overrides = Overrides { state: state.as_ref(), block: block_overrides.as_ref() };
            one(backend, (request, types), block, overrides)
        },
    );
    methods.slow(
        "trace_callMany(calls: TraceCall[], block?: BlockId) -> TraceResults[]",
        "The same for calls of which each sees what those before it did.",
        |backend, (calls, block): (Vec<(TransactionRequest, TraceTypes)>, Option<BlockId>)| {
            many(backend, &calls, block, Overrides::default())
        },
    );
    methods.slow(
        "trace_rawTransaction(transaction: Bytes, types: TraceType[], block?: BlockId) -> TraceResults",
        "The same for a signed transaction (EIP-2718), which is not sent.",
        |backend, (raw, types, block): (Bytes, TraceTypes, Option<BlockId>)| {
            let request = decoded(&raw)?;
            one(backend, (request, types), block, Overrides::default())
        },
    );
}

fn decoded(raw: &Bytes) -> Result<TransactionRequest, RpcError> {
    let transaction = TxEnvelope::decode_2718_exact(raw);
    let transaction = transaction.map_err(|error| RpcError::invalid_params(format!("invalid transaction: {error}")))?;
    let sender = transaction.recover_signer();
    let sender = sender.map_err(|error| RpcError::invalid_params(format!("invalid transaction: {error}")))?;
    Ok(TransactionRequest::from_recovered_transaction(Recovered::new_unchecked(transaction, sender)))
}

fn one(
    backend: &Backend,
    call: (TransactionRequest, TraceTypes),
    block: Option<BlockId>,
    overrides: Overrides<'_>,
) -> Result<TraceResults, RpcError> {
    let mut results = many(backend, &[call], block, overrides)?;
    results.pop().ok_or_else(|| RpcError::internal("a call without a trace"))
}

fn many(
    backend: &Backend,
    calls: &[(TransactionRequest, TraceTypes)],
    block: Option<BlockId>,
    overrides: Overrides<'_>,
) -> Result<Vec<TraceResults>, RpcError> {
    let all: TraceTypes = calls.iter().flat_map(|(_, types)| types.iter().copied()).collect();
    replayed(|| {
        let mut traced = TracedCalls::new(backend, block, None, overrides, limits_of(backend, &all))?;
        let results = calls.iter().map(|(request, types)| {
            let (transacted, _) = traced.inspect(request, inspector(types))?;
            let (results, changes) = finish(transacted, types, traced.state_mut())?;
            traced.commit(changes);
            Ok(results)
        });
        results.collect()
    })
}
