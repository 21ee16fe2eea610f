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
        fold(fold(fold(a ^ s0, b ^ s1) ^ c, s2) ^ s0, s3)
    }

    /// Hash of a slot of the account that is known by the number `account`.
    #[inline(always)]
    pub(crate) fn slot(&self, account: u64, slot: &U256) -> u64 {
        let [l0, l1, l2, l3] = *slot.as_limbs();
        let [s0, s1, s2, s3] = self.seeds;
        let slot = fold(l0 ^ s0, l1 ^ s1) ^ fold(l2 ^ s2, l3 ^ s3);
        fold(fold(slot ^ account, s2) ^ s1, s3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Of 4,096 keys in 65,536 places chance alone lets 3,970 have one of their own.
    fn assert_spread(hashes: impl Iterator<Item = u64>, what: &str) {
        let places = hashes.collect::<HashSet<_>>().len();
        assert!(places > 3_600, "{what}: {places} places");
    }

    #[test]
    fn small_and_structured_keys_spread_over_few_bits() {
        for _ in 0..100 {
            let hasher = KeyHasher::default();
            let word = |number: u64| Address::from_word(U256::from(number).into());
            assert_spread(
                (0..4096).map(|slot| hasher.slot(7, &U256::from(slot)) & 0xffff),
                "consecutive slots, low bits",
            );
            assert_spread(
                (0..4096).map(|slot| hasher.slot(7, &U256::from(slot)) >> 48),
                "consecutive slots, high bits",
            );
            assert_spread(
                (0..4096).map(|account| hasher.slot(account, &U256::ZERO) & 0xffff),
                "slot 0 of many accounts",
            );
            assert_spread((0..4096).map(|number| hasher.address(&word(number)) & 0xffff), "addresses, low bits");
            assert_spread((0..4096).map(|number| hasher.address(&word(number)) >> 48), "addresses, high bits");
        }
    }
}
