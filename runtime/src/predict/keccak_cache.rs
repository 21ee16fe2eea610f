//! A per-worker, direct-mapped cache of short Keccak-256 inputs and their hashes.
//!
//! Read [`KeccakCache::get_or_hash`] first: it is what the EVM's `KECCAK256` opcode and the symbolic evaluation of
//! predicted slots share, so that a slot hash computed for the prediction is not computed again by the execution.
//! The reverse direction ([`KeccakCache::preimage_of`], [`KeccakCache::preimage_near`]) tells how an observed slot
//! number came about.
//!
//! There are three tables, all of fixed size and allocated once: 64-byte inputs (mapping slots), 32-byte inputs (dynamic
//! arrays) and other inputs of up to 128 bytes (`CREATE2` addresses, packed keys). Every entry always holds a true pair of
//! input and hash, so no entry needs a mark that it is in use. A collision only replaces an entry, hence inputs
//! chosen by an attacker can cost time (one hash each, as without the cache) but never give a wrong answer.

use super::shared_hashes::SharedHashes;
use alloy_primitives::{Address, B256, U256, keccak256};
use std::sync::Arc;

/// Longest input that is cached, in bytes.
pub const MAX_CACHED_INPUT: usize = 128;

/// Largest distance between a hash and a slot number for which [`KeccakCache::preimage_near`] sees a relation.
const MAX_OFFSET: u64 = 1 << 32;

/// Bits of the index into the table of 64-byte inputs unless told otherwise: 2,048 entries, 200 kB.
const DEFAULT_BITS: u32 = 11;

#[derive(Clone, Copy)]
#[repr(C)]
struct MappingEntry {
    input: [u8; 64],
    hash: B256,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct WordEntry {
    input: [u8; 32],
    hash: B256,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct LongEntry {
    input: [u8; MAX_CACHED_INPUT],
    hash: B256,
    length: u32,
}

/// The hash of 32, 64 or up to 128 bytes, remembered; see the module documentation.
#[derive(Clone)]
pub struct KeccakCache {
    mappings: Box<[MappingEntry]>,
    words: Box<[WordEntry]>,
    long: Box<[LongEntry]>,
    /// Indices into `mappings` by the leading bits of the hash: they survive the addition of a small offset.
    mapping_by_hash: Box<[u32]>,
    word_by_hash: Box<[u32]>,
    /// Indices into `long` by the trailing bits of the hash, which an address made from the hash keeps.
    long_by_hash: Box<[u32]>,
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
        let bits = bits.clamp(4, 24);
        let size = 1usize << bits;
        let small = (size / 8).max(16);
        Self {
            mappings: vec![MappingEntry { input: [0; 64], hash: keccak256([0; 64]) }; size].into_boxed_slice(),
            words: vec![WordEntry { input: [0; 32], hash: keccak256([0; 32]) }; small].into_boxed_slice(),
            long: vec![LongEntry { input: [0; MAX_CACHED_INPUT], hash: keccak256([]), length: 0 }; small]
                .into_boxed_slice(),
            mapping_by_hash: vec![0; size * 2].into_boxed_slice(),
            word_by_hash: vec![0; small * 2].into_boxed_slice(),
            long_by_hash: vec![0; small * 2].into_boxed_slice(),
            shared: None,
            hits: 0,
            misses: 0,
        }
    }

    /// A cache of the usual size that looks up its misses in `shared`.
    pub(crate) fn sharing(shared: Arc<SharedHashes>) -> Self {
        Self { shared: Some(shared), ..Self::default() }
    }

    /// Forgets everything and keeps the memory; what is shared stays.
    pub(crate) fn clear(&mut self) {
        self.mappings.fill(MappingEntry { input: [0; 64], hash: keccak256([0; 64]) });
        self.words.fill(WordEntry { input: [0; 32], hash: keccak256([0; 32]) });
        self.long.fill(LongEntry { input: [0; MAX_CACHED_INPUT], hash: keccak256([]), length: 0 });
        (self.hits, self.misses) = (0, 0);
    }

    /// Keccak-256 of 64 bytes.
    #[inline]
    pub fn get_or_hash(&mut self, input: &[u8; 64]) -> B256 {
        let mixed = mix(input);
        let index = mixed as usize & (self.mappings.len() - 1);
        let entry = &mut self.mappings[index];
        if entry.input == *input {
            self.hits += 1;
            return entry.hash;
        }
        self.misses += 1;
        let hash = match &self.shared {
            Some(shared) => shared.get_or_hash(input, mixed),
            None => keccak256(input),
        };
        *entry = MappingEntry { input: *input, hash };
        let reverse = leading(&hash) & (self.mapping_by_hash.len() - 1);
        self.mapping_by_hash[reverse] = index as u32;
        hash
    }

    /// Keccak-256 of 32 bytes, as Solidity hashes the slot of a dynamic array.
    #[inline]
    pub fn get_or_hash_word(&mut self, input: &[u8; 32]) -> B256 {
        let index = mix(input) as usize & (self.words.len() - 1);
        let entry = &mut self.words[index];
        if entry.input == *input {
            self.hits += 1;
            return entry.hash;
        }
        self.misses += 1;
        let hash = keccak256(input);
        *entry = WordEntry { input: *input, hash };
        let reverse = leading(&hash) & (self.word_by_hash.len() - 1);
        self.word_by_hash[reverse] = index as u32;
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
        if entry.length as usize == input.len() && entry.input[..input.len()] == *input {
            self.hits += 1;
            return entry.hash;
        }
        self.misses += 1;
        entry.input[..input.len()].copy_from_slice(input);
        entry.length = input.len() as u32;
        entry.hash = keccak256(input);
        let hash = entry.hash;
        let reverse = trailing(&hash.0) & (self.long_by_hash.len() - 1);
        self.long_by_hash[reverse] = index as u32;
        hash
    }

    /// The 64 bytes with this hash, if they are still in the cache.
    #[inline]
    pub fn preimage_of(&self, hash: &B256) -> Option<&[u8; 64]> {
        let index = self.mapping_by_hash[leading(hash) & (self.mapping_by_hash.len() - 1)];
        let entry = &self.mappings[index as usize];
        (entry.hash == *hash).then_some(&entry.input)
    }

    /// How a slot number came about: the cached input of 32 or 64 bytes whose hash is at or just below `slot`, and the
    /// distance (an array index, a field of a structure).
    pub fn preimage_near(&self, slot: U256) -> Option<(&[u8], u64)> {
        let word = B256::from(slot);
        let mapping = &self.mappings[self.mapping_by_hash[leading(&word) & (self.mapping_by_hash.len() - 1)] as usize];
        if let Some(offset) = small_difference(slot, mapping.hash) {
            return Some((&mapping.input, offset));
        }
        let array = &self.words[self.word_by_hash[leading(&word) & (self.word_by_hash.len() - 1)] as usize];
        small_difference(slot, array.hash).map(|offset| (array.input.as_slice(), offset))
    }

    /// The cached input (of neither 32 nor 64 bytes) whose hash ends in this address, as `CREATE2` makes addresses.
    pub fn preimage_of_address(&self, address: &Address) -> Option<&[u8]> {
        let index = self.long_by_hash[trailing(&address.0.0) & (self.long_by_hash.len() - 1)];
        let entry = &self.long[index as usize];
        (entry.hash[12..] == address[..]).then(|| &entry.input[..entry.length as usize])
    }

    /// The cached input of neither 32 nor 64 bytes with exactly this hash.
    pub fn long_preimage_of(&self, hash: &B256) -> Option<&[u8]> {
        let index = self.long_by_hash[trailing(&hash.0) & (self.long_by_hash.len() - 1)];
        let entry = &self.long[index as usize];
        (entry.hash == *hash).then(|| &entry.input[..entry.length as usize])
    }

    /// Look-ups answered from the cache, and those that had to hash, since it was made.
    pub const fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits, self.misses)
    }
}

/// `slot - hash` when it is small and not negative.
pub(super) fn small_difference(slot: U256, hash: B256) -> Option<u64> {
    let difference = slot.wrapping_sub(U256::from_be_bytes(hash.0));
    (difference < U256::from(MAX_OFFSET)).then(|| difference.to::<u64>())
}

fn leading(hash: &B256) -> usize {
    u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]]) as usize
}

fn trailing(bytes: &[u8]) -> usize {
    bytes.iter().rev().take(8).fold(0, |index, byte| index << 8 | *byte as usize)
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
    }

    #[test]
    fn a_second_look_up_hits_and_finds_the_way_back() {
        let mut cache = KeccakCache::default();
        let input = mapping(77, 3);
        let hash = cache.get_or_hash(&input);
        assert_eq!(cache.get_or_hash(&input), hash);
        assert_eq!(cache.hits_and_misses(), (1, 1));
        assert_eq!(cache.preimage_of(&hash), Some(&input));
        assert_eq!(cache.preimage_of(&keccak256([1])), None);
        let slot = U256::from_be_bytes(hash.0);
        assert_eq!(cache.preimage_near(slot + U256::from(5)), Some((input.as_slice(), 5)));
        assert_eq!(cache.preimage_near(slot - U256::from(1)), None);
    }

    #[test]
    fn arrays_and_created_addresses_find_their_inputs() {
        let mut cache = KeccakCache::default();
        let array = U256::from(9).to_be_bytes::<32>();
        let base = U256::from_be_bytes(cache.hash(&array).0);
        assert_eq!(cache.preimage_near(base + U256::from(100_000)), Some((array.as_slice(), 100_000)));
        let create2 = [0xff; 85];
        let hash = cache.hash(&create2);
        assert_eq!(cache.preimage_of_address(&Address::from_word(hash)), Some(create2.as_slice()));
        assert_eq!(cache.long_preimage_of(&hash), Some(create2.as_slice()));
        assert_eq!(cache.preimage_of_address(&Address::repeat_byte(3)), None);
    }
}
