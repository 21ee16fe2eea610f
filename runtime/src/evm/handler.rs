//! revm's mainnet handler with three steps replaced: the sender's checks, how calls are run, and where the fee goes.

use super::{LeanContext, LeanEvm, call_loop};
use revm::{
    context::{Block, Cfg, ContextTr, Transaction, result::EVMError},
    context_interface::result::{HaltReason, InvalidTransaction},
    handler::{FrameResult, Handler, pre_execution::validate_account_nonce_and_code},
    interpreter::{InitialAndFloorGas, interpreter_action::FrameInit},
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
        call_loop::execute(evm, first)
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
