//! `eth_estimateGas`, as geth searches.
//!
//! The transaction is tried with all gas that it may have. If that succeeds, the answer lies between what it used and that; a first guess adds to
//! what it used what EIP-150 holds back and the stipend, and then the interval is halved until it is as small as 1.5 % of the answer.

use super::{
    call::{CallArguments, is_simple, prepare},
    context::Simulation,
    evm::{CallEvm, Checks},
    failure::{Attempt, CallFailure, NotExecuted, output},
    overrides::CallState,
    request::{Call, CannotPay, NO_GAS_CAP},
    time_limit::Deadline,
};
use crate::{Backend, RpcError, block_id::CallContext, error::INVALID_PARAMS};
use alloy_eips::{BlockId, BlockNumberOrTag, eip7825::MAX_TX_GAS_LIMIT_OSAKA};
use alloy_primitives::{TxKind, U64};
use alloy_rpc_types_eth::TransactionRequest;
use revm::{
    Database,
    context_interface::result::{ExecutionResult, HaltReason, InvalidTransaction},
    primitives::hardfork::SpecId,
};

/// Gas of a transaction that does nothing.
const TRANSACTION_GAS: u64 = 21_000;
/// What a call with value gets for free (EIP-150).
const CALL_STIPEND: u64 = 2_300;
/// How far the answer may be from the smallest, as a part of it.
const ERROR_RATIO: f64 = 0.015;

const PENDING: BlockId = BlockId::Number(BlockNumberOrTag::Pending);

/// The least gas limit, nearly, with which a transaction succeeds.
pub(super) fn estimate_gas(backend: &Backend, arguments: &CallArguments) -> Result<U64, RpcError> {
    let estimate = |context| run(backend, context, arguments, backend.deadline());
    let gas = match arguments.1 {
        Some(block) => backend.on_state(Some(block), estimate)?,
        // The next block has another time and base fee than the last one, and that is where the transaction will be.
        None => match backend.on_next_block(estimate) {
            Err(error) if may_build_on_what_waits(backend, &error) => backend.on_state(Some(PENDING), estimate)?,
            result => result?,
        },
    };
    Ok(U64::from(gas))
}

/// The same within a moment, for what is simple.
pub(super) fn estimate_briefly(backend: &Backend, arguments: &CallArguments) -> Option<Result<U64, RpcError>> {
    if !is_simple(arguments) {
        return None;
    }
    let block = &arguments.1;
    let estimate = |context| run(backend, context, arguments, Deadline::brief());
    let gas = match block {
        Some(block) => backend.briefly_on_state(Some(*block), estimate)?,
        None => backend.briefly_on_next_block(estimate)?,
    };
    match gas {
        Err(error) if block.is_none() && may_build_on_what_waits(backend, &error) => None,
        gas => Some(gas.map(U64::from)),
    }
}

/// A transaction for which no block is named may build on those that wait. That is looked at only when it fails without them, because a block has to be executed
/// for it.
fn may_build_on_what_waits(backend: &Backend, error: &RpcError) -> bool {
    error.code != INVALID_PARAMS && backend.has_pending_block()
}

fn run(
    backend: &Backend,
    context: CallContext,
    arguments: &CallArguments,
    deadline: Deadline,
) -> Result<u64, CallFailure> {
    let (mut simulation, call) = prepare(backend, context, arguments, deadline)?;
    estimate(&mut simulation, call, backend.options().gas_cap)
}

/// The least gas limit, nearly, with which a transaction succeeds in the next block, in gas.
pub(crate) fn estimate_request(backend: &Backend, request: TransactionRequest) -> Result<u64, RpcError> {
    estimate_gas(backend, &(request, None, None, None)).map(|gas| gas.to())
}

/// The same on the state of a block.
pub(crate) fn estimate_request_at(
    backend: &Backend,
    request: TransactionRequest,
    block: BlockId,
) -> Result<u64, RpcError> {
    estimate_gas(backend, &(request, Some(block), None, None)).map(|gas| gas.to())
}

/// The least gas limit, nearly, with which a call succeeds. `gas_cap` is the most that may be tried; zero is no limit.
pub(crate) fn estimate(simulation: &mut Simulation, call: Call, gas_cap: u64) -> Result<u64, CallFailure> {
    let mut high = highest(simulation, &call)?;
    high = high.min(if gas_cap == 0 { NO_GAS_CAP } else { gas_cap });
    let is_plain_transfer = call.transaction.data.is_empty()
        && match call.transaction.kind {
            TxKind::Call(to) => !has_code(simulation, to)?,
            TxKind::Create => false,
        };
    let base_fee = simulation.environment.block_env.basefee;
    let mut search = Search { evm: simulation.evm(&call), call, base_fee };
    if is_plain_transfer && high >= TRANSACTION_GAS {
        // Access lists and authorizations cost more than that, so it is tried.
        if let Ok(Trial::Succeeded { .. }) = search.run(TRANSACTION_GAS) {
            return Ok(TRANSACTION_GAS);
        }
    }
    let exceeds = || RpcError::server(format!("gas required exceeds allowance ({high})"));
    let (used, spent) = match search.run(high)? {
        Trial::Succeeded { used, spent } => (used, spent),
        Trial::NeedsMore | Trial::Failed(ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. }) => {
            return Err(exceeds().into());
        }
        Trial::Failed(result) => {
            output(result)?;
            return Err(RpcError::internal("a failed call has no error").into());
        }
    };
    let mut low = used.saturating_sub(1);
    let guess = (spent + CALL_STIPEND).saturating_mul(64) / 63;
    if guess < high {
        match search.run(guess)? {
            Trial::Succeeded { .. } => high = guess,
            _ => low = guess,
        }
    }
    while low + 1 < high {
        if (high - low) as f64 / (high as f64) < ERROR_RATIO {
            break;
        }
        // Most transactions need little more than what they used.
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
        match search.run(middle)? {
            Trial::Succeeded { .. } => high = middle,
            _ => low = middle,
        }
    }
    Ok(high)
}

/// Most gas that the transaction can have: what was asked for, or what a block has; what a transaction may have (EIP-7825); what can be paid.
fn highest(simulation: &mut Simulation, call: &Call) -> Result<u64, CallFailure> {
    let mut high = simulation.environment.block_env.gas_limit;
    if call.gas_was_given && call.transaction.gas_limit >= TRANSACTION_GAS {
        high = call.transaction.gas_limit;
    }
    // From Amsterdam on the limit is one of the regular gas only (EIP-8037).
    let spec = *simulation.environment.spec_id();
    if spec.is_enabled_in(SpecId::OSAKA) && !spec.is_enabled_in(SpecId::AMSTERDAM) {
        high = high.min(MAX_TX_GAS_LIMIT_OSAKA);
    }
    if call.fees.cap > 0 {
        let balance = simulation.balance(call.transaction.caller)?;
        match call.affordable_gas(balance) {
            Ok(Some(gas)) => high = high.min(gas),
            Ok(None) => {}
            Err(CannotPay::Value) => return Err(RpcError::server("insufficient funds for transfer").into()),
            Err(CannotPay::Blobs) => {
                return Err(RpcError::server("insufficient funds for gas * price + value").into());
            }
        }
    }
    Ok(high)
}

fn has_code(simulation: &mut Simulation, address: alloy_primitives::Address) -> Result<bool, CallFailure> {
    let is_precompile = match &mut simulation.precompiles {
        Some(moved) => moved.get(&address).is_some(),
        None => super::overrides::precompiles(*simulation.environment.spec_id()).get(&address).is_some(),
    };
    Ok(is_precompile || simulation.state.basic(address)?.is_some_and(|account| !account.is_empty_code_hash()))
}

struct Search<'a> {
    evm: CallEvm<&'a mut CallState>,
    call: Call,
    base_fee: u64,
}

enum Trial {
    Succeeded {
        /// Gas that was used after refunds.
        used: u64,
        /// Gas that was used before them.
        spent: u64,
    },
    /// The gas does not even do for the data.
    NeedsMore,
    Failed(ExecutionResult),
}

impl Search<'_> {
    fn run(&mut self, gas_limit: u64) -> Result<Trial, CallFailure> {
        self.call.transaction.gas_limit = gas_limit;
        let attempt = Attempt::new(&self.call.transaction, self.base_fee);
        match self.evm.transact(self.call.transaction.clone(), Checks::CALL).map_err(NotExecuted::from) {
            Ok(outcome) => Ok(match outcome.result {
                ExecutionResult::Success { gas, .. } => {
                    Trial::Succeeded { used: gas.tx_gas_used(), spent: gas.total_gas_spent().max(gas.floor_gas()) }
                }
                failed => Trial::Failed(failed),
            }),
            Err(NotExecuted::Invalid(
                InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
                | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
            )) => Ok(Trial::NeedsMore),
            Err(NotExecuted::Invalid(invalid)) => {
                let message = format!("failed with {gas_limit} gas: {}", attempt.describe(&invalid));
                Err(RpcError::server(message).into())
            }
            Err(NotExecuted::Failed(failure)) => Err(failure),
        }
    }
}
