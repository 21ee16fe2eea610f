//! Blocks made by the node itself: a development chain, which nobody else decides about.
//!
//! There is one way in which a block comes about ([`Producer::mine`] and the thread in `mining` both go through `make`); instant, interval and manual
//! mining differ only in when. `settings` says what the next block is to be, `edits` changes the state without a block, `snapshots` goes back.
//! All of that takes turns.

mod edits;
mod mining;
mod settings;
mod snapshots;
#[cfg(test)]
mod tests;

pub use edits::StateEdit;
pub use mining::MinedBlock;
pub use settings::{MAX_TIMESTAMP, MiningMode, ProducerOptions};

use crate::{
    Chain, ChainBlock, ChainError, PendingBlocks,
    execution_engine::ForkChoiceState,
    payload::{HeaderOverrides, PayloadAttributes},
    pool::TransactionPool,
};
use alloy_primitives::{Address, B256};
use edits::Edits;
use mining::Alarm;
use parking_lot::{Mutex, MutexGuard};
use settings::Settings;
use snapshots::Snapshots;
use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

/// Makes the blocks of a chain.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    chain: Arc<Chain>,
    pool: Arc<TransactionPool>,
    settings: Mutex<Settings>,
    alarm: Alarm,
    /// Held by whoever makes a block or changes the chain otherwise.
    turn: Mutex<Turn>,
    pending: PendingBlocks,
}

/// What only changes while nobody else changes the chain.
#[derive(Debug)]
struct Turn {
    /// First block of the chain, to which a reset goes back.
    genesis: B256,
    edits: Edits,
    snapshots: Snapshots,
}

impl Producer {
    /// Begins to make blocks on the head of a chain.
    ///
    /// # Errors
    /// If the chain cannot be read or no thread can be started.
    pub fn start(
        chain: Arc<Chain>,
        pool: Arc<TransactionPool>,
        options: ProducerOptions,
    ) -> Result<Arc<Self>, ChainError> {
        let head = chain.head_block()?;
        let genesis = chain.canonical_hash(chain.database().history_from()?)?.unwrap_or_else(|| head.hash());
        let turn = Turn { genesis, edits: Edits::default(), snapshots: Snapshots::default() };
        pool.set_gas_limit(options.gas_limit);
        let settings = Settings::new(options, head.header().timestamp);
        let shared = Arc::new(Shared {
            chain,
            pool,
            settings: Mutex::new(settings),
            alarm: Alarm::default(),
            turn: Mutex::new(turn),
            pending: PendingBlocks::default(),
        });
        shared.remember_head(head.hash());
        shared.pool.watch_added({
            let shared = Arc::downgrade(&shared);
            move |_| {
                if let Some(shared) = shared.upgrade() {
                    shared.alarm.ring();
                }
            }
        });
        let thread = thread::Builder::new().name("braid-producer".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        });
        let thread = thread.map_err(|error| ChainError::Writer(Arc::new(error)))?;
        // The pool may hold transactions from before.
        shared.alarm.ring();
        Ok(Arc::new(Self { shared, thread: Mutex::new(Some(thread)) }))
    }

    /// The chain.
    pub fn chain(&self) -> &Arc<Chain> {
        &self.shared.chain
    }

    /// What a block on `parent` would be if it were made now.
    pub fn next_attributes(&self, parent: &ChainBlock) -> (PayloadAttributes, HeaderOverrides) {
        self.shared.settings.lock().attributes(parent.header())
    }

    /// Builds the block that would be made now for those who want to look at it.
    pub fn pending_blocks(&self) -> &PendingBlocks {
        &self.shared.pending
    }

    /// Stops making blocks. What is being made is finished.
    pub fn stop(&self) {
        self.shared.alarm.close();
        if let Some(thread) = self.thread.lock().take() {
            // A panic was reported by the thread itself.
            let _ = thread.join();
        }
    }

    /// When blocks are made.
    pub fn mode(&self) -> MiningMode {
        self.shared.settings.lock().mode
    }

    /// Makes blocks at other times from now on.
    pub fn set_mode(&self, mode: MiningMode) {
        self.shared.settings.lock().mode = mode;
        self.shared.alarm.ring();
    }

    /// Who gets the tips of the blocks to come.
    pub fn set_coinbase(&self, coinbase: Address) {
        self.shared.settings.lock().coinbase = coinbase;
    }

    /// Who gets the tips.
    pub fn coinbase(&self) -> Address {
        self.shared.settings.lock().coinbase
    }

    /// Gas limit of the blocks to come, in gas.
    pub fn set_gas_limit(&self, gas_limit: u64) {
        self.shared.settings.lock().gas_limit = Some(gas_limit);
        self.shared.pool.set_gas_limit(Some(gas_limit));
    }

    /// Base fee of the next block, in wei.
    pub fn set_next_base_fee(&self, base_fee: u64) {
        self.shared.settings.lock().next_base_fee = Some(base_fee);
    }

    /// `prevRandao` of the next block.
    pub fn set_next_prev_randao(&self, prev_randao: B256) {
        self.shared.settings.lock().next_prev_randao = Some(prev_randao);
    }

    /// Timestamp of the next block, in seconds; time goes on from there. It must be later than that of the head, and not later than [`MAX_TIMESTAMP`]: else it is not
    /// taken, and `false` comes back.
    pub fn set_next_timestamp(&self, timestamp: u64) -> Result<bool, ChainError> {
        let head = self.shared.chain.head_block()?;
        let is_possible = timestamp > head.header().timestamp && timestamp <= MAX_TIMESTAMP;
        if is_possible {
            self.shared.settings.lock().next_timestamp = Some(timestamp);
        }
        Ok(is_possible)
    }

    /// Moves the clock of the chain by so many seconds, so that the next block is at least as much later than the last one: blocks made in
    /// quick succession are ahead of the clock. Gives how far it is from the real one now, in seconds; `None` if that is later than [`MAX_TIMESTAMP`].
    pub fn increase_time(&self, seconds: u64) -> Result<Option<i64>, ChainError> {
        let last = self.shared.chain.head_block()?.header().timestamp;
        Ok(self.shared.settings.lock().clock.advance(seconds, last))
    }

    /// Sets the clock of the chain, in seconds. Gives how far it is from the real one now, in seconds; `None` if that is later than [`MAX_TIMESTAMP`].
    pub fn set_time(&self, timestamp: u64) -> Option<i64> {
        self.shared.settings.lock().clock.set(timestamp)
    }

    /// Seconds between the timestamps of blocks, whatever the clock says; `None` follows the clock again.
    pub fn set_timestamp_interval(&self, seconds: Option<u64>) -> bool {
        let mut settings = self.shared.settings.lock();
        std::mem::replace(&mut settings.timestamp_interval, seconds).is_some()
    }

    /// Wakes the thread that makes blocks, if transactions may have become ready otherwise than by being added.
    pub fn wake(&self) {
        self.shared.alarm.ring();
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock()
    }

    /// Nobody but this node decides about the chain, so its head is final.
    fn remember_head(&self, head: B256) {
        self.chain.remember_fork_choice(ForkChoiceState { head, safe: head, finalized: head });
    }

    /// How long after the last block the next one is due, if blocks come at intervals.
    fn interval(&self) -> Option<Duration> {
        match self.settings.lock().mode {
            MiningMode::Interval(interval) => Some(interval),
            MiningMode::Instant | MiningMode::Manual => None,
        }
    }
}
