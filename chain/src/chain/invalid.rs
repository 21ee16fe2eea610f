//! Blocks that were found invalid, so that neither they nor what is built on them is executed again.

use super::InvalidReason;
use alloy_primitives::{B256, map::B256Map};
use std::{collections::VecDeque, sync::Arc};

/// Invalid blocks that are remembered.
const CAPACITY: usize = 1024;

/// A bounded set of invalid blocks; the oldest are forgotten first, which costs time and nothing else.
#[derive(Debug, Default)]
pub(super) struct InvalidBlocks {
    blocks: B256Map<InvalidEntry>,
    order: VecDeque<B256>,
}

/// What is known of an invalid block.
#[derive(Clone, Debug)]
pub(super) struct InvalidEntry {
    /// The lowest invalid block of the branch.
    pub(super) ancestor: B256,
    /// Parent of the lowest invalid block: the last valid one.
    pub(super) last_valid: B256,
    /// What is wrong with the lowest invalid block.
    pub(super) reason: Arc<InvalidReason>,
}

impl InvalidBlocks {
    pub(super) fn get(&self, hash: &B256) -> Option<&InvalidEntry> {
        self.blocks.get(hash)
    }

    /// Remembers an invalid block whose parent is valid.
    pub(super) fn insert(&mut self, hash: B256, parent: B256, reason: Arc<InvalidReason>) {
        self.put(hash, InvalidEntry { ancestor: hash, last_valid: parent, reason });
    }

    /// Remembers a block if its parent is invalid, and says why it is too.
    pub(super) fn inherit(&mut self, hash: B256, parent: &B256) -> Option<InvalidReason> {
        let entry = self.blocks.get(parent)?.clone();
        let reason = InvalidReason::Ancestor { ancestor: entry.ancestor, reason: Arc::clone(&entry.reason) };
        self.put(hash, entry);
        Some(reason)
    }

    fn put(&mut self, hash: B256, entry: InvalidEntry) {
        if self.blocks.insert(hash, entry).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > CAPACITY
            && let Some(oldest) = self.order.pop_front()
        {
            self.blocks.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consensus::ConsensusError;

    fn hash(number: u64) -> B256 {
        alloy_primitives::U256::from(number).into()
    }

    #[test]
    fn descendants_inherit_the_first_reason_and_the_last_valid_block() {
        let mut blocks = InvalidBlocks::default();
        blocks.insert(hash(2), hash(1), Arc::new(ConsensusError::Nonce.into()));
        assert!(blocks.inherit(hash(4), &hash(5)).is_none(), "its parent is not known to be invalid");
        for child in 3..6 {
            let reason = blocks.inherit(hash(child), &hash(child - 1)).unwrap();
            assert!(matches!(reason, InvalidReason::Ancestor { ancestor, .. } if ancestor == hash(2)), "{reason}");
        }
        assert_eq!(blocks.get(&hash(5)).unwrap().last_valid, hash(1));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut blocks = InvalidBlocks::default();
        for number in 0..=CAPACITY as u64 {
            blocks.insert(hash(number), B256::ZERO, Arc::new(ConsensusError::Nonce.into()));
        }
        assert!(blocks.get(&hash(0)).is_none());
        assert!(blocks.get(&hash(1)).is_some());
        assert_eq!((blocks.blocks.len(), blocks.order.len()), (CAPACITY, CAPACITY));
    }
}
