//! `debug_traceCall` and `debug_traceCallMany`.

use super::Tracer;
use crate::{
    Backend, MethodSet, RpcError,
    replay::{ReplayError, TracedCalls, replayed},
    simulate::Overrides,
};
use alloy_eips::BlockId;
use alloy_rpc_types_eth::{BlockOverrides, StateContext, TransactionIndex, TransactionRequest};
use alloy_rpc_types_trace::geth::{GethDebugTracingCallOptions, GethTrace};
use serde::Deserialize;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "debug_traceCall(transaction: TransactionRequest, block?: BlockId, options?: TracerOptions) -> Trace",
        "What a call would do. The options of the tracer may have `stateOverrides`, `blockOverrides` and `txIndex`: before which transaction of \
         the block; after all of them without it.",
        |backend, (request, block, options): (TransactionRequest, Option<BlockId>, Option<GethDebugTracingCallOptions>)| {
            let bundle = Bundle { transactions: vec![request], block_override: None };
            let index = options.as_ref().and_then(|options| options.tx_index).map(|index| index as usize);
            let mut traces = trace(backend, &[bundle], block, index, options.unwrap_or_default())?;
            traces.pop().and_then(|mut bundle| bundle.pop()).ok_or_else(|| RpcError::internal("a call without a trace"))
        },
    );
    methods.slow(
        "debug_traceCallMany(bundles: Bundle[], context?: StateContext, options?: TracerOptions) -> Trace[][]",
        "What calls would do, each on the state that the one before it leaves. `context` says on which block and before which of its \
         transactions.",
        |backend, (bundles, context, options): (Vec<Bundle>, Option<StateContext>, Option<GethDebugTracingCallOptions>)| {
            let context = context.unwrap_or_default();
            let index = match context.transaction_index {
                Some(TransactionIndex::Index(index)) => Some(index),
                Some(TransactionIndex::All) | None => None,
            };
            trace(backend, &bundles, context.block_number, index, options.unwrap_or_default())
        },
    );
}

/// Calls in one block.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    transactions: Vec<TransactionRequest>,
    block_override: Option<BlockOverrides>,
}

fn trace(
    backend: &Backend,
    bundles: &[Bundle],
    block: Option<BlockId>,
    index: Option<usize>,
    options: GethDebugTracingCallOptions,
) -> Result<Vec<Vec<GethTrace>>, RpcError> {
    let GethDebugTracingCallOptions { tracing_options, state_overrides, block_overrides, .. } = options;
    let tracer = Tracer::new(backend, tracing_options)?;
    let overrides = Overrides { state: state_overrides.as_ref(), block: block_overrides.as_ref() };
    replayed(|| {
        let mut calls = TracedCalls::new(backend, block, index, overrides, tracer.limits())?;
        let traces = bundles.iter().map(|bundle| {
            if let Some(wanted) = &bundle.block_override {
                calls.set_block(backend, wanted)?;
            }
            let requests = bundle.transactions.iter();
            let traces = requests.map(|request| {
                let (transacted, environment) = calls.inspect(request, tracer.inspector()?)?;
                let (trace, changes) = Tracer::finish(transacted, None, calls.state_mut(), &environment)?;
                calls.commit(changes);
                Ok(trace)
            });
            traces.collect::<Result<_, ReplayError>>()
        });
        traces.collect()
    })
}
