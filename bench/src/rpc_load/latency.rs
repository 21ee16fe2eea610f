//! Latencies as percentiles.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Latencies of many calls, with three digits kept.
#[derive(Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
}

/// Longest latency that is told apart.
const LONGEST: Duration = Duration::from_secs(3600);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3);
        Self { histogram: histogram.expect("the bounds are constants, low is at least 1 and high twice of it") }
    }
}

impl Latencies {
    /// Adds one call.
    pub fn add(&mut self, latency: Duration) {
        self.histogram.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all calls of another.
    pub fn add_all(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all have the same bounds");
    }

    /// Calls seen.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The latency that `percent` of the calls did not exceed; zero when there are none.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.histogram.value_at_percentile(percent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_sample() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50.0), Duration::ZERO);
        for millisecond in 1..=100 {
            latencies.add(Duration::from_millis(millisecond));
        }
        assert_eq!(latencies.count(), 100);
        let near = |percent, milliseconds: f64| {
            let seen = latencies.percentile(percent).as_secs_f64() * 1e3;
            assert!((seen / milliseconds - 1.0).abs() < 0.002, "{percent} %: {seen} ms instead of {milliseconds}");
        };
        near(50.0, 50.0);
        near(99.0, 99.0);
        near(100.0, 100.0);
    }

    #[test]
    fn samples_are_added_up_and_extremes_kept_in_bounds() {
        let (mut latencies, mut other) = (Latencies::default(), Latencies::default());
        other.add(Duration::from_millis(7));
        other.add(Duration::from_secs(100_000));
        latencies.add(Duration::ZERO);
        latencies.add_all(&other);
        assert_eq!(latencies.count(), 3);
        assert!(latencies.percentile(100.0) >= LONGEST);
    }
}
