//! Hashing of fixed-size keys for the engine's tables.
//!
//! The seeds are random in every process, so nobody can choose keys that all fall into one bucket. Keys are always compared in full: a
//! collision costs time and nothing else.

use alloy_primitives::{Address, U256, map::DefaultHashBuilder};
use std::hash::BuildHasher;

/// A seeded hash function.
#[derive(Clone, Debug)]
pub(crate) struct KeyHasher {
    seeds: [u64; 4],
}

impl Default for KeyHasher {
    fn default() -> Self {
        let random = DefaultHashBuilder::default();
        Self { seeds: [1u64, 2, 3, 4].map(|number| random.hash_one(number) | 1) }
    }
}

#[inline(always)]
const fn fold(x: u64, y: u64) -> u64 {
    let product = (x as u128) * (y as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

impl KeyHasher {
    /// Hash of an address.
    #[inline(always)]
    pub(crate) fn address(&self, address: &Address) -> u64 {
        let bytes = &address.0.0;
        let [a, b, c] = [
            u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]]),
            u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]),
            u64::from(u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]])),
        ];
        let [s0, s1, s2, s3] = self.seeds;
        fold(fold(a ^ s0, b ^ s1) ^ c ^ s2, s3)
    }

    /// Hash of a slot of the account that is known by the number `account`.
    #[inline(always)]
    pub(crate) fn slot(&self, account: u64, slot: &U256) -> u64 {
        let [l0, l1, l2, l3] = *slot.as_limbs();
        let [s0, s1, s2, s3] = self.seeds;
        fold(fold(l0 ^ s0, l1 ^ s1) ^ account ^ s3, fold(l2 ^ s2, l3 ^ s3) ^ s0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn small_and_structured_keys_spread_over_few_bits() {
        let hasher = KeyHasher::default();
        let slots = (0..4096u64).map(|slot| hasher.slot(7, &U256::from(slot)) & 0xffff);
        assert!(slots.collect::<HashSet<_>>().len() > 3800, "consecutive slots");
        let slots = (0..4096u64).map(|account| hasher.slot(account, &U256::ZERO) & 0xffff);
        assert!(slots.collect::<HashSet<_>>().len() > 3800, "the same slot of many accounts");
        let addresses = (0..4096u64).map(|number| hasher.address(&Address::from_word(U256::from(number).into())) >> 48);
        assert!(addresses.collect::<HashSet<_>>().len() > 3800, "consecutive addresses, high bits");
    }
}
