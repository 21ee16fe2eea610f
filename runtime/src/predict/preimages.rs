//! Which hashes a transaction computed: the way back from a slot number to its mapping and key.

use super::keccak_cache::MAX_CACHED_INPUT;
use alloy_primitives::{Address, B256, U256};

/// Hashes per transaction that are kept.
const MAX_HASHES: usize = 4096;

/// Largest distance between a hash and a slot number that counts as a relation (an array index, a field of a structure).
const MAX_OFFSET: u64 = 1 << 32;

/// Where learning finds the inputs of hashes.
pub trait Preimages {
    /// The input of 32 or 64 bytes whose hash is at or just below `slot`, and the distance.
    fn near(&self, slot: U256) -> Option<(&[u8], u64)>;
    /// The input of another length with exactly this hash.
    fn long(&self, hash: &B256) -> Option<&[u8]>;
    /// The input of another length whose hash ends in this address.
    fn address(&self, address: &Address) -> Option<&[u8]>;
}

/// The hashes of one transaction, complete and independent of any worker's cache; reused.
#[derive(Clone, Debug, Default)]
pub struct KeccakPreimages {
    entries: Vec<(B256, u32, u32)>,
    bytes: Vec<u8>,
}

impl KeccakPreimages {
    /// Forgets everything, keeps the buffers.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
    }

    /// A hash was computed.
    pub fn record(&mut self, input: &[u8], hash: B256) {
        if input.len() > MAX_CACHED_INPUT || input.is_empty() || self.entries.len() >= MAX_HASHES {
            return;
        }
        if self.entries.iter().rev().take(16).any(|(seen, ..)| *seen == hash) {
            return;
        }
        let from = self.bytes.len() as u32;
        self.bytes.extend_from_slice(input);
        self.entries.push((hash, from, self.bytes.len() as u32));
    }

    fn find(&self, matches: impl Fn(&B256, usize) -> bool) -> Option<&[u8]> {
        let entry = self.entries.iter().find(|(hash, from, to)| matches(hash, (to - from) as usize))?;
        Some(&self.bytes[entry.1 as usize..entry.2 as usize])
    }
}

impl Preimages for KeccakPreimages {
    fn near(&self, slot: U256) -> Option<(&[u8], u64)> {
        self.entries.iter().find_map(|(hash, from, to)| {
            let length = to - from;
            let offset = small_difference(slot, *hash)?;
            (length == 32 || length == 64).then(|| (&self.bytes[*from as usize..*to as usize], offset))
        })
    }

    fn long(&self, hash: &B256) -> Option<&[u8]> {
        self.find(|seen, length| length != 32 && length != 64 && seen == hash)
    }

    fn address(&self, address: &Address) -> Option<&[u8]> {
        self.find(|seen, length| length != 32 && length != 64 && seen[12..] == address[..])
    }
}

/// `slot - hash` when it is small and not negative.
fn small_difference(slot: U256, hash: B256) -> Option<u64> {
    let difference = slot.wrapping_sub(U256::from_be_bytes(hash.0));
    (difference < U256::from(MAX_OFFSET)).then(|| difference.to::<u64>())
}
