//! What a call runs on, made ready: state, block, precompiles and limits.

use super::{
    evm::{CallEvm, Checks},
    failure::{Attempt, CallFailure, NotExecuted},
    overrides::{CallBase, CallState, apply_block, apply_state, precompiles},
    request::Call,
    time_limit::Deadline,
};
use crate::{Backend, RpcError, block_id::CallContext};
use alloy_eips::BlockId;
use alloy_evm::{EvmEnv, precompiles::PrecompilesMap};
use alloy_primitives::{Address, U256};
use alloy_rpc_types_eth::{BlockOverrides, state::StateOverride};
use braid_chain::StateView;
use revm::{Database, context_interface::result::ResultAndState, inspector::NoOpInspector};

/// What a client wants to be different from the chain.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Overrides<'a> {
    pub(crate) state: Option<&'a StateOverride>,
    pub(crate) block: Option<&'a BlockOverrides>,
}

/// What calls run on. Calls do not change it unless they are committed.
pub(crate) struct Simulation {
    /// The state, with the overrides in it.
    pub(crate) state: CallState,
    /// The block, as the EVM sees it.
    pub(crate) environment: EvmEnv,
    /// Precompiles; without overrides those of the fork.
    pub(crate) precompiles: Option<PrecompilesMap>,
    /// When all calls have to be at their end.
    pub(crate) deadline: Deadline,
}

impl Backend {
    /// Runs something on the state of a block; once more if blocks were written meanwhile.
    pub(crate) fn on_state<T>(
        &self,
        block: Option<BlockId>,
        run: impl Fn(CallContext) -> Result<T, CallFailure>,
    ) -> Result<T, RpcError> {
        twice(|| self.call_context(block), run)
    }

    /// The same on the state of the head, in the next block.
    pub(crate) fn on_next_block<T>(&self, run: impl Fn(CallContext) -> Result<T, CallFailure>) -> Result<T, RpcError> {
        twice(|| self.next_context(), run)
    }

    /// Tries to run something within a moment, on the thread that asks. Nothing if it takes longer, or if something is not at hand: then it has to be
    /// done where it keeps nobody waiting.
    pub(crate) fn briefly_on_state<T>(
        &self,
        block: Option<BlockId>,
        run: impl FnOnce(CallContext) -> Result<T, CallFailure>,
    ) -> Option<Result<T, RpcError>> {
        if !self.is_at_hand(block) {
            return None;
        }
        briefly(self.call_context(block), run)
    }

    /// The same on the state of the head, in the next block.
    pub(crate) fn briefly_on_next_block<T>(
        &self,
        run: impl FnOnce(CallContext) -> Result<T, CallFailure>,
    ) -> Option<Result<T, RpcError>> {
        briefly(self.next_context(), run)
    }

    /// Makes a simulation ready.
    pub(crate) fn simulation(&self, context: CallContext, overrides: Overrides<'_>) -> Result<Simulation, CallFailure> {
        let CallContext { state, header, mut environment } = context;
        let mut state = CallState::new(CallBase(state));
        if let Some(wanted) = overrides.block {
            environment = apply_block(wanted, &header, self.chain().spec(), &mut state)?;
        }
        let mut moved = None;
        if let Some(wanted) = overrides.state.filter(|wanted| !wanted.is_empty()) {
            let mut set = precompiles(*environment.spec_id());
            apply_state(wanted, &mut state, &mut set)?;
            moved = Some(set);
        }
        Ok(Simulation { state, environment, precompiles: moved, deadline: self.deadline() })
    }

    /// When a call that begins now has to end.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(self.options().call_timeout)
    }
}

fn briefly<T>(
    context: Result<CallContext, RpcError>,
    run: impl FnOnce(CallContext) -> Result<T, CallFailure>,
) -> Option<Result<T, RpcError>> {
    let context = match context {
        Ok(context) if matches!(context.state, StateView::Recent(_)) => context,
        // Each value of an older state is searched for in the history.
        Ok(_) => return None,
        Err(error) => return Some(Err(error)),
    };
    match run(context) {
        Err(CallFailure::Outdated(_) | CallFailure::TimeIsOver(_)) => None,
        result => Some(result.map_err(RpcError::from)),
    }
}

fn twice<T>(
    context: impl Fn() -> Result<CallContext, RpcError>,
    run: impl Fn(CallContext) -> Result<T, CallFailure>,
) -> Result<T, RpcError> {
    match run(context()?) {
        Err(CallFailure::Outdated(_)) => Ok(run(context()?)?),
        result => Ok(result?),
    }
}

impl Simulation {
    /// Balance of an account, in wei.
    pub(crate) fn balance(&mut self, address: Address) -> Result<U256, CallFailure> {
        Ok(self.state.basic(address)?.map_or(U256::ZERO, |account| account.balance))
    }

    /// The precompiles, for one EVM.
    pub(crate) fn take_precompiles(&mut self) -> PrecompilesMap {
        self.precompiles.take().unwrap_or_else(|| precompiles(*self.environment.spec_id()))
    }

    /// An EVM for a call, which pays no base fee if it has no price. The moved precompiles go with it.
    pub(crate) fn evm(&mut self, call: &Call) -> CallEvm<&mut CallState> {
        self.evm_with(call, NoOpInspector)
    }

    /// The same with an inspector.
    pub(crate) fn evm_with<'a, I>(&'a mut self, call: &Call, inspector: I) -> CallEvm<&'a mut CallState, I>
    where
        I: revm::Inspector<super::evm::CallEvmContext<&'a mut CallState>>,
    {
        let mut environment = self.environment.clone();
        call.fees.lower_base_fees(&mut environment);
        let set = self.take_precompiles();
        CallEvm::new(&mut self.state, environment, set, self.deadline, inspector)
    }

    /// Executes a call without keeping what it changes.
    pub(crate) fn run(&mut self, mut call: Call) -> Result<ResultAndState, CallFailure> {
        if call.fees.cap > 0 {
            let balance = self.balance(call.transaction.caller)?;
            call.limit_gas_to(balance);
        }
        let attempt = Attempt::new(&call.transaction, self.environment.block_env.basefee);
        let result = self.evm(&call).transact(call.transaction, Checks::CALL);
        result.map_err(|error| NotExecuted::from(error).into_failure(&attempt))
    }
}
