//! What the next block is to be.

use crate::payload::{HeaderOverrides, PayloadAttributes};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MiningMode {
    /// As soon as there are transactions for one.
    Instant,
    /// So much time after the last one, with or without transactions.
    Interval(Duration),
    /// When [`mine`](super::Producer::mine) is called.
    Manual,
}

/// How blocks are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerOptions {
    /// When blocks are made.
    pub mode: MiningMode,
    /// Who gets the tips.
    pub coinbase: Address,
    /// Gas limit of the blocks, in gas; that of the parent without one.
    pub gas_limit: Option<u64>,
    /// Base fee of the first block that is made, in wei; what follows from its parent without one.
    pub base_fee: Option<u64>,
    /// Up to 32 bytes of anything.
    pub extra_data: Bytes,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            mode: MiningMode::Instant,
            coinbase: Address::ZERO,
            gas_limit: None,
            base_fee: None,
            extra_data: Bytes::new(),
        }
    }
}

/// The latest time that a chain can be set to, in seconds: later blocks still get later timestamps, by a second each, for as long as anybody makes them.
pub const MAX_TIMESTAMP: u64 = i64::MAX as u64;

/// The clock of the chain: the real one, and so many seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    offset: i64,
}

impl Clock {
    /// Seconds since 1970.
    pub(super) fn now(self) -> u64 {
        real_time().saturating_add_signed(self.offset).min(MAX_TIMESTAMP)
    }

    /// Moves on from now, or from the last block, whichever is later. Gives the seconds from the real time; `None`, and nothing changes, if that is beyond all time.
    pub(super) fn advance(&mut self, seconds: u64, last: u64) -> Option<i64> {
        let from = if seconds > 0 { self.now().max(last) } else { self.now() };
        self.set(from.checked_add(seconds)?)
    }

    /// Gives the seconds from the real time; `None`, and nothing changes, if that is beyond all time.
    pub(super) fn set(&mut self, timestamp: u64) -> Option<i64> {
        if timestamp > MAX_TIMESTAMP {
            return None;
        }
        let real = i64::try_from(real_time()).ok()?;
        self.offset = i64::try_from(timestamp).ok()?.saturating_sub(real);
        Some(self.offset)
    }
}

fn real_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) mode: MiningMode,
    pub(super) coinbase: Address,
    pub(super) gas_limit: Option<u64>,
    pub(super) clock: Clock,
    pub(super) timestamp_interval: Option<u64>,
    // These hold for the next block only.
    pub(super) next_timestamp: Option<u64>,
    pub(super) next_base_fee: Option<u64>,
    pub(super) next_prev_randao: Option<B256>,
    extra_data: Bytes,
}

impl Settings {
    /// The settings of a chain whose last block has this timestamp, in seconds. A chain that is ahead of the real clock stays ahead of it.
    pub(super) fn new(options: ProducerOptions, last_timestamp: u64) -> Self {
        let mut clock = Clock::default();
        if last_timestamp > clock.now() {
            clock.set(last_timestamp.min(MAX_TIMESTAMP));
        }
        Self {
            mode: options.mode,
            coinbase: options.coinbase,
            gas_limit: options.gas_limit,
            clock,
            timestamp_interval: None,
            next_timestamp: None,
            next_base_fee: options.base_fee,
            next_prev_randao: None,
            extra_data: options.extra_data,
        }
    }

    /// What a block on `parent` is to be.
    pub(super) fn attributes(&self, parent: &Header) -> (PayloadAttributes, HeaderOverrides) {
        let timestamp = match (self.next_timestamp, self.timestamp_interval) {
            (Some(timestamp), _) => timestamp,
            (None, Some(interval)) => parent.timestamp.saturating_add(interval).min(MAX_TIMESTAMP),
            (None, None) => self.clock.now(),
        };
        let attributes = PayloadAttributes {
            timestamp: timestamp.max(parent.timestamp.saturating_add(1)),
            // Anything will do that differs from block to block and is the same when the same is done again.
            prev_randao: self.next_prev_randao.unwrap_or_else(|| keccak256(parent.hash_slow())),
            fee_recipient: self.coinbase,
            extra_data: self.extra_data.clone(),
            ..PayloadAttributes::default()
        };
        let overrides =
            HeaderOverrides { base_fee: self.next_base_fee, gas_limit: self.gas_limit, ..HeaderOverrides::default() };
        (attributes, overrides)
    }

    /// A block was made.
    pub(super) fn made(&mut self, header: &Header) {
        if self.next_timestamp.take().is_some() {
            self.clock.set(header.timestamp.min(MAX_TIMESTAMP));
        }
        self.next_base_fee = None;
        self.next_prev_randao = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(ProducerOptions::default(), 0)
    }

    fn timestamp(settings: &Settings, parent: u64) -> u64 {
        settings.attributes(&Header { timestamp: parent, ..Header::default() }).0.timestamp
    }

    #[test]
    fn time_goes_on_from_where_it_was_set() {
        let mut settings = settings();
        let future = settings.clock.now() + 1_000_000;
        settings.next_timestamp = Some(future);
        assert_eq!(timestamp(&settings, 1), future);
        settings.made(&Header { timestamp: future, ..Header::default() });
        assert!(timestamp(&settings, future).abs_diff(future) < 60);
        assert!(settings.clock.advance(3600, future) >= Some(1_003_500));
        assert!(timestamp(&settings, future) >= future + 3600);
    }

    #[test]
    fn blocks_never_share_a_timestamp() {
        let mut settings = settings();
        let far = settings.clock.now() + 50;
        assert_eq!(timestamp(&settings, far), far + 1);
        settings.timestamp_interval = Some(12);
        assert_eq!(timestamp(&settings, far), far + 12);
    }

    #[test]
    fn time_increases_from_a_last_block_that_is_ahead() {
        let mut settings = settings();
        let last = settings.clock.now() + 50;
        settings.clock.advance(1000, last);
        assert!(timestamp(&settings, last) >= last + 1000);
    }

    #[test]
    fn time_has_an_end_but_blocks_have_none() {
        let mut settings = settings();
        for (seconds, last) in [(u64::MAX, 0), (1, u64::MAX), (MAX_TIMESTAMP, 1), (u64::MAX - 1, 5)] {
            let before = settings.clock;
            assert_eq!(settings.clock.advance(seconds, last), None);
            assert_eq!((settings.clock.set(u64::MAX), settings.clock), (None, before));
        }
        assert!(settings.clock.set(MAX_TIMESTAMP).is_some());
        assert!(settings.clock.now() >= MAX_TIMESTAMP - 60);
        assert_eq!(timestamp(&settings, MAX_TIMESTAMP), MAX_TIMESTAMP + 1);
        settings.timestamp_interval = Some(u64::MAX);
        assert_eq!(timestamp(&settings, 5), MAX_TIMESTAMP);
        assert_eq!(timestamp(&settings, MAX_TIMESTAMP + 1), MAX_TIMESTAMP + 2);
    }

    #[test]
    fn a_chain_ahead_of_the_clock_stays_ahead() {
        let ahead = real_time() + 500;
        let settings = Settings::new(ProducerOptions::default(), ahead);
        assert!(timestamp(&settings, ahead).abs_diff(ahead) < 60);
    }
}
