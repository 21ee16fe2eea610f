//! revm's mainnet handler with three steps replaced: the sender's checks, and where the fee goes.

use super::{LeanContext, LeanEvm};
use revm::{
    context::{Block, Cfg, ContextTr, Transaction, result::EVMError},
    context_interface::result::{HaltReason, InvalidTransaction},
    handler::{EvmTr, FrameResult, Handler, ItemOrResult, pre_execution::validate_account_nonce_and_code},
    interpreter::{FrameInput, InitialAndFloorGas, interpreter_action::FrameInit},
    primitives::{U256, hardfork::SpecId},
};

use crate::state::SnapshotError;

/// Why a transaction did not run to an end.
pub(crate) type LeanError = EVMError<SnapshotError, InvalidTransaction>;

/// The handler of a worker's EVM.
#[derive(Debug)]
pub(crate) struct LeanHandler<'b> {
    /// Run ahead of the commit: take the sender's nonce for granted (the commit checks it).
    pub(crate) speculative: bool,
    pub(crate) lifetime: std::marker::PhantomData<&'b ()>,
}

impl<'b> Handler for LeanHandler<'b> {
    type Evm = LeanEvm<'b>;
    type Error = LeanError;
    type HaltReason = HaltReason;

    fn validate_against_state_and_deduct_caller(
        &self,
        evm: &mut Self::Evm,
        _gas: &mut InitialAndFloorGas,
    ) -> Result<(), LeanError> {
        let context: &mut LeanContext<'b> = &mut evm.ctx;
        let (block, tx, cfg, journal, _, _) = context.all_mut();
        let basefee = u128::from(block.basefee());
        let blob_price = block.blob_gasprice().unwrap_or_default();
        let sender = journal.load_sender(tx.caller())?;
        if self.speculative {
            journal.assume_nonce(sender, tx.nonce());
        }
        let info = &journal.view.accounts[sender as usize].account.info;
        validate_account_nonce_and_code(info, tx.nonce(), cfg.is_eip3607_disabled(), cfg.is_nonce_check_disabled())?;
        let required = tx.max_balance_spending()?;
        let balance = info.balance;
        if balance < required {
            return Err(InvalidTransaction::LackOfFundForMaxFee {
                fee: Box::new(required),
                balance: Box::new(balance),
            }
            .into());
        }
        let spent = tx.effective_balance_spending(basefee, blob_price)?.saturating_sub(tx.value());
        journal.charge_sender(sender, required, spent, tx.kind().is_call());
        Ok(())
    }

    fn run_exec_loop(&mut self, evm: &mut Self::Evm, first: FrameInit) -> Result<FrameResult, LeanError> {
        if let ItemOrResult::Result(result) = evm.frame_init(first)? {
            return Ok(result);
        }
        loop {
            let result = match evm.frame_run()? {
                ItemOrResult::Result(result) => result,
                ItemOrResult::Item(init) => {
                    enter(evm, &init);
                    match evm.frame_init(init)? {
                        ItemOrResult::Item(_) => continue,
                        ItemOrResult::Result(result) => result,
                    }
                }
            };
            leave(evm, &result);
            if let Some(result) = evm.frame_return_result(result)? {
                return Ok(result);
            }
        }
    }

    fn reward_beneficiary(&self, evm: &mut Self::Evm, result: &mut FrameResult) -> Result<(), LeanError> {
        let (block, tx, cfg, journal, _, _) = evm.ctx.all_mut();
        let basefee = u128::from(block.basefee());
        let price = tx.effective_gas_price(basefee);
        // EIP-1559: the base fee is burnt.
        let tip = if cfg.spec().is_enabled_in(SpecId::LONDON) { price.saturating_sub(basefee) } else { price };
        let gas = result.gas();
        journal.fee = U256::from(tip * u128::from(gas.used().saturating_sub(gas.reservoir())));
        Ok(())
    }
}

/// Notes an inner call that begins, if the transaction is recorded.
fn enter(evm: &mut LeanEvm<'_>, init: &FrameInit) {
    if let Some(mut lesson) = evm.ctx.journaled_state.lesson.take() {
        let input = match &init.frame_input {
            FrameInput::Call(inputs) => inputs.input.bytes(&evm.ctx),
            _ => Default::default(),
        };
        lesson.enter(&init.frame_input, &input);
        evm.ctx.journaled_state.lesson = Some(lesson);
    }
}

/// Notes that a call ended, if the transaction is recorded. For the transaction itself no call is open, so this does nothing.
fn leave(evm: &mut LeanEvm<'_>, result: &FrameResult) {
    if let Some(lesson) = &mut evm.ctx.journaled_state.lesson {
        let result = result.interpreter_result();
        lesson.observed.leave(&result.output, result.is_ok());
    }
}
