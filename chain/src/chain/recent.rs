//! Where the transactions of the canonical blocks in memory are.

use alloy_primitives::{B256, map::B256Map};
use braid_storage::ExecutedBlock;
use std::{collections::VecDeque, sync::Arc};

/// An index of the canonical blocks that may not be written yet.
#[derive(Debug, Default)]
pub(super) struct RecentTransactions {
    /// Block and index, by the hash of the transaction.
    places: B256Map<(B256, u32)>,
    /// From the lowest to the highest.
    blocks: VecDeque<Arc<ExecutedBlock>>,
}

impl RecentTransactions {
    pub(super) fn get(&self, transaction: &B256) -> Option<(B256, u32)> {
        self.places.get(transaction).copied()
    }

    /// A block became canonical.
    pub(super) fn add(&mut self, block: &Arc<ExecutedBlock>) {
        let hash = block.layer.block().hash;
        for (index, transaction) in (0..).zip(&block.body.transactions) {
            self.places.insert(*transaction.tx_hash(), (hash, index));
        }
        self.blocks.push_back(Arc::clone(block));
    }

    /// A block is no longer canonical.
    pub(super) fn remove(&mut self, block: &Arc<ExecutedBlock>) {
        let hash = block.layer.block().hash;
        self.blocks.retain(|known| known.layer.block().hash != hash);
        self.forget(block);
    }

    /// The blocks up to a number were written.
    pub(super) fn written(&mut self, number: u64) {
        while let Some(block) = self.blocks.pop_front_if(|block| block.header.number <= number) {
            self.forget(&block);
        }
        if self.places.is_empty() {
            self.places.shrink_to(1 << 12);
        }
    }

    fn forget(&mut self, block: &ExecutedBlock) {
        let hash = block.layer.block().hash;
        for transaction in &block.body.transactions {
            if let alloy_primitives::map::hash_map::Entry::Occupied(place) = self.places.entry(*transaction.tx_hash())
                && place.get().0 == hash
            {
                place.remove();
            }
        }
    }
}
