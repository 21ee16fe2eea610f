//! The accumulator of an era1 archive: `hash_tree_root(List[HeaderRecord, 8192])` of SSZ, where a `HeaderRecord` is the
//! hash of a block and the total difficulty up to it (Portal network, history accumulator; the format of the archives is in
//! the documentation of go-ethereum's package `era`).
//!
//! The root of a list is that of a binary tree of SHA-256 with 8192 leaves, absent ones zero, hashed with the number of
//! items; a record is a tree of its two fields, numbers in little-endian.

use alloy_primitives::{B256, U256};
use sha2::{Digest, Sha256};

/// Most blocks of one archive.
pub const MAX_RECORDS: usize = 8192;

/// Gathers the records of consecutive blocks.
#[derive(Clone, Debug, Default)]
pub struct Accumulator {
    leaves: Vec<B256>,
}

impl Accumulator {
    /// Adds a block; tells whether there was room for it.
    #[must_use]
    pub fn push(&mut self, hash: B256, total_difficulty: U256) -> bool {
        let has_room = self.leaves.len() < MAX_RECORDS;
        if has_room {
            self.leaves.push(pair(hash, total_difficulty.to_le_bytes().into()));
        }
        has_room
    }

    /// Number of blocks.
    pub const fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no block.
    pub const fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The root over all blocks.
    pub fn root(&self) -> B256 {
        let mut level = self.leaves.clone();
        // What stands for the absent rest of a level.
        let mut absent = B256::ZERO;
        for _ in 0..MAX_RECORDS.ilog2() {
            level = level.chunks(2).map(|two| pair(two[0], two.get(1).copied().unwrap_or(absent))).collect();
            absent = pair(absent, absent);
        }
        let mut length = B256::ZERO;
        length[..8].copy_from_slice(&(self.leaves.len() as u64).to_le_bytes());
        pair(level.first().copied().unwrap_or(absent), length)
    }
}

fn pair(left: B256, right: B256) -> B256 {
    let mut hasher = Sha256::new();
    hasher.update(left);
    hasher.update(right);
    B256::from_slice(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, without any shortcut.
    fn naive(records: &[(B256, U256)]) -> B256 {
        let mut level = vec![B256::ZERO; MAX_RECORDS];
        for (leaf, (hash, total)) in level.iter_mut().zip(records) {
            *leaf = pair(*hash, total.to_le_bytes().into());
        }
        while level.len() > 1 {
            level = level.chunks(2).map(|two| pair(two[0], two[1])).collect();
        }
        let mut length = [0; 32];
        length[..8].copy_from_slice(&(records.len() as u64).to_le_bytes());
        pair(level[0], length.into())
    }

    #[test]
    fn it_is_the_root_of_the_whole_tree() {
        for count in [0u64, 1, 2, 3, 5, 8, 1000] {
            let records: Vec<_> =
                (0..count).map(|number| (B256::with_last_byte(number as u8), U256::from(number << 20))).collect();
            let mut accumulator = Accumulator::default();
            assert!(records.iter().all(|(hash, total)| accumulator.push(*hash, *total)));
            assert_eq!(accumulator.len() as u64, count);
            assert_eq!(accumulator.root(), naive(&records), "{count} records");
        }
    }

    #[test]
    fn there_is_a_limit() {
        let mut accumulator = Accumulator::default();
        assert!((0..MAX_RECORDS).all(|_| accumulator.push(B256::ZERO, U256::ZERO)));
        assert!(!accumulator.push(B256::ZERO, U256::ZERO));
        assert_eq!(accumulator.len(), MAX_RECORDS);
    }
}
