//! Calls with an inspector, on the state after a block or in the middle of it.

use super::{Limits, ReplayError, Transacted, call_state};
use crate::{
    Backend,
    simulate::{
        Attempt, Call, CallState, Checks, NotExecuted, Overrides, Simulation, apply_block, apply_state, precompiles,
    },
};
use alloy_consensus::Header;
use alloy_eips::BlockId;
use alloy_evm::EvmEnv;
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest};
use revm::{DatabaseCommit, Inspector, state::EvmState};

/// What an inspector of a call sees.
pub(crate) type CallContextOf<'a> = crate::simulate::CallEvmContext<&'a mut CallState>;

/// Calls that are traced, one after the other.
pub(crate) struct TracedCalls {
    simulation: Simulation,
    header: Header,
    gas_cap: u64,
    limits: Limits,
}

impl TracedCalls {
    /// On the state after a block, or before its transaction with an index.
    pub(crate) fn new(
        backend: &Backend,
        block: Option<BlockId>,
        index: Option<usize>,
        overrides: Overrides<'_>,
        limits: Limits,
    ) -> Result<Self, ReplayError> {
        let mut context = backend.call_context(block)?;
        // What is prepared here has the overrides of neither block nor state: they come above the transactions before the call.
        let header = context.header.clone();
        if index.is_some() {
            context.environment = backend.chain().spec().evm_env(&header);
        }
        let mut simulation = backend.simulation(context, Overrides::default())?;
        if let Some(index) = index {
            let block = backend.required_block(block)?;
            simulation.state = call_state(backend.chain(), &block, index, limits)?;
        }
        let mut traced = Self { simulation, header, gas_cap: backend.options().gas_cap, limits };
        if let Some(wanted) = overrides.block {
            traced.set_block(backend, wanted)?;
        }
        if let Some(wanted) = overrides.state.filter(|wanted| !wanted.is_empty()) {
            let mut set = precompiles(*traced.simulation.environment.spec_id());
            apply_state(wanted, &mut traced.simulation.state, &mut set)?;
            traced.simulation.precompiles = Some(set);
        }
        Ok(traced)
    }

    /// Makes the block as it is wanted, for the calls from here on.
    pub(crate) fn set_block(&mut self, backend: &Backend, wanted: &BlockOverrides) -> Result<(), ReplayError> {
        let mut environment = apply_block(wanted, &self.header, backend.chain().spec(), &mut self.simulation.state)?;
        environment.cfg_env.disable_nonce_check = true;
        environment.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        self.simulation.environment = environment;
        Ok(())
    }

    /// Executes a call; [`Self::commit`] makes its changes count. Gives the environment that it saw, too.
    pub(crate) fn inspect<I>(
        &mut self,
        request: &TransactionRequest,
        mut inspector: I,
    ) -> Result<(Transacted<I>, EvmEnv), ReplayError>
    where
        I: for<'a> Inspector<CallContextOf<'a>>,
    {
        self.limits.check()?;
        let mut call = Call::new(request, &self.simulation.environment, self.gas_cap)?;
        if call.fees.cap > 0 {
            let balance = self.simulation.balance(call.transaction.caller)?;
            call.limit_gas_to(balance);
        }
        let mut environment = self.simulation.environment.clone();
        call.fees.lower_base_fees(&mut environment);
        let attempt = Attempt::new(&call.transaction, self.simulation.environment.block_env.basefee);
        let transaction = call.transaction.clone();
        let mut watch = self.limits.watch();
        let outcome = {
            let mut evm = self.simulation.evm_with(&call, (&mut watch, &mut inspector));
            evm.inspect(transaction.clone(), Checks::CALL)
        };
        if let Some(stopped) = watch.stopped() {
            return Err(stopped);
        }
        let outcome = outcome.map_err(|error| NotExecuted::from(error).into_failure(&attempt))?;
        Ok((Transacted { environment: transaction, outcome, inspector }, environment))
    }

    /// Makes the changes of a call count for the next one.
    pub(crate) fn commit(&mut self, changes: EvmState) {
        self.simulation.state.commit(changes);
    }

    /// The state before the next call.
    pub(crate) const fn state_mut(&mut self) -> &mut CallState {
        &mut self.simulation.state
    }
}
