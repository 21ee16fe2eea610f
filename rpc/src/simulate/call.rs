//! `eth_call` and `eth_callMany`.

use super::{
    context::{Overrides, Simulation},
    failure::{CallFailure, output},
    request::Call,
    time_limit::Deadline,
};
use crate::{Backend, RpcError, block_id::CallContext};
use alloy_eips::BlockId;
use alloy_primitives::{Bytes, TxKind};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use revm::context_interface::result::ExecutionResult;

/// Arguments of `eth_call` and `eth_estimateGas`.
pub(super) type CallArguments = (TransactionRequest, Option<BlockId>, Option<StateOverride>, Option<BlockOverrides>);

/// Executes a call on the state of a block and gives what it returns.
pub(super) fn call(backend: &Backend, arguments: &CallArguments) -> Result<Bytes, RpcError> {
    let (_, block, ..) = arguments;
    output(backend.on_state(*block, |context| run(backend, context, arguments, backend.deadline()))?)
}

/// The same within a moment, for what is simple.
pub(super) fn call_briefly(backend: &Backend, arguments: &CallArguments) -> Option<Result<Bytes, RpcError>> {
    if !is_simple(arguments) {
        return None;
    }
    let run = |context| run(backend, context, arguments, Deadline::brief());
    backend.briefly_on_state(arguments.1, run).map(|result| output(result?))
}

/// Whether a call has nothing in it that takes long by itself: code to be analysed, signatures to be checked.
pub(super) fn is_simple((request, _, state, block): &CallArguments) -> bool {
    /// Bytes of call data.
    const SHORT: usize = 8 * 1024;
    state.is_none()
        && block.is_none()
        && matches!(request.to, Some(TxKind::Call(_)))
        && request.authorization_list.is_none()
        && request.sidecar.is_none()
        && request.input.input().is_none_or(|input| input.len() <= SHORT)
}

/// Makes everything ready for a call that has to end in time.
pub(super) fn prepare(
    backend: &Backend,
    context: CallContext,
    (request, _, state, block): &CallArguments,
    deadline: Deadline,
) -> Result<(Simulation, Call), CallFailure> {
    let overrides = Overrides { state: state.as_ref(), block: block.as_ref() };
    let mut simulation = backend.simulation(context, overrides)?;
    simulation.deadline = deadline;
    let call = Call::new(request, &simulation.environment, backend.options().gas_cap)?;
    Ok((simulation, call))
}

fn run(
    backend: &Backend,
    context: CallContext,
    arguments: &CallArguments,
    deadline: Deadline,
) -> Result<ExecutionResult, CallFailure> {
    let (mut simulation, call) = prepare(backend, context, arguments, deadline)?;
    Ok(simulation.run(call)?.result)
}
