//! `eth_createAccessList`: which accounts and slots a transaction touches.
//!
//! With an access list the gas left is another one, so a contract may take another way and touch something else: the transaction is executed with
//! what was found so far until nothing is new.

use super::{
    context::{Overrides, Simulation},
    evm::Checks,
    failure::{Attempt, CallFailure, NotExecuted, describe_halt},
    request::Call,
};
use crate::{Backend, RpcError};
use alloy_eips::{BlockId, eip2930::AccessList};
use alloy_primitives::U64;
use alloy_rpc_types_eth::{AccessListResult, TransactionRequest, state::StateOverride};
use revm::{
    Database,
    context::TransactionType,
    context_interface::result::{ExecutionResult, ResultAndState},
};
use revm_inspectors::access_list::AccessListInspector;

/// Arguments of `eth_createAccessList`.
pub(super) type AccessListArguments = (TransactionRequest, Option<BlockId>, Option<StateOverride>);

/// The access list of a transaction, and the gas it uses with it.
pub(super) fn create(backend: &Backend, arguments: AccessListArguments) -> Result<AccessListResult, RpcError> {
    let (request, block, state_overrides) = arguments;
    let overrides = Overrides { state: state_overrides.as_ref(), block: None };
    backend.on_state(block, |context| {
        let mut simulation = backend.simulation(context, overrides)?;
        let mut call = Call::new(&request, &simulation.environment, backend.options().gas_cap)?;
        let sender = simulation.state.basic(call.transaction.caller)?.unwrap_or_default();
        if request.nonce.is_none() {
            call.transaction.nonce = sender.nonce;
        }
        call.limit_gas_to(sender.balance);
        iterate(&mut simulation, call)
    })
}

fn iterate(simulation: &mut Simulation, mut call: Call) -> Result<AccessListResult, CallFailure> {
    if call.transaction.tx_type == TransactionType::Legacy as u8 {
        call.transaction.tx_type = TransactionType::Eip2930 as u8;
    }
    let attempt = Attempt::new(&call.transaction, simulation.environment.block_env.basefee);
    let given = std::mem::take(&mut call.transaction.access_list);
    let mut evm = simulation.evm_with(&call, AccessListInspector::default());
    let mut list = given;
    loop {
        *evm.inspector() = AccessListInspector::new(list.clone());
        call.transaction.access_list.clone_from(&list);
        let result = evm.inspect(call.transaction.clone(), Checks::CALL);
        let ResultAndState { result, .. } = result.map_err(|error| NotExecuted::from(error).into_failure(&attempt))?;
        let found = evm.inspector().access_list();
        // Of what was given some may not be worth a place in the list: the sender, the recipient, precompiles.
        if is_same(&found, &list) {
            return Ok(AccessListResult {
                access_list: found,
                gas_used: U64::from(result.tx_gas_used()).to(),
                error: error(&result),
            });
        }
        list = found;
    }
}

fn is_same(found: &AccessList, before: &AccessList) -> bool {
    let mut before = before.clone();
    before.sort();
    before.0.iter_mut().for_each(|item| item.storage_keys.sort_unstable());
    *found == before
}

fn error(result: &ExecutionResult) -> Option<String> {
    match result {
        ExecutionResult::Success { .. } => None,
        ExecutionResult::Revert { .. } => Some("execution reverted".to_owned()),
        ExecutionResult::Halt { reason, .. } => Some(describe_halt(reason)),
    }
}
