//! Serial execution on stock revm and alloy-evm: what every other path is compared with.
//!
//! [`execute_serial`] drives alloy-evm's `EthBlockExecutor` over revm's `State`, transaction by transaction. Nothing of the
//! parallel engine takes part. The only pieces of our own are the database around `State`, which keeps the access list and
//! the causes of failed reads (`recorder`), the receipts, which carry no blooms (`receipts`), and the state change of the DAO
//! fork, which alloy-evm makes after the transactions of its block instead of before.
//!
//! [`execute_admitting`] leaves out what cannot be executed, for blocks that are being made. [`trace()`] runs the same executor and tells what each
//! transaction observed, changed and cost; [`for_each_transaction`] tells what each did to the state; [`trace_calls`] tells which functions did it.

mod admit;
mod calls;
mod observer;
mod receipts;
mod recorder;
mod steps;
mod trace;

#[cfg(test)]
mod tests;

pub use admit::{Admission, LeftOut, execute_admitting};
pub use calls::{CallTrace, Function, Uses, trace_calls};
pub use steps::for_each_transaction;
pub use trace::{BalanceChange, BlockTrace, TransactionTrace, trace};

use crate::{
    BlockError, BlockOutcome, ChainSpec, Outputs, Receipt, RecoveredBlock, ScheduleReport, StateDiff,
    block_checks::check_block, block_hooks::apply_dao_fork, chain_spec::BlockRules,
};
use alloy_eips::eip7685::Requests;
use alloy_evm::{
    EthEvm, Evm,
    block::{BlockExecutionError, BlockExecutionResult, BlockExecutor},
    eth::{EthBlockExecutionCtx, EthBlockExecutor, EthEvmBuilder, EthEvmContext},
    precompiles::PrecompilesMap,
};
use receipts::Receipts;
use recorder::Recorder;
use revm::{DatabaseRef, Inspector, database::states::bundle_state::BundleRetention, inspector::NoOpInspector};
use std::borrow::Cow;

/// Executes a block on its parent state, one transaction after the other.
///
/// # Errors
/// [`BlockError::Invalid`] if the block breaks the rules of its fork, any other error if that could not be decided.
pub fn execute_serial<S: DatabaseRef + Sync>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    outputs: Outputs,
) -> Result<BlockOutcome, BlockError> {
    let rules = spec.at(block.header());
    check_block(block, &rules)?;
    let mut recorder = Recorder::new(snapshot, outputs.access_list);
    let mut current = None;
    let result = run(&mut recorder, block, spec, &rules, &mut current);
    let result = recorder.sort_failure(result, current)?;
    outcome(recorder, result, snapshot, outputs)
}

/// What came of a block, once all of it was executed.
fn outcome<S: DatabaseRef>(
    mut recorder: Recorder<'_, S>,
    result: BlockExecutionResult<Receipt>,
    snapshot: &S,
    outputs: Outputs,
) -> Result<BlockOutcome, BlockError> {
    let access_list = recorder.take_access_list(snapshot).map_err(|error| BlockError::Database(Box::new(error)))?;
    let bundle = recorder.into_bundle(BundleRetention::Reverts);
    Ok(BlockOutcome {
        receipts: result.receipts,
        gas_used: result.gas_used,
        blob_gas_used: result.blob_gas_used,
        requests: result.requests,
        diff: StateDiff::from_bundle(&bundle),
        bundle: outputs.bundle.then_some(bundle),
        access_list,
        report: ScheduleReport::default(),
    })
}

/// Runs the block; `current` tells which transaction an error belongs to.
fn run<S: DatabaseRef>(
    recorder: &mut Recorder<'_, S>,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    rules: &BlockRules<'_>,
    current: &mut Option<usize>,
) -> Result<BlockExecutionResult<Receipt>, BlockExecutionError> {
    let mut executor = start(recorder, block, spec, rules, NoOpInspector {})?;
    for (index, transaction) in block.transactions_recovered().enumerate() {
        *current = Some(index);
        executor.evm.db_mut().set_index(index as u64 + 1);
        executor.execute_transaction(transaction)?;
    }
    *current = None;
    if spec.has_transactions_only() {
        return Ok(BlockExecutionResult {
            gas_used: executor.cumulative_tx_gas_used,
            blob_gas_used: executor.blob_gas_used,
            receipts: executor.receipts,
            requests: Requests::default(),
        });
    }
    executor.evm.db_mut().set_index(block.transactions().len() as u64 + 1);
    executor.finish().map(|(_, result)| result)
}

/// The executor of the block, with everything done that comes before the first transaction. The inspector is off.
fn start<'b, 'a, S: DatabaseRef, I>(
    recorder: &'b mut Recorder<'a, S>,
    block: &'b RecoveredBlock,
    spec: &'b ChainSpec,
    rules: &BlockRules<'b>,
    inspector: I,
) -> Result<Executor<'b, &'b mut Recorder<'a, S>, I>, BlockExecutionError>
where
    I: Inspector<EthEvmContext<&'b mut Recorder<'a, S>>>,
{
    if rules.is_dao_block(block.header().number) && !spec.has_transactions_only() {
        apply_dao_fork(recorder, rules, block.header().number).map_err(BlockExecutionError::other)?;
    }
    let evm = EthEvmBuilder::new(recorder, spec.evm_env(block.header())).inspector(inspector).build();
    let mut executor = EthBlockExecutor::new(evm, context(block), *rules, Receipts);
    if !spec.has_transactions_only() {
        executor.apply_pre_execution_changes()?;
    }
    Ok(executor)
}

type Executor<'b, D, I> = EthBlockExecutor<'b, EthEvm<D, I, PrecompilesMap>, BlockRules<'b>, Receipts>;

fn context(block: &RecoveredBlock) -> EthBlockExecutionCtx<'_> {
    let header = block.header();
    EthBlockExecutionCtx {
        parent_hash: header.parent_hash,
        parent_beacon_block_root: header.parent_beacon_block_root,
        ommers: block.ommers(),
        withdrawals: block.withdrawals().map(Cow::Borrowed),
        extra_data: header.extra_data.clone(),
        tx_count_hint: Some(block.transactions().len()),
        slot_number: header.slot_number,
    }
}
