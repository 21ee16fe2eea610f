//! Transactions that are executed and not kept: `eth_call`, `eth_estimateGas`, `eth_createAccessList`, `eth_simulateV1`, …
//!
//! * `request` turns what clients send into a transaction for the EVM, with the defaults of geth; `overrides` makes state and block as they
//!   are wanted; `context` puts them together; `failure` has the words for what goes wrong.
//! * `evm` is the EVM: revm's, with the checks that a call may skip and a `time_limit`.
//! * `call`, `estimate`, `access_list`, `bundles` and `blocks` are the methods.

mod access_list;
mod blocks;
mod bundles;
mod call;
mod context;
mod estimate;
mod evm;
mod failure;
mod overrides;
mod request;
mod time_limit;

pub(crate) use context::{Overrides, Simulation};
pub(crate) use evm::{CallEvmContext, Checks};
pub(crate) use failure::{Attempt, CallFailure, NotExecuted};
pub(crate) use overrides::{CallBase, CallState, apply_block, apply_state, precompiles};
pub(crate) use request::Call;

#[cfg(test)]
mod tests;

use crate::MethodSet;

pub(crate) use estimate::{estimate_request, estimate_request_at};

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    methods.brief(
        "eth_call(transaction: TransactionRequest, block?: BlockId, stateOverrides?: StateOverride, blockOverrides?: BlockOverrides) -> Bytes",
        "Executes a call without keeping it, and gives what it returns.",
        call::call_briefly,
        call::call,
    );
    methods.brief(
        "eth_estimateGas(transaction: TransactionRequest, block?: BlockId, stateOverrides?: StateOverride, blockOverrides?: BlockOverrides) -> Quantity",
        "The gas limit that a transaction needs, in gas; in the next block unless another one is named.",
        estimate::estimate_briefly,
        estimate::estimate_gas,
    );
    methods.slow(
        "eth_simulateV1(payload: SimulatePayload, block?: BlockId) -> SimulatedBlock[]",
        "Executes calls in blocks that do not exist, one after the other.",
        blocks::simulate,
    );
    methods.slow(
        "eth_createAccessList(transaction: TransactionRequest, block?: BlockId, stateOverrides?: StateOverride) -> AccessListResult",
        "The accounts and slots that a transaction touches, and the gas it uses when they are in its access list.",
        access_list::create,
    );
    methods.slow(
        "eth_callMany(bundles: Bundle[], place?: StateContext, stateOverrides?: StateOverride) -> CallResponse[][]",
        "Executes bundles of calls, each call on what those before it left behind.",
        bundles::call_many,
    );
}
