//! Seeded choices shared by the profiles.

use alloy_primitives::{Address, keccak256};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// The generator of a profile: the same seed gives every profile its own stream.
pub(super) fn random(seed: u64, profile: &str) -> ChaCha12Rng {
    let mut material = seed.to_be_bytes().to_vec();
    material.extend_from_slice(profile.as_bytes());
    ChaCha12Rng::from_seed(keccak256(material).0)
}

/// Distinct random addresses.
pub(super) fn accounts(random: &mut ChaCha12Rng, count: usize) -> Vec<Address> {
    (0..count)
        .map(|index| {
            let mut bytes = [0_u8; 20];
            random.fill(&mut bytes[..]);
            // Distinct whatever the generator yields, and never a precompile.
            bytes[0] = 0xa0;
            bytes[1..5].copy_from_slice(&u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes());
            Address::from(bytes)
        })
        .collect()
}

/// Lengths of nonce chains, `count` transactions together: `percent` of them in chains whose lengths are by Zipf between 2 and 16,
/// the rest alone.
pub(super) fn chain_lengths(random: &mut ChaCha12Rng, count: usize, percent: usize) -> Vec<usize> {
    let lengths = Zipf::new(15, 1.0);
    let chained = count * percent / 100;
    let (mut result, mut total) = (Vec::new(), 0);
    while total < count {
        let length = if total < chained { 2 + lengths.sample(random) } else { 1 };
        result.push(length.min(count - total));
        total += length;
    }
    result
}

/// Ranks `0..count` with probability proportional to `1 / (rank + 1)^exponent`.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    pub(super) fn new(count: usize, exponent: f64) -> Self {
        let mut total = 0.0;
        let cumulative = (1..=count)
            .map(|rank| {
                total += (rank as f64).powf(-exponent);
                total
            })
            .collect();
        Self { cumulative }
    }

    pub(super) fn sample(&self, random: &mut ChaCha12Rng) -> usize {
        let total = self.cumulative.last().copied().unwrap_or_default();
        let point = random.random::<f64>() * total;
        self.cumulative.partition_point(|bound| *bound < point).min(self.cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_gives_the_same_accounts_and_all_are_distinct() {
        let first = accounts(&mut random(7, "x"), 1000);
        assert_eq!(first, accounts(&mut random(7, "x"), 1000));
        assert_ne!(first, accounts(&mut random(8, "x"), 1000));
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 1000);
    }

    #[test]
    fn low_ranks_of_zipf_come_most_often() {
        let (zipf, mut random) = (Zipf::new(100, 1.0), random(1, "zipf"));
        let mut counts = [0_usize; 100];
        for _ in 0..10_000 {
            counts[zipf.sample(&mut random)] += 1;
        }
        assert!(counts[0] > counts[1] && counts[1] > counts[10] && counts[10] > counts[90], "{counts:?}");
    }
}
