//! What the transactions of a block have to do with each other, as it is told.

use super::types::{BlockPlace, CriticalPath, Edge, HotSlot, ScheduledTransaction, SpeedUpBounds};
use crate::{
    Backend,
    replay::{ReplayError, recovered},
};
use alloy_consensus::Transaction as _;
use braid_chain::ChainBlock;
use braid_runtime::{RecoveredBlock, bounds::Cost, explain::Explanation, oracle};

/// A block after a serial execution that watched.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) place: BlockPlace,
    pub(super) block: RecoveredBlock,
    explanation: Explanation,
}

impl Analysis {
    /// Executes a block twice: once watched, once with a clock.
    pub(super) fn of(backend: &Backend, block: &ChainBlock) -> Result<Self, ReplayError> {
        let chain = backend.chain();
        let place = BlockPlace { block_number: block.number(), block_hash: block.hash() };
        let parent = chain.state(&block.header().parent_hash)?;
        let block = recovered(chain, block)?;
        let explanation = Explanation::new(oracle::trace(&parent, &block, chain.spec())?);
        Ok(Self { place, block, explanation })
    }

    /// Who waits for whom.
    pub(super) const fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    /// One transaction.
    pub(super) fn transaction(&self, index: usize) -> ScheduledTransaction {
        let transaction = &self.block.transactions()[index];
        let cost = &self.explanation.trace().transactions[index];
        ScheduledTransaction {
            index,
            hash: *transaction.tx_hash(),
            from: self.block.senders()[index],
            to: transaction.to(),
            gas_used: cost.gas_used,
            nanos: cost.nanos,
            earliest_end_gas: self.explanation.earliest_ends()[index],
        }
    }

    /// All transactions.
    pub(super) fn transactions(&self) -> Vec<ScheduledTransaction> {
        (0..self.block.transactions().len()).map(|index| self.transaction(index)).collect()
    }

    /// The most costly chain of dependent transactions, by gas.
    pub(super) fn critical_path(&self) -> CriticalPath {
        self.explanation.critical_path(Cost::Gas).into()
    }

    /// Bounds of the speed-up.
    pub(super) fn bounds(&self, cost: Cost, threads: usize) -> SpeedUpBounds {
        SpeedUpBounds::new(threads, self.explanation.bounds(cost, threads))
    }

    /// Each pair of transactions of which the later relied on the earlier, with the fields that are to blame.
    pub(super) fn edges(&self) -> Vec<Edge> {
        self.explanation.edges().iter().map(Edge::from).collect()
    }

    /// The fields for which transactions wait, the most contended first.
    pub(super) fn hot_slots(&self, most: usize) -> Vec<HotSlot> {
        self.explanation.hot_fields().into_iter().take(most).map(HotSlot::from).collect()
    }
}
