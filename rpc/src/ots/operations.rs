//! What single transactions did.

use crate::{
    Backend, MethodSet, RpcError,
    replay::{Limits, Replay, Transacted, replayed},
};
use alloy_evm::eth::EthEvmContext;
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_trace::{
    otterscan::TraceEntry,
    parity::{Action, TransactionTrace},
};
use revm::{Inspector, context_interface::result::ExecutionResult, inspector::NoOpInspector};
use revm_inspectors::{
    otterscan::InternalOperationsInspector,
    tracing::{TracingInspector, TracingInspectorConfig},
};

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "ots_getInternalOperations(hash: Hash) -> InternalOperation[]",
        "Transfers of ether, creations and self-destructions inside of a transaction.",
        |backend, (hash,): (B256,)| {
            let done = inspected(backend, hash, InternalOperationsInspector::default)?;
            Ok(done.inspector.into_operations())
        },
    );
    methods.slow(
        "ots_getTransactionError(hash: Hash) -> Bytes",
        "What a transaction returned when it was reverted; empty if it was not.",
        |backend, (hash,): (B256,)| {
            let done = inspected(backend, hash, || NoOpInspector)?;
            Ok(match done.outcome.result {
                ExecutionResult::Revert { output, .. } => output,
                _ => Bytes::new(),
            })
        },
    );
    methods.slow(
        "ots_traceTransaction(hash: Hash) -> TraceEntry[]",
        "The calls and creations of a transaction, in the order in which they began.",
        |backend, (hash,): (B256,)| {
            let inspector = || TracingInspector::new(TracingInspectorConfig::default_parity());
            let traces = inspected(backend, hash, inspector)?.inspector.into_parity_builder().into_transaction_traces();
            Ok(traces.iter().filter_map(entry).collect::<Vec<_>>())
        },
    );
}

fn inspected<I>(backend: &Backend, hash: B256, inspector: impl Fn() -> I) -> Result<Transacted<I>, RpcError>
where
    I: for<'a> Inspector<EthEvmContext<&'a mut crate::replay::ReplayState>>,
{
    let (block, index) = backend.traced_transaction(&hash)?;
    replayed(|| {
        let limits = Limits::new(backend.options().call_timeout);
        Replay::at(backend.chain(), &block, index, limits)?.inspect(inspector())
    })
}

fn entry(trace: &TransactionTrace) -> Option<TraceEntry> {
    if let Action::Create(create) = &trace.action {
        let result = trace.result.as_ref();
        return Some(TraceEntry {
            r#type: format!("{:?}", create.creation_method).to_uppercase(),
            depth: u32::try_from(trace.trace_address.len()).unwrap_or(u32::MAX),
            from: create.from,
            to: result.and_then(|result| result.created_contract()).unwrap_or_default(),
            value: Some(create.value),
            input: create.init.clone(),
            output: result.map(|result| result.output().clone()).unwrap_or_default(),
        });
    }
    TraceEntry::from_transaction_trace(trace)
}
