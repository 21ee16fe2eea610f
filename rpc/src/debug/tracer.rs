//! A tracer as a client asks for it.

use super::duration;
use crate::{
    Backend, RpcError,
    replay::{Limits, ReplayError, Transacted},
};
use alloy_evm::EvmEnv;
use alloy_rpc_types_trace::geth::{GethDebugTracerType, GethDebugTracingOptions, GethTrace};
use revm::{DatabaseRef, state::EvmState};
use revm_inspectors::tracing::{
    DebugInspector, DebugInspectorError, TraceLimitBehavior, TraceLimits, TracingInspector, TracingInspectorConfig,
    TransactionContext,
};
use std::time::Duration;

/// Most bytes of memory, call data and return data that the tracer of single steps keeps.
const RECORDED_BYTES: usize = 512 << 20;
/// Longest time that a client may ask for.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// A tracer with its options, from which an inspector for each transaction is made.
#[derive(Debug)]
pub(crate) struct Tracer {
    prototype: DebugInspector,
    limits: Limits,
}

/// The limits that the options of a tracer give: their `timeout`, or the node's.
pub(crate) fn tracing_limits(backend: &Backend, timeout: Option<&str>) -> Result<Limits, RpcError> {
    let time = match timeout {
        None | Some("") => backend.options().call_timeout,
        Some(text) => {
            let time = duration::parse(text);
            time.ok_or_else(|| RpcError::invalid_params(format!("invalid timeout {text:?}: want 5s, 300ms, 1m30s, …")))?
        }
    };
    Ok(Limits::new(time.min(LONGEST)))
}

impl Tracer {
    /// The tracer that the options name; that of single steps without any.
    ///
    /// # Errors
    /// -32602 for options that make no sense; -32000 for a tracer in JavaScript.
    pub(crate) fn new(backend: &Backend, options: GethDebugTracingOptions) -> Result<Self, RpcError> {
        let limits = tracing_limits(backend, options.timeout.as_deref())?;
        if let Some(GethDebugTracerType::JsTracer(code)) = &options.tracer
            && !code.is_empty()
        {
            let code: String = code.chars().take(40).collect();
            return Err(RpcError::server(format!(
                "there is no tracer {code:?}; tracers in JavaScript are not supported. Built in: callTracer, flatCallTracer, prestateTracer, \
                 4byteTracer, muxTracer, noopTracer, erc7562Tracer, stateGasTracer, and none for single steps"
            )));
        }
        let prototype = match DebugInspector::new(options)
            .map_err(|error| RpcError::invalid_params(error.to_string()))?
        {
            DebugInspector::Default(inspector, config) => DebugInspector::Default(limited(*inspector.config()), config),
            other => other,
        };
        let records_steps = matches!(prototype, DebugInspector::Default(..) | DebugInspector::Erc7562Tracer(..));
        Ok(Self { prototype, limits: limits.recording_steps(records_steps) })
    }

    /// The limits of the whole call.
    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// An inspector for one transaction.
    pub(crate) fn inspector(&self) -> Result<DebugInspector, RpcError> {
        self.prototype.try_clone().map_err(RpcError::internal)
    }

    /// The trace of a transaction, and what it changes. `state` is that before it.
    pub(crate) fn finish<D: DatabaseRef<Error: Into<ReplayError>>>(
        transacted: Transacted<DebugInspector>,
        context: Option<TransactionContext>,
        state: &mut D,
        environment: &EvmEnv,
    ) -> Result<(GethTrace, EvmState), ReplayError> {
        let Transacted { environment: transaction, outcome, mut inspector } = transacted;
        let trace = inspector.get_result(context, &transaction, &environment.block_env, &outcome, state);
        let trace = trace.map_err(|error| match error {
            DebugInspectorError::Database(error) => error.into(),
            error => RpcError::internal(error).into(),
        })?;
        Ok((trace, outcome.state))
    }
}

fn limited(config: TracingInspectorConfig) -> TracingInspector {
    let limits =
        TraceLimits::default().set_max_recorded_bytes(Some(RECORDED_BYTES)).set_behavior(TraceLimitBehavior::Halt);
    TracingInspector::new(config).with_limits(limits)
}
