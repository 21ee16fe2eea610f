//! `eth_callMany`: bundles of calls, each call on what those before it left behind.

use super::{
    context::{Overrides, Simulation},
    evm::{CallEvm, Checks},
    failure::{Attempt, CallFailure, NotExecuted, output},
    overrides::{apply_to_environment, precompiles},
    request::Call,
};
use crate::{Backend, RpcError};
use alloy_eips::BlockId;
use alloy_evm::FromRecoveredTx;
use alloy_primitives::U256;
use alloy_rpc_types_eth::{
    BlockOverrides, Bundle, EthCallResponse, StateContext, TransactionIndex, state::StateOverride,
};
use revm::{DatabaseCommit, context::TxEnv, inspector::NoOpInspector};

/// Arguments of `eth_callMany`.
pub(super) type BundleArguments = (Vec<Bundle>, Option<StateContext>, Option<StateOverride>);

/// Executes bundles after a block, or after some of its transactions; each bundle is a block of its own, with the next number and 12 seconds later.
pub(super) fn call_many(backend: &Backend, arguments: BundleArguments) -> Result<Vec<Vec<EthCallResponse>>, RpcError> {
    let (bundles, place, state_overrides) = arguments;
    if bundles.is_empty() {
        return Err(RpcError::invalid_params("bundles are empty"));
    }
    let StateContext { block_number, transaction_index } = place.unwrap_or_default();
    let overrides = Overrides { state: state_overrides.as_ref(), block: None };
    // With an index below the last one the state is that in the middle of the block: the parent's with the first transactions.
    let within = match transaction_index.unwrap_or_default() {
        TransactionIndex::All => None,
        TransactionIndex::Index(index) => Some(index),
    };
    let block = block_number.unwrap_or_default();
    let mut state_at = block;
    let mut replayed = None;
    if let Some(index) = within {
        let named = backend.required_block(Some(block))?;
        if index < named.transactions().len() && named.number() > 0 {
            state_at = BlockId::hash(named.header().parent_hash);
            replayed = Some((named, index));
        }
    }
    backend.on_state(Some(state_at), |context| {
        let header = replayed.as_ref().map_or_else(|| context.header.clone(), |(block, _)| block.header().clone());
        let mut simulation = backend.simulation(context, Overrides::default())?;
        simulation.environment = backend.chain().spec().evm_env(&header);
        if let Some((block, index)) = &replayed {
            let senders = backend.chain().block_senders(block).map_err(RpcError::from)?;
            let count = index.saturating_add(1);
            let transactions = block.transactions().iter().zip(senders).take(count);
            replay(&mut simulation, transactions.map(|(tx, sender)| TxEnv::from_recovered_tx(tx, *sender)))?;
        }
        if let Some(wanted) = overrides.state {
            let mut set = precompiles(*simulation.environment.spec_id());
            super::overrides::apply_state(wanted, &mut simulation.state, &mut set)?;
            simulation.precompiles = Some(set);
        }
        let mut replies = Vec::with_capacity(bundles.len());
        for bundle in &bundles {
            replies.push(one(backend, &mut simulation, bundle)?);
            let block = &mut simulation.environment.block_env;
            block.number = block.number.saturating_add(U256::ONE);
            block.timestamp = block.timestamp.saturating_add(U256::from(12));
        }
        Ok(replies)
    })
}

fn replay(simulation: &mut Simulation, transactions: impl Iterator<Item = TxEnv>) -> Result<(), CallFailure> {
    let environment = simulation.environment.clone();
    let set = precompiles(*environment.spec_id());
    let mut evm = CallEvm::new(&mut simulation.state, environment, set, simulation.deadline, NoOpInspector);
    for transaction in transactions {
        let outcome = evm.transact(transaction, Checks { base_fee: true, nonce: true });
        let outcome = outcome.map_err(|error| match NotExecuted::from(error) {
            NotExecuted::Failed(failure) => failure,
            NotExecuted::Invalid(invalid) => {
                RpcError::internal(format!("a transaction of the block: {invalid}")).into()
            }
        })?;
        evm.db().commit(outcome.state);
    }
    Ok(())
}

fn one(backend: &Backend, simulation: &mut Simulation, bundle: &Bundle) -> Result<Vec<EthCallResponse>, CallFailure> {
    if let Some(wanted) = &bundle.block_override {
        override_block(simulation, wanted);
    }
    let mut replies = Vec::with_capacity(bundle.transactions.len());
    for request in &bundle.transactions {
        if simulation.deadline.is_over() {
            return Err(CallFailure::TimeIsOver(simulation.deadline.message()));
        }
        let mut call = Call::new(request, &simulation.environment, backend.options().gas_cap)?;
        let balance = simulation.balance(call.transaction.caller)?;
        call.limit_gas_to(balance);
        let attempt = Attempt::new(&call.transaction, simulation.environment.block_env.basefee);
        let set = simulation.take_precompiles();
        let mut environment = simulation.environment.clone();
        call.fees.lower_base_fees(&mut environment);
        let mut evm = CallEvm::new(&mut simulation.state, environment, set, simulation.deadline, NoOpInspector);
        let reply = match evm.transact(call.transaction, Checks::CALL).map_err(NotExecuted::from) {
            Ok(outcome) => {
                evm.db().commit(outcome.state);
                output(outcome.result)
            }
            Err(error) => Err(match error.into_failure(&attempt) {
                outdated @ CallFailure::Outdated(_) => return Err(outdated),
                told => told.into(),
            }),
        };
        simulation.precompiles = Some(evm.into_precompiles());
        replies.push(match reply {
            Ok(value) => EthCallResponse { value: Some(value), error: None },
            Err(error) => EthCallResponse { value: None, error: Some(error.message) },
        });
    }
    Ok(replies)
}

fn override_block(simulation: &mut Simulation, wanted: &BlockOverrides) {
    let block = &mut simulation.environment.block_env;
    if let Some(number) = wanted.number {
        block.number = number;
    }
    if let Some(time) = wanted.time {
        block.timestamp = U256::from(time);
    }
    if let Some(gas_limit) = wanted.gas_limit {
        block.gas_limit = gas_limit;
    }
    if let Some(beneficiary) = wanted.coinbase {
        block.beneficiary = beneficiary;
    }
    if let Some(base_fee) = wanted.base_fee {
        block.basefee = base_fee.saturating_to();
    }
    apply_to_environment(wanted, &mut simulation.environment);
    let hashes = wanted.block_hash.iter().flatten();
    simulation.state.cache.block_hashes.extend(hashes.map(|(number, hash)| (U256::from(*number), *hash)));
}
