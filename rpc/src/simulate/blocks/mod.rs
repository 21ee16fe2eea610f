//! `eth_simulateV1`: blocks that do not exist, one after the other, with their calls.
//!
//! `request` is what is asked for and which blocks follow from that, `run` executes them, `logs` watches them, `change` is for the state root,
//! `transaction` for the hashes of transactions without signature, `reply` is what the client gets. What is not in the specification is as in geth.

mod change;
mod logs;
mod reply;
mod request;
mod run;
mod transaction;

use super::overrides::{CallBase, CallState};
use crate::{Backend, RpcError};
use alloy_eips::BlockId;
use request::{SimulateRequest, plan};
use run::Simulator;
use serde_json::Value;

/// Simulates blocks after the named one; the latest if none is named.
pub(super) fn simulate(
    backend: &Backend,
    arguments: (SimulateRequest, Option<BlockId>),
) -> Result<Vec<Value>, RpcError> {
    let (request, block) = arguments;
    backend.on_state(block, |context| {
        let header = context.header;
        let blocks = plan(request.block_state_calls.clone(), header.number, header.timestamp)?;
        let base = context.state.snapshot()?;
        let state = CallState::new(CallBase(context.state));
        let options = backend.options();
        let start = (state, base, header);
        let mut simulator =
            Simulator::new(backend.chain().spec(), start, &request, options.gas_cap, backend.deadline());
        let full = request.return_full_transactions;
        blocks.iter().map(|block| Ok(simulator.run(block)?.reply(full)?)).collect()
    })
}
