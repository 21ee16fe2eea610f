//! Who was passed over, so that nobody is for long.

use alloy_primitives::{B256, map::B256Map};

/// Transactions that are remembered.
const CAPACITY: usize = 1 << 14;
/// Blocks after which one is forgotten.
const LASTING: u64 = 256;

/// Transactions that made way for others, and the number of the first block that did without them.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    since: B256Map<u64>,
}

impl Waits {
    /// Whether a transaction may make way in the block with this number.
    pub(super) fn may_wait(&self, hash: &B256, number: u64, longest: u64) -> bool {
        self.since.get(hash).is_none_or(|since| number.saturating_sub(*since) < longest)
    }

    /// Notes who makes way in the block with this number.
    pub(super) fn note(&mut self, hashes: impl Iterator<Item = B256>, number: u64) {
        if self.since.len() >= CAPACITY {
            self.since.retain(|_, since| number.saturating_sub(*since) < LASTING);
        }
        for hash in hashes {
            // One that cannot be remembered would have to wait without an end.
            if self.since.len() < CAPACITY {
                self.since.entry(hash).or_insert(number);
            }
        }
    }

    /// Whether more can be remembered.
    pub(super) fn has_room_for(&self, more: usize) -> bool {
        self.since.len() + more <= CAPACITY
    }
}
