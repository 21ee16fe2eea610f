//! The serial loop that both baselines share.

use crate::{chain::Chain, side::SideError, workload::Case};
use alloy_consensus::Transaction as _;
use alloy_evm::{
    Evm as _, EvmEnv, FromRecoveredTx,
    block::{BlockExecutionError, BlockValidationError, SystemCaller, state_changes::post_block_balance_increments},
    eth::{EthEvm, dao_fork},
};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use braid_runtime::Receipt;
use revm::{
    Context, DatabaseCommit, MainBuilder, MainContext, context::TxEnv, context_interface::result::ResultAndState,
    database_interface::DatabaseCommitExt, handler::EthPrecompiles, inspector::NoOpInspector, state::EvmState,
};

pub(crate) type PlainEvm<DB> = EthEvm<DB, NoOpInspector, EthPrecompiles>;

/// Runs the whole block on `database`, which afterwards holds the changes, and gives it back with the receipts. Each transaction's own
/// result goes to `kept`, if it is wanted.
pub(crate) fn execute<DB>(
    database: DB,
    case: &Case,
    mut kept: Option<&mut Vec<EvmState>>,
) -> Result<(DB, Vec<Receipt>), SideError>
where
    DB: alloy_evm::Database + DatabaseCommit,
{
    let block = case.block.block();
    let mut evm = evm(database, case.chain.evm_env(&block.header));
    let mut system = SystemCaller::new(&case.chain);
    system.apply_pre_execution_changes(&block.header, &mut evm)?;
    let receipts = transactions(&mut evm, case, &mut kept)?;
    after_transactions(&mut evm, &mut system, case)?;
    let (database, _) = evm.finish();
    Ok((database, receipts))
}

/// revm in the environment of a block.
pub(crate) fn evm<DB: alloy_evm::Database>(database: DB, environment: EvmEnv) -> PlainEvm<DB> {
    EthEvm::new(
        Context::mainnet()
            .with_block(environment.block_env)
            .with_cfg(environment.cfg_env)
            .with_db(database)
            .build_mainnet_with_inspector(NoOpInspector {}),
        false,
    )
}

fn transactions<DB>(
    evm: &mut PlainEvm<DB>,
    case: &Case,
    kept: &mut Option<&mut Vec<EvmState>>,
) -> Result<Vec<Receipt>, SideError>
where
    DB: alloy_evm::Database + DatabaseCommit,
{
    let block = case.block.block();
    let transactions = &block.body.transactions;
    let mut receipts = Vec::with_capacity(transactions.len());
    let mut cumulative_gas_used = 0_u64;
    for (index, (transaction, sender)) in transactions.iter().zip(case.block.senders()).enumerate() {
        let left = block.header.gas_limit - cumulative_gas_used;
        if transaction.gas_limit() > left {
            return Err(SideError::BlockGas { index, limit: transaction.gas_limit(), left });
        }
        let ResultAndState { result, state } = evm
            .transact_raw(TxEnv::from_recovered_tx(transaction, *sender))
            .map_err(|source| SideError::Transaction { index, source: source.into() })?;
        cumulative_gas_used += result.gas().tx_gas_used();
        receipts.push(Receipt {
            tx_type: transaction.tx_type(),
            success: result.is_success(),
            cumulative_gas_used,
            logs: result.into_logs(),
        });
        if let Some(kept) = kept {
            kept.push(state.clone());
        }
        evm.db_mut().commit(state);
    }
    Ok(receipts)
}

fn after_transactions<DB>(
    evm: &mut PlainEvm<DB>,
    system: &mut SystemCaller<&Chain>,
    case: &Case,
) -> Result<(), BlockExecutionError>
where
    DB: alloy_evm::Database + DatabaseCommit,
{
    let block = case.block.block();
    if case.chain.is_prague_active_at_timestamp(block.header.timestamp) {
        system.apply_post_execution_changes(evm)?;
    }
    let mut increments = post_block_balance_increments(
        &case.chain,
        evm.block(),
        &block.body.ommers,
        block.body.withdrawals.as_ref().map(|withdrawals| withdrawals.as_slice()),
    );
    if case.chain.ethereum_fork_activation(EthereumHardfork::Dao).transitions_at_block(block.header.number) {
        let drained = evm
            .db_mut()
            .drain_balances(dao_fork::DAO_HARDFORK_ACCOUNTS)
            .map_err(|_| BlockValidationError::IncrementBalanceFailed)?;
        *increments.entry(dao_fork::DAO_HARDFORK_BENEFICIARY).or_default() += drained.into_iter().sum::<u128>();
    }
    evm.db_mut().increment_balances(increments).map_err(|_| BlockValidationError::IncrementBalanceFailed)?;
    Ok(())
}
