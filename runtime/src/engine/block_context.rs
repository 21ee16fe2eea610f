//! What all workers of a block share.

use super::{
    lessons::Lessons, native::TransferRules, pace::Pace, read_ahead::Begun, records::RecordPool,
    slots::TransactionSlot, timeline::Timeline,
};
use crate::{
    RecoveredBlock,
    evm::{self, LeanEvm, WorkerMemory},
    paths::Paths,
    predict::SharedHashes,
    state::{AccountRef, BlockState, Snapshot},
};
use alloy_evm::EvmEnv;
use braid_precompiles::{BraidPrecompiles, PrecompileCache};
use revm::{
    context::{BlockEnv, CfgEnv},
    primitives::hardfork::SpecId,
};
use std::sync::{Arc, atomic::AtomicU32};

/// The block, its environment and its state; everything here is shared and only entries inside change.
pub(crate) struct BlockContext<'b> {
    pub(crate) snapshot: &'b dyn Snapshot,
    pub(crate) state: &'b BlockState,
    pub(crate) block: &'b RecoveredBlock,
    pub(crate) spec: SpecId,
    pub(crate) cfg: CfgEnv,
    pub(crate) env: BlockEnv,
    pub(crate) beneficiary: AccountRef,
    pub(crate) precompiles: BraidPrecompiles,
    /// Hashes that planner and workers share.
    pub(crate) hashes: Option<Arc<SharedHashes>>,
    /// Paths that workers share.
    pub(crate) paths: Option<Arc<Paths>>,
    pub(crate) transfers: TransferRules,
    /// At least one for each transaction that is planned; those beyond are left from other blocks.
    pub(crate) slots: Vec<TransactionSlot>,
    /// Planned transactions that are to run ahead and have not started yet.
    pub(crate) unstarted: AtomicU32,
    /// Where to note which transactions have begun to run, if somebody reads ahead.
    pub(crate) begun: Option<Begun>,
    pub(crate) records: &'b RecordPool,
    /// How fast blocks like this one went lately.
    pub(crate) pace: Pace,
    /// Where recordings go.
    pub(crate) lessons: &'b Lessons,
    /// The block's own access list was supplied and is in the state.
    pub(crate) is_exact: bool,
    /// Keep every transaction's accesses: somebody wants the access list or a report.
    pub(crate) keep_records: bool,
    /// Long runs of plain transfers are left to [`super::transfer_run`].
    pub(crate) takes_runs: bool,
    /// Notes for the report, if somebody wants one.
    pub(crate) timeline: Option<Timeline>,
}

/// What an engine keeps from block to block and lends to each.
pub(crate) struct Kept<'b> {
    pub(crate) hashes: Option<Arc<SharedHashes>>,
    pub(crate) paths: Option<Arc<Paths>>,
    pub(crate) precompile_cache: Option<Arc<PrecompileCache>>,
    pub(crate) slots: Vec<TransactionSlot>,
    pub(crate) records: &'b RecordPool,
    pub(crate) pace: Pace,
    pub(crate) lessons: &'b Lessons,
}

impl<'b> BlockContext<'b> {
    /// A block without an access list, of which nothing is kept or reported.
    pub(crate) fn new(
        snapshot: &'b dyn Snapshot,
        state: &'b BlockState,
        block: &'b RecoveredBlock,
        env: &EvmEnv,
        beneficiary: AccountRef,
        kept: Kept<'b>,
    ) -> Self {
        let spec = *env.spec_id();
        Self {
            snapshot,
            state,
            block,
            spec,
            cfg: env.cfg_env.clone(),
            env: env.block_env.clone(),
            beneficiary,
            hashes: kept.hashes,
            paths: kept.paths,
            transfers: TransferRules::new(&env.cfg_env, &env.block_env),
            precompiles: BraidPrecompiles::new(spec, kept.precompile_cache, None),
            slots: kept.slots,
            unstarted: AtomicU32::new(0),
            begun: None,
            records: kept.records,
            pace: kept.pace,
            lessons: kept.lessons,
            is_exact: false,
            keep_records: false,
            takes_runs: false,
            timeline: None,
        }
    }

    /// A worker's EVM for the block, on the worker's own memory.
    pub(crate) fn evm(&'b self, memory: WorkerMemory) -> LeanEvm<'b> {
        evm::lean_evm(self.snapshot, self.state, memory, self.precompiles.clone(), self.cfg.clone(), self.env.clone())
    }

    /// Number of transactions in the block.
    pub(crate) fn len(&self) -> usize {
        self.block.transactions().len()
    }
}
