//! `eth_call` and `eth_callMany`.

use super::{
    context::Overrides,
    failure::{CallFailure, output},
    request::Call,
};
use crate::{Backend, RpcError};
use alloy_eips::BlockId;
use alloy_primitives::Bytes;
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};

/// Arguments of `eth_call`.
pub(super) type CallArguments = (TransactionRequest, Option<BlockId>, Option<StateOverride>, Option<BlockOverrides>);

/// Executes a call on the state of a block and gives what it returns.
pub(super) fn call(backend: &Backend, arguments: CallArguments) -> Result<Bytes, RpcError> {
    let (request, block, state_overrides, block_overrides) = arguments;
    let overrides = Overrides { state: state_overrides.as_ref(), block: block_overrides.as_ref() };
    let result = backend.on_state(block, |context| -> Result<_, CallFailure> {
        let mut simulation = backend.simulation(context, overrides)?;
        let call = Call::new(&request, &simulation.environment, backend.options().gas_cap)?;
        Ok(simulation.run(call)?.result)
    })?;
    output(result)
}
