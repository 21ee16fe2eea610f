//! The EVM in which calls run: revm's, with the checks of a transaction that a call may skip, and with a time limit.
//!
//! [`CallEvm`] is used like any EVM: made over a database, fed with transactions ([`CallEvm::transact`]), each of which gives its result and
//! what it changed without committing it. Tracers come in as inspectors. Which checks are made is said by [`Checks`].

use super::time_limit::{Deadline, install};
use alloy_evm::{Database, EvmEnv, precompiles::PrecompilesMap};
use alloy_primitives::{Address, map::AddressSet};
use revm::{
    Context, Inspector, MainBuilder, MainContext,
    context::{BlockEnv, CfgEnv, ContextSetters, Evm, Journal, TxEnv},
    context_interface::{
        Cfg, ContextTr, JournalTr,
        journaled_state::account::JournaledAccountTr,
        result::{EVMError, ExecutionResult, HaltReason, ResultAndState},
    },
    handler::{
        EthFrame, EthPrecompiles, Handler, PrecompileProvider, instructions::EthInstructions,
        pre_execution::validate_against_state_and_deduct_caller, validation::validate_env,
    },
    inspector::{InspectorHandler, NoOpInspector},
    interpreter::{CallInputs, InitialAndFloorGas, InterpreterResult, interpreter::EthInterpreter},
    precompile::Precompiles,
    primitives::hardfork::SpecId,
};
use std::marker::PhantomData;

/// What the EVM of calls works on; an inspector sees it.
pub(crate) type CallEvmContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Journal<DB>, Deadline>;

type Inner<DB, I> = Evm<
    CallEvmContext<DB>,
    I,
    EthInstructions<EthInterpreter, CallEvmContext<DB>>,
    CallPrecompiles,
    EthFrame<EthInterpreter>,
>;

/// Which checks of a transaction are made beside those that revm always makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checks {
    /// The fee of the transaction covers the base fee.
    pub(crate) base_fee: bool,
    /// The nonce is the sender's.
    pub(crate) nonce: bool,
}

impl Checks {
    /// Those of `eth_call`: a fee that is given has to cover the base fee (without one, the caller of the EVM sets the base fee to zero).
    pub(crate) const CALL: Self = Self { base_fee: true, nonce: false };
}

/// An EVM for calls over a database. Senders may have code (EIP-3607), and the gas limit of a transaction may be above that of the block and of
/// transactions (EIP-7825).
pub(crate) struct CallEvm<DB: Database, I = NoOpInspector> {
    inner: Inner<DB, I>,
}

impl<DB: Database, I: Inspector<CallEvmContext<DB>>> CallEvm<DB, I> {
    /// An EVM. The inspector watches the transactions that run by [`inspect`](Self::inspect).
    pub(crate) fn new(
        db: DB,
        mut environment: EvmEnv,
        precompiles: PrecompilesMap,
        deadline: Deadline,
        inspector: I,
    ) -> Self {
        let rules = &mut environment.cfg_env;
        rules.tx_gas_limit_cap = Some(u64::MAX);
        rules.disable_block_gas_limit = true;
        rules.disable_eip3607 = true;
        let precompiles = CallPrecompiles { set: precompiles, fork: EthPrecompiles::new(rules.spec).precompiles };
        let context = Context::mainnet()
            .with_block(environment.block_env)
            .with_cfg(environment.cfg_env)
            .with_chain(deadline)
            .with_db(db);
        let mut inner = context.build_mainnet_with_inspector(inspector).with_precompiles(precompiles);
        install(&mut inner.instruction);
        Self { inner }
    }

    /// Executes a transaction; nothing is committed.
    pub(crate) fn transact(
        &mut self,
        transaction: TxEnv,
        checks: Checks,
    ) -> Result<ResultAndState, EVMError<DB::Error>> {
        self.prepare(transaction, checks);
        let result = CallHandler(PhantomData).run(&mut self.inner);
        self.finish(result)
    }

    /// Executes a transaction under the eyes of the inspector; nothing is committed.
    pub(crate) fn inspect(
        &mut self,
        transaction: TxEnv,
        checks: Checks,
    ) -> Result<ResultAndState, EVMError<DB::Error>> {
        self.prepare(transaction, checks);
        let result = CallHandler(PhantomData).inspect_run(&mut self.inner);
        self.finish(result)
    }

    fn prepare(&mut self, transaction: TxEnv, checks: Checks) {
        self.inner.ctx.cfg.disable_base_fee = !checks.base_fee;
        self.inner.ctx.cfg.disable_nonce_check = !checks.nonce;
        self.inner.ctx.set_tx(transaction);
    }

    fn finish(
        &mut self,
        result: Result<ExecutionResult, EVMError<DB::Error>>,
    ) -> Result<ResultAndState, EVMError<DB::Error>> {
        let state = self.inner.ctx.journaled_state.finalize();
        Ok(ResultAndState { result: result?, state })
    }

    /// The inspector.
    pub(crate) const fn inspector(&mut self) -> &mut I {
        &mut self.inner.inspector
    }

    /// The precompiles, for another EVM.
    pub(crate) fn into_precompiles(self) -> PrecompilesMap {
        self.inner.precompiles.set
    }

    /// The database.
    pub(crate) const fn db(&mut self) -> &mut DB {
        &mut self.inner.ctx.journaled_state.database
    }
}

/// Precompiles of which some may be moved or gone. Warm from the start (EIP-2929) are nevertheless the addresses that the fork says, as in geth.
struct CallPrecompiles {
    set: PrecompilesMap,
    fork: &'static Precompiles,
}

impl<DB: Database> PrecompileProvider<CallEvmContext<DB>> for CallPrecompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: SpecId) -> bool {
        PrecompileProvider::<CallEvmContext<DB>>::set_spec(&mut self.set, spec)
    }

    fn run(&mut self, context: &mut CallEvmContext<DB>, inputs: &CallInputs) -> Result<Option<Self::Output>, String> {
        if self.set.get(&inputs.bytecode_address).is_some() {
            context.chain.before_precompile(number(&inputs.bytecode_address), inputs.input.len())?;
        }
        self.set.run(context, inputs)
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.fork.addresses_set()
    }

    fn contains(&self, address: &Address) -> bool {
        PrecompileProvider::<CallEvmContext<DB>>::contains(&self.set, address)
    }
}

/// The number of a precompile that is at one of the lowest addresses.
fn number(address: &Address) -> Option<u8> {
    let (last, zeros) = address.split_last()?;
    zeros.iter().all(|byte| *byte == 0).then_some(*last)
}

/// The steps of a transaction as revm takes them, but where nonces are not checked the largest one is like any other: it wraps around, as in
/// geth.
struct CallHandler<DB, I>(PhantomData<(DB, I)>);

impl<DB: Database, I> Handler for CallHandler<DB, I> {
    type Evm = Inner<DB, I>;
    type Error = EVMError<DB::Error>;
    type HaltReason = HaltReason;

    fn validate_env(&self, evm: &mut Self::Evm) -> Result<(), Self::Error> {
        if !evm.ctx.cfg.is_nonce_check_disabled() {
            return validate_env(&mut evm.ctx);
        }
        let nonce = std::mem::take(&mut evm.ctx.tx.nonce);
        let result = validate_env(&mut evm.ctx);
        evm.ctx.tx.nonce = nonce;
        result
    }

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut Self::Evm,
        _gas: &mut InitialAndFloorGas,
    ) -> Result<(), Self::Error> {
        let context = &mut evm.ctx;
        let sender = context.tx.caller;
        let wraps = context.cfg.is_nonce_check_disabled()
            && context.tx.kind.is_call()
            && context.journal_mut().load_account_mut(sender)?.data.account().info.nonce == u64::MAX;
        validate_against_state_and_deduct_caller::<_, Self::Error>(context)?;
        if wraps {
            context.journal_mut().load_account_mut(sender)?.data.set_nonce(0);
        }
        Ok(())
    }
}

impl<DB: Database, I: Inspector<CallEvmContext<DB>>> InspectorHandler for CallHandler<DB, I> {
    type IT = EthInterpreter;
}
