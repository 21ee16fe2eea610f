//! Plain serial revm, tuned as its own users would: what speed-ups are measured against.
//!
//! One EVM runs the whole block over two flat maps that are written in place and whose memory is kept from block to block (`state`); receipts are kept per
//! transaction, and the merged state change is read from the maps at the end. Nothing of the engine takes part: no prediction, no native
//! transfers, no cache of precompile results. On real blocks this is a fifth to a third quicker than stock revm's `State` with a bundle, which is
//! what [`oracle`](crate::oracle) uses; it is a measure, not an authority.

mod state;

use crate::{
    BlockError, BlockOutcome, ChainSpec, Outputs, Receipt, RecoveredBlock, ScheduleReport, block_hooks, oracle,
};
use alloy_consensus::Transaction as _;
use alloy_evm::{EthEvm, Evm as _, EvmEnv, FromRecoveredTx};
use revm::{
    Context, DatabaseCommit, DatabaseRef, MainBuilder, MainContext,
    context::{Cfg, TxEnv},
    context_interface::result::ResultAndState,
    handler::EthPrecompiles,
    inspector::NoOpInspector,
    primitives::hardfork::SpecId,
};
use state::{MapState, Maps};

/// Executes blocks serially. Keeps memory from block to block, and nothing else.
#[derive(Debug, Default)]
pub struct SerialBaseline {
    maps: Maps,
}

impl SerialBaseline {
    /// Executes a block on its parent state, one transaction after the other. The outcome has no bundle and no access list.
    ///
    /// # Errors
    /// Those of [`oracle::execute_serial`], which has the word whenever anything goes wrong, and on forks with two gas lanes (Amsterdam).
    pub fn execute<S: DatabaseRef + Sync>(
        &mut self,
        snapshot: &S,
        block: &RecoveredBlock,
        spec: &ChainSpec,
    ) -> Result<BlockOutcome, BlockError> {
        let env = spec.evm_env(block.header());
        if env.spec_id().is_enabled_in(SpecId::AMSTERDAM) {
            return oracle::execute_serial(snapshot, block, spec, Outputs::default());
        }
        let mut state = MapState::new(snapshot, std::mem::take(&mut self.maps));
        let outcome = run(&mut state, env, block, spec);
        self.maps = state.into_maps();
        match outcome {
            Some(outcome) => Ok(outcome),
            None => oracle::execute_serial(snapshot, block, spec, Outputs::default()),
        }
    }
}

/// Runs the block; `None` when it, or a read, fails.
fn run(state: &mut MapState<'_>, env: EvmEnv, block: &RecoveredBlock, spec: &ChainSpec) -> Option<BlockOutcome> {
    block_hooks::pre_execution(&mut *state, env.clone(), block, spec).ok()?;
    let receipts = transactions(state, env.clone(), block)?;
    let is_cancun = env.spec_id().is_enabled_in(SpecId::CANCUN);
    let requests = block_hooks::post_execution(&mut *state, env, block, spec, &receipts).ok()?;
    let blob_gas = || block.transactions().iter().filter_map(|tx| tx.blob_gas_used()).sum();
    Some(BlockOutcome {
        gas_used: receipts.last().map_or(0, |receipt| receipt.cumulative_gas_used),
        receipts,
        blob_gas_used: if is_cancun { blob_gas() } else { 0 },
        requests,
        diff: state.take_diff(),
        bundle: None,
        access_list: None,
        report: ScheduleReport::default(),
    })
}

fn transactions(state: &mut MapState<'_>, env: EvmEnv, block: &RecoveredBlock) -> Option<Vec<Receipt>> {
    let cap = env.cfg_env.tx_gas_limit_cap();
    let gas_limit = env.block_env.gas_limit;
    let context = Context::mainnet().with_block(env.block_env).with_cfg(env.cfg_env).with_db(state);
    let mut evm: EthEvm<&mut MapState<'_>, NoOpInspector, EthPrecompiles> =
        EthEvm::new(context.build_mainnet_with_inspector(NoOpInspector {}), false);
    let mut receipts = Vec::with_capacity(block.transactions().len());
    let mut cumulative_gas_used = 0_u64;
    for (transaction, sender) in block.transactions().iter().zip(block.senders()) {
        if transaction.gas_limit().min(cap) > gas_limit - cumulative_gas_used {
            return None;
        }
        let ResultAndState { result, state } = evm.transact_raw(TxEnv::from_recovered_tx(transaction, *sender)).ok()?;
        cumulative_gas_used += result.gas().tx_gas_used();
        receipts.push(Receipt {
            tx_type: transaction.tx_type(),
            success: result.is_success(),
            cumulative_gas_used,
            logs: result.into_logs(),
        });
        evm.db_mut().commit(state);
    }
    Some(receipts)
}

#[cfg(test)]
mod tests;
