//! Difficulty of blocks of proof of work.
//!
//! Every fork moves the difficulty of the parent up or down by multiples of its 2048th part, depending on the time between
//! the two blocks, and adds the "bomb", which doubles every 100,000 blocks. Later forks put the bomb off by a fixed number
//! of blocks.

use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::U256;
use braid_runtime::ChainSpec;

/// Least difficulty of a block.
const MINIMUM: U256 = U256::from_limbs([131_072, 0, 0, 0]);
/// The parent's difficulty divided by this is the step by which difficulties change.
const STEP_DIVISOR: U256 = U256::from_limbs([2048, 0, 0, 0]);
/// Blocks after which the bomb doubles.
const BOMB_PERIOD: u64 = 100_000;
/// Most steps that the difficulty may fall from one block to the next (EIP-2, EIP-100).
const MOST_STEPS_DOWN: u64 = 99;

/// Difficulty of the block that follows `parent` at `timestamp` (seconds since 1970, later than the parent's) under the rules of
/// proof of work.
///
/// Frontier's rule, or those of EIP-2 and EIP-100, with the delays of the bomb of EIP-649, 1234, 2384, 3554, 4345 and 5133.
/// The least difficulty holds with the bomb included, as in the Yellow Paper.
pub fn next_difficulty(parent: &Header, timestamp: u64, spec: &ChainSpec) -> U256 {
    let number = parent.number.saturating_add(1);
    let elapsed = timestamp.saturating_sub(parent.timestamp);
    let step = parent.difficulty / STEP_DIVISOR;
    let adjusted = if spec.is_byzantium_active_at_block(number) {
        let ups = if parent.ommers_hash == EMPTY_OMMER_ROOT_HASH { 1 } else { 2 };
        moved(parent.difficulty, step, ups, elapsed / 9)
    } else if spec.is_homestead_active_at_block(number) {
        moved(parent.difficulty, step, 1, elapsed / 10)
    } else if elapsed < 13 {
        parent.difficulty.saturating_add(step)
    } else {
        parent.difficulty.saturating_sub(step)
    };
    adjusted.saturating_add(bomb(number.saturating_sub(bomb_delay(spec, number)))).max(MINIMUM)
}

/// `difficulty + step * max(ups - downs, -99)`.
fn moved(difficulty: U256, step: U256, ups: u64, downs: u64) -> U256 {
    match ups.checked_sub(downs) {
        Some(steps) => difficulty.saturating_add(step.saturating_mul(U256::from(steps))),
        None => {
            let steps = (downs - ups).min(MOST_STEPS_DOWN);
            difficulty.saturating_sub(step.saturating_mul(U256::from(steps)))
        }
    }
}

/// What the bomb adds to the difficulty of a block, as if it had this number.
fn bomb(number: u64) -> U256 {
    match (number / BOMB_PERIOD).checked_sub(2) {
        Some(exponent) if exponent < 256 => U256::from(1) << exponent,
        Some(_) => U256::MAX,
        None => U256::ZERO,
    }
}

/// By how many blocks the bomb is put off at block `number`.
fn bomb_delay(spec: &ChainSpec, number: u64) -> u64 {
    const DELAYS: [(EthereumHardfork, u64); 6] = [
        (EthereumHardfork::GrayGlacier, 11_400_000),
        (EthereumHardfork::ArrowGlacier, 10_700_000),
        (EthereumHardfork::London, 9_700_000),
        (EthereumHardfork::MuirGlacier, 9_000_000),
        (EthereumHardfork::Constantinople, 5_000_000),
        (EthereumHardfork::Byzantium, 3_000_000),
    ];
    let is_active = |fork| spec.ethereum_fork_activation(fork).active_at_block(number);
    DELAYS.into_iter().find(|(fork, _)| is_active(*fork)).map_or(0, |(_, delay)| delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;

    fn header(number: u64, difficulty: u64, timestamp: u64, has_ommers: bool) -> Header {
        let ommers_hash = if has_ommers { B256::repeat_byte(1) } else { EMPTY_OMMER_ROOT_HASH };
        Header { number, difficulty: U256::from(difficulty), timestamp, ommers_hash, ..Default::default() }
    }

    fn next(fork: &str, parent: &Header, timestamp: u64) -> u64 {
        next_difficulty(parent, timestamp, &ChainSpec::from_suite_fork(fork).unwrap()).to()
    }

    #[test]
    fn frontier_goes_one_step_up_or_down() {
        let parent = header(10, 2_048_000, 100, true);
        assert_eq!(next("Frontier", &parent, 112), 2_049_000);
        assert_eq!(next("Frontier", &parent, 113), 2_047_000);
        assert_eq!(next("Frontier", &parent, 9_999), 2_047_000);
    }

    #[test]
    fn homestead_falls_by_at_most_99_steps_whatever_the_ommers() {
        let parent = header(10, 2_048_000, 100, true);
        for (elapsed, expected) in
            [(1, 2_049_000), (10, 2_048_000), (20, 2_047_000), (1_000, 1_949_000), (9_999, 1_949_000)]
        {
            assert_eq!(next("Homestead", &parent, 100 + elapsed), expected, "{elapsed} s");
        }
    }

    #[test]
    fn byzantium_counts_the_ommers_of_the_parent() {
        let expected = [(1, 2_049_000, 2_050_000), (9, 2_048_000, 2_049_000), (9_999, 1_949_000, 1_949_000)];
        for (elapsed, without, with) in expected {
            assert_eq!(next("Byzantium", &header(10, 2_048_000, 100, false), 100 + elapsed), without, "{elapsed} s");
            assert_eq!(next("Byzantium", &header(10, 2_048_000, 100, true), 100 + elapsed), with, "{elapsed} s");
        }
    }

    #[test]
    fn nothing_goes_below_the_least_difficulty() {
        for fork in ["Frontier", "Homestead", "Byzantium", "GrayGlacier"] {
            assert_eq!(next(fork, &header(10, 131_072, 100, false), 5_000), 131_072, "{fork}");
            assert_eq!(next(fork, &header(10, 1, 100, false), 101), 131_072, "{fork}");
        }
    }

    #[test]
    fn each_delay_of_the_bomb() {
        for (fork, delay) in [
            ("Frontier", 0),
            ("Homestead", 0),
            ("Byzantium", 3_000_000),
            ("ConstantinopleFix", 5_000_000),
            ("Istanbul", 5_000_000),
            ("Berlin", 9_000_000),
            ("London", 9_700_000),
            ("ArrowGlacier", 10_700_000),
            ("GrayGlacier", 11_400_000),
        ] {
            let base = next(fork, &header(10, 2_048_000, 100, false), 101);
            let bomb = |number: u64| next(fork, &header(number - 1, 2_048_000, 100, false), 101) - base;
            assert_eq!(bomb(delay + 199_999), 0, "{fork}");
            assert_eq!(bomb(delay + 200_000), 1, "{fork}");
            assert_eq!(bomb(delay + 1_299_999), 1 << 10, "{fork}");
        }
    }

    #[test]
    fn rules_follow_the_schedule_of_the_chain() {
        let spec = ChainSpec::mainnet();
        // Blocks 1,150,000, 4,370,000 and 12,965,000 with their parents' fields.
        let homestead = header(1_149_999, 19_939_120_520_411, 1_457_981_342, false);
        let after = next_difficulty(&homestead, 1_457_981_393, &spec);
        assert_eq!(after, U256::from(19_939_120_520_411_u64 - 4 * (19_939_120_520_411 / 2048) + (1 << 9)));
        let byzantium = header(4_369_999, 3_000_000_000_000_000, 1_508_131_303, false);
        let after = next_difficulty(&byzantium, 1_508_131_331, &spec);
        assert_eq!(after, U256::from(3_000_000_000_000_000_u64 - 2 * (3_000_000_000_000_000 / 2048) + (1 << 11)));
    }

    #[test]
    fn absurd_headers_do_not_overflow() {
        let spec = ChainSpec::from_suite_fork("Homestead").unwrap();
        let parent = Header { difficulty: U256::MAX, number: u64::MAX, ..Default::default() };
        assert_eq!(next_difficulty(&parent, 1, &spec), U256::MAX);
    }
}
