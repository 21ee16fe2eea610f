//! What each transaction changes, one by one: for blocks before Byzantium, whose receipts hold the state root after every transaction.

use super::{recorder::Recorder, start};
use crate::{
    AccountDiff, AccountState, BlockError, ChainSpec, Receipt, RecoveredBlock, SlotDiff, StateDiff,
    block_checks::check_block,
};
use alloy_evm::{Evm, block::BlockExecutor};
use alloy_primitives::{Address, U256};
use revm::{DatabaseRef, database::TransitionAccount, inspector::NoOpInspector};

/// Executes the transactions of a block serially and hands the state change of each to `on_transaction`, with its index. What a block does
/// before its first transaction belongs to that one; what it does after the last (rewards, withdrawals) is not done.
///
/// # Errors
/// Those of the execution, and the first error of `on_transaction`.
pub fn for_each_transaction<S: DatabaseRef + Sync, E: From<BlockError>>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    mut on_transaction: impl FnMut(usize, StateDiff) -> Result<(), E>,
) -> Result<Vec<Receipt>, E> {
    let rules = spec.at(block.header());
    check_block(block, &rules).map_err(BlockError::from)?;
    let mut recorder = Recorder::new(snapshot, false);
    let mut current = None;
    let mut stopped = None;
    let result = (|| {
        let mut executor = start(&mut recorder, block, spec, &rules, NoOpInspector {})?;
        for (index, transaction) in block.transactions_recovered().enumerate() {
            current = Some(index);
            executor.execute_transaction(transaction)?;
            let diff = executor.evm.db_mut().take_step();
            if let Err(error) = on_transaction(index, diff) {
                stopped = Some(error);
                break;
            }
        }
        Ok(executor.receipts().to_vec())
    })();
    let receipts = recorder.sort_failure(result, current)?;
    stopped.map_or(Ok(receipts), Err)
}

/// Adds what happened to an account since the last step.
pub(super) fn add(diff: &mut StateDiff, address: Address, account: TransitionAccount) {
    let original = account.previous_info.as_ref().map(AccountState::from);
    let present = account.info.as_ref().map(AccountState::from);
    let storage_wiped = account.storage_was_destroyed && original.is_some();
    if original != present || storage_wiped {
        diff.accounts.push(AccountDiff { address, original, present, storage_wiped });
    }
    for (slot, value) in account.storage {
        let original = if storage_wiped { U256::ZERO } else { value.previous_or_original_value };
        if original != value.present_value {
            diff.slots.push(SlotDiff { address, slot, original, present: value.present_value });
        }
    }
    if let Some(info) = account.info
        && original.is_none_or(|original| original.code_hash != info.code_hash)
        && let Some(code) = info.code.filter(|code| !code.is_empty())
    {
        diff.contracts.push((info.code_hash, code));
    }
}
