//! An index over keys that are sorted already: nothing is copied, and a search looks at a few keys only.

use std::ops::Range;

/// Where sorted keys begin, by their leading bits. Most keys are hashes, so a few of them share a bucket at most.
#[derive(Debug)]
pub(super) struct Buckets {
    shift: u32,
    starts: Vec<u32>,
}

impl Buckets {
    /// Of keys whose leading 64 bits these are.
    pub(super) fn new(keys: impl ExactSizeIterator<Item = u64>) -> Self {
        let count = keys.len();
        let bits = (usize::BITS - count.leading_zeros()).clamp(1, 24);
        let mut buckets = Self { shift: u64::BITS - bits, starts: Vec::with_capacity((1 << bits) + 1) };
        for (position, key) in keys.enumerate() {
            let bucket = (key >> buckets.shift) as usize;
            while buckets.starts.len() <= bucket {
                buckets.starts.push(position as u32);
            }
        }
        buckets.starts.resize((1 << bits) + 1, count as u32);
        buckets
    }

    /// The positions at which a key with these leading bits can be.
    pub(super) fn of(&self, key: u64) -> Range<usize> {
        let bucket = (key >> self.shift) as usize;
        self.starts[bucket] as usize..self.starts[bucket + 1] as usize
    }
}
