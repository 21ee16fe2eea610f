//! Serial execution that leaves out what cannot be executed: for blocks that are being made.

use super::{outcome, recorder::Recorder, start};
use crate::{BlockError, BlockOutcome, ChainSpec, InvalidBlock, Outputs, RecoveredBlock, block_checks::check_block};
use alloy_evm::{Evm, block::BlockExecutor};
use alloy_primitives::map::AddressSet;
use revm::{DatabaseRef, inspector::NoOpInspector};

/// What became of candidates for a block.
#[derive(Debug)]
pub struct Admission {
    /// The outcome of the block without those that were left out.
    pub outcome: BlockOutcome,
    /// Candidates that were left out, from the first to the last.
    pub left_out: Vec<LeftOut>,
}

/// A candidate that is not in the block.
#[derive(Debug)]
pub struct LeftOut {
    /// Its index among the candidates.
    pub index: usize,
    /// The rule it breaks; `None` if it only comes after another one of its sender that was left out, so that there is a gap before its nonce.
    pub reason: Option<InvalidBlock>,
}

/// Executes a block serially without those of its transactions that cannot be executed at their place: each is tried once, in order, and what a
/// sender sent after one that fails is not tried at all.
///
/// # Errors
/// Those of [`execute_serial`](super::execute_serial), but for those of a single transaction.
pub fn execute_admitting<S: DatabaseRef + Sync>(
    snapshot: &S,
    block: &RecoveredBlock,
    spec: &ChainSpec,
    outputs: Outputs,
) -> Result<Admission, BlockError> {
    let rules = spec.at(block.header());
    check_block(block, &rules)?;
    let mut recorder = Recorder::new(snapshot, outputs.access_list);
    let mut left_out = Vec::new();
    let mut blocked = AddressSet::default();
    let result = (|| {
        let mut executor = match start(&mut recorder, block, spec, &rules, NoOpInspector {}) {
            Ok(executor) => executor,
            Err(error) => return Ok(Err(error)),
        };
        for (index, transaction) in block.transactions_recovered().enumerate() {
            let sender = transaction.signer();
            if blocked.contains(&sender) {
                left_out.push(LeftOut { index, reason: None });
                continue;
            }
            let position = executor.receipts().len() as u64 + 1;
            executor.evm.db_mut().set_index(position);
            let Err(error) = executor.execute_transaction(transaction) else { continue };
            match executor.evm.db_mut().sort_failure::<()>(Err(error), Some(index)) {
                Err(BlockError::Invalid(
                    reason @ (InvalidBlock::Transaction { .. } | InvalidBlock::BlockGasExceeded { .. }),
                )) => {
                    left_out.push(LeftOut { index, reason: Some(reason) });
                    blocked.insert(sender);
                }
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
        let position = executor.receipts().len() as u64 + 1;
        executor.evm.db_mut().set_index(position);
        Ok(executor.finish().map(|(_, result)| result))
    })()?;
    let result = recorder.sort_failure(result, None)?;
    Ok(Admission { outcome: outcome(recorder, result, snapshot, outputs)?, left_out })
}
