//! A per-worker, direct-mapped cache of short Keccak-256 inputs and their hashes.
//!
//! Read [`KeccakCache::get_or_hash`] first: it is what the EVM's `KECCAK256` opcode and the symbolic evaluation of
//! predicted slots share, so that a slot hash computed for the prediction is not computed again by the execution.
//!
//! There are three tables, all of fixed size and allocated once: 64-byte inputs (mapping slots), 32-byte inputs (dynamic
//! arrays) and other inputs of up to 128 bytes (`CREATE2` addresses, packed keys). Every entry always holds a true pair of
//! input and hash; its generation tells whether it may still be used, so that forgetting everything touches no entry. A collision
//! only replaces an entry, hence inputs chosen by an attacker can cost time (one hash each, as without the cache) but never give a
//! wrong answer.

use super::shared_hashes::SharedHashes;
use alloy_primitives::{B256, keccak256};
use std::sync::Arc;

/// Longest input that is cached, in bytes.
pub const MAX_CACHED_INPUT: usize = 128;

/// Bits of the index into the table of 64-byte inputs unless told otherwise: 2,048 entries, 200 kB.
const DEFAULT_BITS: u32 = 11;

/// An input of `N` bytes or, in the table of other inputs, of `length` bytes.
#[derive(Clone, Copy)]
#[repr(C)]
struct Entry<const N: usize> {
    input: [u8; N],
    hash: B256,
    generation: u32,
    length: u32,
}

impl<const N: usize> Entry<N> {
    /// Generation zero is none: the entry is not in use.
    fn table(size: usize) -> Box<[Self]> {
        vec![Self { input: [0; N], hash: B256::ZERO, generation: 0, length: 0 }; size].into_boxed_slice()
    }
}

/// The hash of 32, 64 or up to 128 bytes, remembered; see the module documentation.
#[derive(Clone)]
pub struct KeccakCache {
    mappings: Box<[Entry<64>]>,
    words: Box<[Entry<32>]>,
    long: Box<[Entry<MAX_CACHED_INPUT>]>,
    generation: u32,
    /// Where a 64-byte input that is not here may have been hashed already.
    shared: Option<Arc<SharedHashes>>,
    hits: u64,
    misses: u64,
}

impl std::fmt::Debug for KeccakCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KeccakCache")
            .field("capacity", &self.mappings.len())
            .field("hits", &self.hits)
            .field("misses", &self.misses)
            .finish()
    }
}

impl Default for KeccakCache {
    fn default() -> Self {
        Self::with_bits(DEFAULT_BITS)
    }
}

impl KeccakCache {
    /// A cache of `2^bits` 64-byte inputs (100 bytes each); the other tables are smaller by a fixed factor.
    /// `bits` is clamped to 4–24.
    pub fn with_bits(bits: u32) -> Self {
        let size = 1usize << bits.clamp(4, 24);
        let small = (size / 8).max(16);
        Self {
            mappings: Entry::table(size),
            words: Entry::table(small),
            long: Entry::table(small),
            generation: 1,
            shared: None,
            hits: 0,
            misses: 0,
        }
    }

    /// A cache of the usual size that looks up its misses in `shared`, if there is one.
    pub(crate) fn sharing(shared: Option<Arc<SharedHashes>>) -> Self {
        Self { shared, ..Self::default() }
    }

    /// Forgets everything and keeps the memory; what is shared stays.
    pub(crate) fn clear(&mut self) {
        (self.hits, self.misses) = (0, 0);
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.mappings.iter_mut().for_each(|entry| entry.generation = 0);
            self.words.iter_mut().for_each(|entry| entry.generation = 0);
            self.long.iter_mut().for_each(|entry| entry.generation = 0);
            self.generation = 1;
        }
    }

    /// Keccak-256 of 64 bytes.
    #[inline]
    pub fn get_or_hash(&mut self, input: &[u8; 64]) -> B256 {
        let mixed = mix(input);
        let index = mixed as usize & (self.mappings.len() - 1);
        let entry = &mut self.mappings[index];
        if entry.generation == self.generation && entry.input == *input {
            self.hits += 1;
            return entry.hash;
        }
        self.misses += 1;
        let hash = match &self.shared {
            Some(shared) => shared.get_or_hash(input, mixed),
            None => keccak256(input),
        };
        *entry = Entry { input: *input, hash, generation: self.generation, length: 64 };
        hash
    }

    /// Keccak-256 of 32 bytes, as Solidity hashes the slot of a dynamic array.
    #[inline]
    pub fn get_or_hash_word(&mut self, input: &[u8; 32]) -> B256 {
        let index = mix(input) as usize & (self.words.len() - 1);
        let entry = &mut self.words[index];
        if entry.generation == self.generation && entry.input == *input {
            self.hits += 1;
            return entry.hash;
        }
        self.misses += 1;
        let hash = keccak256(input);
        *entry = Entry { input: *input, hash, generation: self.generation, length: 32 };
        hash
    }

    /// Keccak-256 of any input: from the cache when it has 32 bytes, 64 bytes, or at most [`MAX_CACHED_INPUT`].
    #[inline]
    pub fn hash(&mut self, input: &[u8]) -> B256 {
        if let Ok(input) = <&[u8; 64]>::try_from(input) {
            return self.get_or_hash(input);
        }
        if let Ok(input) = <&[u8; 32]>::try_from(input) {
            return self.get_or_hash_word(input);
        }
        if input.is_empty() || input.len() > MAX_CACHED_INPUT {
            return keccak256(input);
        }
        self.hash_long(input)
    }

    fn hash_long(&mut self, input: &[u8]) -> B256 {
        let index = mix(input) as usize & (self.long.len() - 1);
        let entry = &mut self.long[index];
        let is_known = entry.generation == self.generation && entry.length as usize == input.len();
        if is_known && entry.input[..input.len()] == *input {
            self.hits += 1;
            return entry.hash;
        }
        self.misses += 1;
        entry.input[..input.len()].copy_from_slice(input);
        entry.length = input.len() as u32;
        entry.generation = self.generation;
        entry.hash = keccak256(input);
        entry.hash
    }

    /// Look-ups answered from the cache, and those that had to hash, since it was made.
    pub const fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }
}

/// Folds the input into an index: a few multiplications, enough to spread real inputs over the table.
#[inline]
fn mix(input: &[u8]) -> u64 {
    const KEYS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];
    let mut state = KEYS[0] ^ input.len() as u64;
    let mut chunks = input.chunks_exact(16);
    for chunk in &mut chunks {
        let mut low = [0; 8];
        let mut high = [0; 8];
        low.copy_from_slice(&chunk[..8]);
        high.copy_from_slice(&chunk[8..]);
        state = fold(state ^ u64::from_le_bytes(low), KEYS[1] ^ u64::from_le_bytes(high));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let mut bytes = [0; 16];
        bytes[..rest.len()].copy_from_slice(rest);
        let word = u128::from_le_bytes(bytes);
        state = fold(state ^ word as u64, KEYS[1] ^ (word >> 64) as u64);
    }
    state ^ state >> 32
}

#[inline]
const fn fold(left: u64, right: u64) -> u64 {
    let product = (left as u128).wrapping_mul(right as u128 | 1);
    (product as u64).wrapping_add((product >> 64) as u64).rotate_left(23)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(key: u64, slot: u64) -> [u8; 64] {
        let mut input = [0; 64];
        input[24..32].copy_from_slice(&key.to_be_bytes());
        input[56..].copy_from_slice(&slot.to_be_bytes());
        input
    }

    #[test]
    fn hashes_are_true_in_every_table_also_after_collisions() {
        let mut cache = KeccakCache::with_bits(4);
        for round in 0..3 {
            for key in 0..200 {
                let input = mapping(key, round);
                assert_eq!(cache.get_or_hash(&input), keccak256(input));
                assert_eq!(cache.hash(&input[..32]), keccak256(&input[..32]));
                assert_eq!(cache.hash(&input[..40]), keccak256(&input[..40]));
                let long = [input.as_slice(), &input, &input].concat();
                assert_eq!(cache.hash(&long), keccak256(&long));
            }
        }
        assert_eq!(cache.hash(&[]), keccak256([]));
        assert_eq!(cache.hash(&[0; 64]), keccak256([0; 64]));
    }

    #[test]
    fn a_second_look_up_hits_until_everything_is_forgotten() {
        let mut cache = KeccakCache::default();
        let inputs = [&mapping(77, 3)[..], &[5; 32], &[6; 85]];
        for expected in [(0, 3), (3, 3)] {
            inputs.iter().for_each(|input| assert_eq!(cache.hash(input), keccak256(input)));
            assert_eq!(cache.hits_and_misses(), expected);
        }
        for generation in [1, u32::MAX] {
            cache.generation = generation;
            inputs.iter().for_each(|input| assert_eq!(cache.hash(input), keccak256(input)));
            cache.clear();
            inputs.iter().for_each(|input| assert_eq!(cache.hash(input), keccak256(input)));
            assert_eq!(cache.hits_and_misses(), (0, 3), "after generation {generation}");
        }
    }
}
