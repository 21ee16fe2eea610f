//! The EVM in which calls run: revm's, with the checks of a transaction that a call may skip, and with a time limit.
//!
//! [`CallEvm`] is used like any EVM: made over a database, fed with transactions ([`CallEvm::transact`]), each of which gives its result and
//! what it changed without committing it. Tracers come in as inspectors. Which checks are made is said by [`Checks`]; the checks that
//! revm itself can switch off (nonce, chain id, gas cap) are set in the environment.

use super::time_limit::{Deadline, install};
use alloy_evm::{Database, EvmEnv, precompiles::PrecompilesMap};
use revm::{
    Context, Inspector, MainBuilder, MainContext,
    context::{BlockEnv, CfgEnv, ContextSetters, Evm, Journal, TxEnv},
    context_interface::{
        Cfg, ContextTr, JournalTr, Transaction,
        journaled_state::account::JournaledAccountTr,
        result::{EVMError, HaltReason, ResultAndState},
    },
    handler::{
        EthFrame, Handler,
        instructions::EthInstructions,
        pre_execution::{calculate_caller_fee, validate_account_nonce_and_code},
        validation::validate_env,
    },
    inspector::{InspectorHandler, NoOpInspector},
    interpreter::{InitialAndFloorGas, interpreter::EthInterpreter},
};
use std::marker::PhantomData;

/// What the EVM of calls works on; an inspector sees it.
pub(crate) type CallEvmContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Journal<DB>, Deadline>;

type Inner<DB, I> = Evm<
    CallEvmContext<DB>,
    I,
    EthInstructions<EthInterpreter, CallEvmContext<DB>>,
    PrecompilesMap,
    EthFrame<EthInterpreter>,
>;

/// Which checks of a transaction are made beside those that revm always makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checks {
    /// The fee of the transaction covers the base fee.
    pub(crate) base_fee: bool,
    /// The transaction fits into the block.
    pub(crate) block_gas_limit: bool,
    /// The sender has no code (EIP-3607).
    pub(crate) sender_code: bool,
}

impl Checks {
    /// Those of a transaction in a block.
    pub(crate) const ALL: Self = Self { base_fee: true, block_gas_limit: true, sender_code: true };
    /// Those of `eth_call`: a fee that is given has to cover the base fee (without one, the caller of the EVM sets the base fee to zero).
    pub(crate) const CALL: Self = Self { base_fee: true, block_gas_limit: false, sender_code: false };
}

/// An EVM for calls over a database.
#[expect(missing_debug_implementations, reason = "revm's EVM has none")]
pub(crate) struct CallEvm<DB: Database, I = NoOpInspector> {
    inner: Inner<DB, I>,
}

impl<DB: Database> CallEvm<DB> {
    /// An EVM without inspector.
    pub(crate) fn new(db: DB, environment: EvmEnv, precompiles: PrecompilesMap, deadline: Deadline) -> Self {
        Self::with_inspector(db, environment, precompiles, deadline, NoOpInspector)
    }

    /// Executes a transaction; nothing is committed.
    pub(crate) fn transact(
        &mut self,
        transaction: TxEnv,
        checks: Checks,
    ) -> Result<ResultAndState, EVMError<DB::Error>> {
        self.inner.ctx.set_tx(transaction);
        let result = CallHandler::new(checks).run(&mut self.inner);
        self.finish(result)
    }
}

impl<DB: Database, I: Inspector<CallEvmContext<DB>>> CallEvm<DB, I> {
    /// An EVM whose transactions are watched when they run by [`inspect`](Self::inspect).
    pub(crate) fn with_inspector(
        db: DB,
        environment: EvmEnv,
        precompiles: PrecompilesMap,
        deadline: Deadline,
        inspector: I,
    ) -> Self {
        let context = Context::mainnet()
            .with_block(environment.block_env)
            .with_cfg(environment.cfg_env)
            .with_chain(deadline)
            .with_db(db);
        let mut inner = context.build_mainnet_with_inspector(inspector).with_precompiles(precompiles);
        install(&mut inner.instruction);
        Self { inner }
    }

    /// Executes a transaction under the eyes of the inspector; nothing is committed.
    pub(crate) fn inspect(
        &mut self,
        transaction: TxEnv,
        checks: Checks,
    ) -> Result<ResultAndState, EVMError<DB::Error>> {
        self.inner.ctx.set_tx(transaction);
        let result = CallHandler::new(checks).inspect_run(&mut self.inner);
        self.finish(result)
    }

    fn finish<T>(
        &mut self,
        result: Result<revm::context_interface::result::ExecutionResult<T>, EVMError<DB::Error>>,
    ) -> Result<ResultAndState<T>, EVMError<DB::Error>> {
        let state = self.inner.ctx.journaled_state.finalize();
        Ok(ResultAndState { result: result?, state })
    }

    /// The inspector.
    pub(crate) const fn inspector(&mut self) -> &mut I {
        &mut self.inner.inspector
    }

    /// The database.
    pub(crate) const fn db(&mut self) -> &mut DB {
        &mut self.inner.ctx.journaled_state.database
    }

    /// The block in which transactions run.
    pub(crate) const fn block(&mut self) -> &mut BlockEnv {
        &mut self.inner.ctx.block
    }
}

/// The steps of a transaction as revm takes them, with [`Checks`].
struct CallHandler<DB, I> {
    checks: Checks,
    types: PhantomData<(DB, I)>,
}

impl<DB, I> CallHandler<DB, I> {
    const fn new(checks: Checks) -> Self {
        Self { checks, types: PhantomData }
    }
}

impl<DB: Database, I> Handler for CallHandler<DB, I> {
    type Evm = Inner<DB, I>;
    type Error = EVMError<DB::Error>;
    type HaltReason = HaltReason;

    fn validate_env(&self, evm: &mut Self::Evm) -> Result<(), Self::Error> {
        // What is not to be checked is out of the way for the moment: the EVM has to see the real values.
        let block = evm.ctx.block.clone();
        if !self.checks.base_fee {
            evm.ctx.block.basefee = 0;
        }
        if !self.checks.block_gas_limit {
            evm.ctx.block.gas_limit = u64::MAX;
        }
        let result = validate_env(&mut evm.ctx);
        evm.ctx.block = block;
        result
    }

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut Self::Evm,
        _gas: &mut InitialAndFloorGas,
    ) -> Result<(), Self::Error> {
        let (block, tx, cfg, journal, _, _) = evm.ctx.all_mut();
        let mut caller = journal.load_account_with_code_mut(tx.caller())?.data;
        let is_code_allowed = !self.checks.sender_code;
        validate_account_nonce_and_code(
            &caller.account().info,
            tx.nonce(),
            is_code_allowed,
            cfg.is_nonce_check_disabled(),
        )?;
        let balance = calculate_caller_fee(*caller.balance(), tx, block, cfg)?;
        caller.set_balance(balance);
        if tx.kind().is_call() {
            caller.bump_nonce();
        }
        Ok(())
    }
}

impl<DB: Database, I: Inspector<CallEvmContext<DB>>> InspectorHandler for CallHandler<DB, I> {
    type IT = EthInterpreter;
}
