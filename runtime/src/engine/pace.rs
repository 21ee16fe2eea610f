//! How fast this machine executes the blocks that come at the moment.
//!
//! Whether other threads are worth waking depends on how long a block takes, and gas tells little about that: from Frontier to Osaka, the
//! gas executed in a nanosecond differs by a factor of ten. Blocks that follow each other are alike, though.

use std::time::Duration;

/// Gas of a nanosecond until something was measured: a mean of recent mainnet blocks on one server core.
const FIRST_GUESS: f64 = 3.0;

/// Part of what is known that a new measurement replaces.
const WEIGHT: f64 = 0.3;

/// What several threads together do, compared with one, when the truth is not known. More would make short blocks look long.
const ASSUMED_SPEED_UP: f64 = 1.5;

/// Least gas that says anything.
const LEAST_GAS: u64 = 100_000;

/// The pace of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    gas_per_nano: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { gas_per_nano: FIRST_GUESS }
    }
}

impl Pace {
    /// Time that one thread needs for so much gas on the EVM, in nanoseconds.
    pub(crate) fn nanos(self, gas: u64) -> u64 {
        (gas as f64 / self.gas_per_nano) as u64
    }

    /// So much gas took so long, on one thread or on several.
    pub(crate) fn measured(&mut self, gas: u64, time: Duration, on_several: bool) {
        let nanos = time.as_nanos() as f64 * if on_several { ASSUMED_SPEED_UP } else { 1.0 };
        if gas >= LEAST_GAS && nanos > 0.0 {
            // A pause of the machine is no measurement of anything, nor is a block that does nothing.
            let measured = (gas as f64 / nanos).clamp(0.3, 100.0);
            self.gas_per_nano += WEIGHT * (measured - self.gas_per_nano);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_the_blocks() {
        let mut pace = Pace::default();
        assert_eq!(pace.nanos(3_000_000), 1_000_000);
        (0..30).for_each(|_| pace.measured(8_000_000, Duration::from_micros(400), false));
        assert!((390_000..410_000).contains(&pace.nanos(8_000_000)));
        (0..30).for_each(|_| pace.measured(8_000_000, Duration::from_millis(2), true));
        assert!((2_900_000..3_100_000).contains(&pace.nanos(8_000_000)));
        pace.measured(21_000, Duration::from_secs(1), false);
        assert!(pace.nanos(8_000_000) < 3_100_000, "too little to say anything");
    }
}
