//! Blocks are made: when, and how.

use super::{MAX_TIMESTAMP, MiningMode, Producer, Shared, Turn};
use crate::{ChainError, payload::BuiltPayload};
use alloy_primitives::B256;
use parking_lot::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// A block that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinedBlock {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Transactions in it.
    pub transactions: usize,
}

/// Wakes the thread that makes blocks.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    state: Mutex<AlarmState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct AlarmState {
    rings: bool,
    is_closed: bool,
}

impl Alarm {
    pub(super) fn ring(&self) {
        let mut state = self.state.lock();
        if !state.rings {
            state.rings = true;
            self.changed.notify_one();
        }
    }

    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Waits for a ring, or for so long. Gives whether to go on.
    fn wait(&self, longest: Option<Duration>) -> bool {
        let mut state = self.state.lock();
        let idle = |state: &mut AlarmState| !state.rings && !state.is_closed;
        match longest {
            Some(longest) => drop(self.changed.wait_while_for(&mut state, idle, longest)),
            None => self.changed.wait_while(&mut state, idle),
        }
        state.rings = false;
        !state.is_closed
    }
}

/// Whether a block without transactions is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Emptiness {
    Wanted,
    Unwanted,
}

impl Producer {
    /// Makes so many blocks, whose timestamps are `interval` seconds apart, if one is given. Gives the last one.
    pub fn mine(&self, count: u64, interval: Option<u64>) -> Result<Option<MinedBlock>, ChainError> {
        let mut turn = self.shared.turn();
        let mut last = None;
        for index in 0..count {
            if let Some(interval) = interval.filter(|_| index > 0) {
                let parent = self.shared.chain.head_block()?.header().timestamp;
                self.shared.settings.lock().next_timestamp = Some(parent.saturating_add(interval).min(MAX_TIMESTAMP));
            }
            last = self.shared.make(&mut turn, Emptiness::Wanted)?;
        }
        Ok(last)
    }

    /// Makes one block with this timestamp, in seconds, if it is later than that of the head.
    pub fn mine_at(&self, timestamp: u64) -> Result<Option<MinedBlock>, ChainError> {
        if !self.set_next_timestamp(timestamp)? {
            return Ok(None);
        }
        self.mine(1, None)
    }
}

/// An interval may be longer than clocks can tell: then it is very long.
fn after(time: Instant, interval: Duration) -> Instant {
    const VERY_LONG: Duration = Duration::from_secs(1 << 32);
    time.checked_add(interval).unwrap_or(time + VERY_LONG)
}

impl Shared {
    /// What the thread does.
    pub(super) fn run(&self) {
        let mut due = Instant::now();
        let mut interval = None;
        loop {
            let before = std::mem::replace(&mut interval, self.interval());
            if interval != before {
                due = after(Instant::now(), interval.unwrap_or_default());
            }
            if !self.alarm.wait(interval.map(|_| due.saturating_duration_since(Instant::now()))) {
                return;
            }
            let mode = self.settings.lock().mode;
            let result = match mode {
                MiningMode::Manual => Ok(()),
                MiningMode::Instant => self.make_all(),
                MiningMode::Interval(interval) if Instant::now() >= due => {
                    due = after(due, interval).max(Instant::now());
                    self.make(&mut self.turn(), Emptiness::Wanted).map(drop)
                }
                MiningMode::Interval(_) => Ok(()),
            };
            if let Err(error) = result {
                tracing::error!("no block was made: {error}");
                // What is wrong now is likely to be wrong for a while.
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// Blocks until there is nothing left for one.
    fn make_all(&self) -> Result<(), ChainError> {
        while self.settings.lock().mode == MiningMode::Instant {
            let made = self.make(&mut self.turn(), Emptiness::Unwanted)?;
            if made.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Makes a block on the head and moves the head to it.
    fn make(&self, _turn: &mut Turn, emptiness: Emptiness) -> Result<Option<MinedBlock>, ChainError> {
        let begin = Instant::now();
        let built = loop {
            let head = self.chain.head_block()?;
            let (attributes, overrides) = self.settings.lock().attributes(head.header());
            let built = match self.pending.take(&self.chain, &self.pool, &head, &attributes, &overrides) {
                Some(built) => {
                    self.chain.keep(&built)?;
                    Some(built)
                }
                None => self.chain.build_from(head.hash(), &attributes, &overrides, &*self.pool, |candidates| {
                    emptiness == Emptiness::Wanted || !candidates.is_empty()
                })?,
            };
            let Some(built) = built else { return Ok(None) };
            for (hash, reason) in &built.invalid {
                tracing::warn!("transaction {hash} cannot be executed and is dropped: {reason}");
                self.pool.remove(hash);
            }
            if !built.block.body.transactions.is_empty() || emptiness == Emptiness::Wanted {
                break built;
            }
            // Nothing of what was tried can be executed; there may be more behind it.
            if built.invalid.is_empty() {
                return Ok(None);
            }
        };
        self.adopt(built, begin).map(Some)
    }

    /// Makes a block of ours, which was begun at that time, the head.
    pub(super) fn adopt(&self, built: BuiltPayload, begin: Instant) -> Result<MinedBlock, ChainError> {
        let BuiltPayload { block, senders, .. } = built;
        let transactions = block.body.transactions.len();
        self.chain.senders().extend(block.body.transactions.iter().map(|tx| *tx.tx_hash()).zip(senders));
        self.settings.lock().made(&block.header);
        let mined = MinedBlock { number: block.header.number, hash: block.layer.block().hash, transactions };
        // The fork choice first: whoever hears of the head may ask for it.
        self.remember_head(mined.hash);
        self.chain.set_head(mined.hash)?;
        tracing::info!(
            number = mined.number,
            transactions,
            gas = block.header.gas_used,
            ms = begin.elapsed().as_micros() as f64 / 1000.0,
            "block"
        );
        Ok(mined)
    }
}
