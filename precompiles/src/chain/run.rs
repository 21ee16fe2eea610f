//! One call of a chain precompile, from the provider's entry to the frame's result.

use super::{
    access::AccessError,
    journal_access::JournalAccess,
    precompile::{ChainCall, ChainPrecompile, ChainPrecompileError},
    registry::ChainPrecompiles,
};
use revm::{
    context_interface::{Cfg, ContextTr, JournalTr, LocalContextTr},
    handler::precompile_output_to_interpreter_result,
    interpreter::{CallInputs, CallScheme, Gas, GasTracker, InstructionResult, InterpreterResult},
    precompile::{PrecompileHalt, PrecompileOutput, PrecompileStatus},
    primitives::{Bytes, hardfork::SpecId},
};

/// How a call ended, before it is put into the frame's terms.
enum CallEnd {
    Finished {
        status: PrecompileStatus,
        output: Bytes,
    },
    /// The context holds the database's error, which the EVM raises as soon as the frame returns.
    DatabaseFailed,
}

impl CallEnd {
    fn halt(reason: PrecompileHalt) -> Self {
        Self::Finished { status: PrecompileStatus::Halt(reason), output: Bytes::new() }
    }
}

/// Runs the chain precompile that `inputs` calls, or returns `None` if there is none at that address.
pub(crate) fn run<CTX>(chain: &ChainPrecompiles, context: &mut CTX, inputs: &CallInputs) -> Option<InterpreterResult>
where
    CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>,
{
    let precompile = chain.get(&inputs.bytecode_address)?;
    let mut gas = GasTracker::new(inputs.gas_limit, inputs.gas_limit, inputs.reservoir);
    match call(precompile.as_ref(), context, inputs, &mut gas) {
        CallEnd::Finished { status, output } => {
            if let PrecompileStatus::Halt(reason) = &status
                && !reason.is_oog()
                && context.journal().depth() == 1
            {
                context.local_mut().set_precompile_error_context(reason.to_string());
            }
            let output = PrecompileOutput::from_gas_tracker(status, output, gas);
            Some(precompile_output_to_interpreter_result(output, inputs.gas_limit))
        }
        CallEnd::DatabaseFailed => Some(InterpreterResult::new(
            InstructionResult::FatalExternalError,
            Bytes::new(),
            Gas::new_spent_with_reservoir(inputs.gas_limit, inputs.reservoir),
        )),
    }
}

fn call<CTX>(precompile: &dyn ChainPrecompile, context: &mut CTX, inputs: &CallInputs, gas: &mut GasTracker) -> CallEnd
where
    CTX: ContextTr<Cfg: Cfg<Spec = SpecId>>,
{
    let address = inputs.bytecode_address;
    let is_direct =
        matches!(inputs.scheme, CallScheme::Call | CallScheme::StaticCall) && inputs.target_address == address;
    if !is_direct {
        return CallEnd::halt(PrecompileHalt::other_static("chain precompile called with another account's identity"));
    }

    let input = inputs.input.bytes(context);
    if !gas.record_regular_cost(precompile.required_gas(&input)) {
        return CallEnd::halt(PrecompileHalt::OutOfGas);
    }

    let declared = precompile.declared_accesses(&input, inputs.caller);
    let call = ChainCall {
        input: &input,
        address,
        caller: inputs.caller,
        value: inputs.value.get(),
        is_static: inputs.is_static,
        gas_limit: inputs.gas_limit,
    };
    let mut state = JournalAccess::new(context, &declared, address, inputs.is_static, *gas);
    let result = precompile.run(&call, &mut state);
    let (remaining, failure) = state.into_outcome();
    *gas = remaining;

    // A refused access decides the call even if the precompile made nothing of it.
    let result = match failure {
        Some(failure) => Err(ChainPrecompileError::Access(failure)),
        None => result,
    };
    match result {
        Ok(output) => CallEnd::Finished { status: PrecompileStatus::Success, output },
        Err(ChainPrecompileError::Revert(output)) => CallEnd::Finished { status: PrecompileStatus::Revert, output },
        Err(ChainPrecompileError::Halt(reason)) => CallEnd::halt(PrecompileHalt::Other(reason)),
        Err(ChainPrecompileError::Access(AccessError::OutOfGas)) => CallEnd::halt(PrecompileHalt::OutOfGas),
        Err(ChainPrecompileError::Access(AccessError::Database)) if failure == Some(AccessError::Database) => {
            CallEnd::DatabaseFailed
        }
        Err(ChainPrecompileError::Access(error)) => CallEnd::halt(PrecompileHalt::other(error.to_string())),
    }
}
