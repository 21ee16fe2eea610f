//! A block executed on the state of its parent, with everything compared that its header says.
//!
//! The engine executes; the state root and the receipts root are computed side by side. Only serial execution calls a block invalid:
//! what a parallel execution leaves different from the header is executed again serially, and that decides.

mod change;
mod early_receipts;

pub use change::block_change;
pub(crate) use change::{account_changes, slot_changes};
pub(crate) use early_receipts::{early_roots, receipts_root as early_receipts_root};

use crate::{ChainError, InvalidReason, Timings};
use alloy_consensus::Transaction as _;
use alloy_eips::{eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, KECCAK256_EMPTY};
use braid_runtime::{
    AccessHints, BlockError, BlockOutcome, ChainSpec, Engine, EngineConfig, Mode, Outputs, RecoveredBlock,
    engine::Learning, oracle,
};
use braid_storage::{AccountRecord, BlockChange, Layer, Receipt, Snapshot, StateUpdate};
use std::{sync::Arc, time::Instant};

/// Executes blocks for a chain.
#[derive(Debug)]
pub(crate) struct Executor {
    engine: Engine,
    /// Whether receipts roots before Byzantium are compared, which takes a second execution.
    early_receipts: bool,
}

/// A valid block's outcome.
pub(crate) struct Executed {
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) layer: Arc<Layer>,
    /// What the parallel execution had wrong, if the serial one had to correct it.
    pub(crate) divergence: Option<String>,
}

impl Executor {
    pub(crate) fn new(mut config: EngineConfig, early_receipts: bool) -> Result<Self, ChainError> {
        if !config.uses_predictions() {
            config.learning = Learning::Off;
        }
        Ok(Self { engine: Engine::new(config)?, early_receipts })
    }

    /// Learns from the last blocks what contracts access, for those to come. Once the usual contracts are known there is little to learn.
    pub(crate) fn learn(&mut self) {
        self.engine.learn();
    }

    pub(crate) const fn engine(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Executes a block on the state of its parent and compares all that its header says about the outcome.
    pub(crate) fn execute(
        &mut self,
        parent: &Snapshot,
        block: &RecoveredBlock,
        spec: &ChainSpec,
        timings: &mut Timings,
    ) -> Result<Executed, ChainError> {
        let outputs = Outputs { access_list: block.header().block_access_list_hash.is_some(), ..Outputs::default() };
        let begin = Instant::now();
        let outcome = self.run(parent, block, spec, outputs)?;
        timings.execute += begin.elapsed();
        let (outcome, divergence) = match self.checked(parent, block, spec, outcome, timings)? {
            Ok(checked) => (checked, None),
            Err(reason) if self.engine.config().mode == Mode::Serial => return Err(reason.into()),
            Err(reason) => {
                let outcome = oracle::execute_serial(parent, block, spec, outputs)?;
                (self.checked(parent, block, spec, outcome, timings)??, Some(reason.to_string()))
            }
        };
        let Checked { receipts, change, update } = outcome;
        let header = block.header();
        let layer = Layer::new(header.number, block.hash(), header.parent_hash, change, update);
        Ok(Executed { receipts, layer: Arc::new(layer), divergence })
    }

    /// Executes a block. Where there are threads that do not execute, they read meanwhile what the state root will need: the paths to the
    /// accounts that every transaction changes.
    fn run(
        &mut self,
        parent: &Snapshot,
        block: &RecoveredBlock,
        spec: &ChainSpec,
        outputs: Outputs,
    ) -> Result<BlockOutcome, BlockError> {
        let engine = &mut self.engine;
        let config = engine.config();
        let is_idle = config.mode != Mode::Serial && rayon::current_num_threads() > config.threads;
        let task = is_idle.then(|| parent.state_root_task());
        rayon::in_place_scope(|scope| {
            if let Some(task) = &task {
                scope.spawn(move |_| {
                    let recipients = block.transactions().iter().filter_map(|transaction| transaction.to());
                    // What cannot be read now is read with the root, and reported there.
                    let _ = task.touch(block.senders().iter().copied().chain(recipients), []);
                });
            }
            engine.execute_block(parent, block, spec, AccessHints::Predicted, outputs)
        })
    }

    /// The outer error says that nothing could be decided, the inner one in what the outcome differs from the header.
    fn checked(
        &self,
        parent: &Snapshot,
        block: &RecoveredBlock,
        spec: &ChainSpec,
        mut outcome: BlockOutcome,
        timings: &mut Timings,
    ) -> Result<Result<Checked, InvalidReason>, ChainError> {
        let header = block.header();
        let early_receipts = self.early_receipts && !spec.is_byzantium_active_at_block(header.number);
        let begin = Instant::now();
        let change = block_change(std::mem::take(&mut outcome.diff));
        let (update, fields) =
            rayon::join(|| parent.state_after(&change), || outcome.check_header(header, &spec.at(header)));
        if let Err(mismatch) = fields {
            return Ok(Err(mismatch.into()));
        }
        let update = update?;
        if spec.is_prague_active_at_timestamp(header.timestamp)
            && let Some(missing) = missing_system_contract(parent, &change)?
        {
            return Ok(Err(InvalidReason::NoSystemContract(missing)));
        }
        if early_receipts {
            let (expected, actual) = (header.receipts_root, early_receipts_root(parent, block, spec)?);
            if expected != actual {
                return Ok(Err(InvalidReason::EarlyReceiptsRoot { expected, actual }));
            }
        }
        timings.root += begin.elapsed();
        let (expected, actual) = (header.state_root, update.state_root());
        if expected != actual {
            return Ok(Err(InvalidReason::StateRoot { expected, actual }));
        }
        Ok(Ok(Checked { receipts: outcome.receipts, change, update }))
    }
}

/// The first contract that has to answer for requests and has no code after the block. The call itself succeeds without code.
pub(crate) fn missing_system_contract(parent: &Snapshot, change: &BlockChange) -> Result<Option<Address>, ChainError> {
    for address in [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS] {
        let has_code = |record: Option<AccountRecord>| record.is_some_and(|record| record.code_hash != KECCAK256_EMPTY);
        // Once it is there it stays: nothing destroys contracts of earlier blocks any more (EIP-6780).
        if has_code(parent.account(address)?) {
            continue;
        }
        let changed = change.accounts.iter().rev().find(|account| account.address == address);
        if !has_code(changed.and_then(|account| account.present)) {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

struct Checked {
    receipts: Vec<Receipt>,
    change: BlockChange,
    update: StateUpdate,
}
