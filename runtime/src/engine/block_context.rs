//! What all workers of a block share.

use super::{
    lessons::Lessons, native::TransferRules, pace::Pace, records::RecordPool, slots::TransactionSlot,
    timeline::Timeline,
};
use crate::{
    RecoveredBlock,
    predict::SharedHashes,
    state::{AccountRef, BlockState, Snapshot},
};
use braid_precompiles::BraidPrecompiles;
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
    pub(crate) transfers: TransferRules,
    /// At least one for each transaction that is planned; those beyond are left from other blocks.
    pub(crate) slots: Vec<TransactionSlot>,
    /// Planned transactions that are to run ahead and have not started yet.
    pub(crate) unstarted: AtomicU32,
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

impl BlockContext<'_> {
    /// Number of transactions in the block.
    pub(crate) fn len(&self) -> usize {
        self.block.transactions().len()
    }
}
