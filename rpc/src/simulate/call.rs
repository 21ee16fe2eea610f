//! `eth_call` and `eth_callMany`.

use super::{
    context::Overrides,
    failure::{CallFailure, output},
    request::Call,
    time_limit::Deadline,
};
use crate::{Backend, RpcError, block_id::CallContext};
use alloy_eips::BlockId;
use alloy_primitives::{Bytes, TxKind};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use revm::context_interface::result::ExecutionResult;

/// Arguments of `eth_call`.
pub(super) type CallArguments = (TransactionRequest, Option<BlockId>, Option<StateOverride>, Option<BlockOverrides>);

/// Executes a call on the state of a block and gives what it returns.
pub(super) fn call(backend: &Backend, arguments: &CallArguments) -> Result<Bytes, RpcError> {
    let (_, block, ..) = arguments;
    output(backend.on_state(*block, |context| run(backend, context, arguments, backend.deadline()))?)
}

/// The same within a moment, for what is simple.
pub(super) fn call_briefly(backend: &Backend, arguments: &CallArguments) -> Option<Result<Bytes, RpcError>> {
    let (request, block, state_overrides, block_overrides) = arguments;
    if state_overrides.is_some() || block_overrides.is_some() || !is_simple(request) {
        return None;
    }
    let result = backend.briefly_on_state(*block, |context| run(backend, context, arguments, Deadline::brief()));
    result.map(|result| output(result?))
}

/// Whether a request has nothing in it that takes long by itself: code to be analysed, signatures to be checked.
pub(super) fn is_simple(request: &TransactionRequest) -> bool {
    /// Bytes of call data.
    const SHORT: usize = 8 * 1024;
    matches!(request.to, Some(TxKind::Call(_)))
        && request.authorization_list.is_none()
        && request.sidecar.is_none()
        && request.input.input().is_none_or(|input| input.len() <= SHORT)
}

fn run(
    backend: &Backend,
    context: CallContext,
    (request, _, state, block): &CallArguments,
    deadline: Deadline,
) -> Result<ExecutionResult, CallFailure> {
    let overrides = Overrides { state: state.as_ref(), block: block.as_ref() };
    let mut simulation = backend.simulation(context, overrides)?;
    simulation.deadline = deadline;
    let call = Call::new(request, &simulation.environment, backend.options().gas_cap)?;
    Ok(simulation.run(call)?.result)
}
