//! Who writes, and when what was written becomes durable.

use super::{durable::DurableHead, shared::Shared};
use crate::{StorageError, block::Head};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// The one place through which everything is written.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    pub(super) durable: DurableHead,
    last_sync: Mutex<Instant>,
    /// Held by whoever writes.
    turn: Mutex<()>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, head: Head) -> Self {
        Self { shared, durable: DurableHead::new(head), last_sync: Mutex::new(Instant::now()), turn: Mutex::new(()) }
    }

    /// Waits for the turn to write.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock()
    }

    /// Makes everything up to the head durable. The caller has the turn.
    pub(super) fn sync(&self, head: Head) -> Result<(), StorageError> {
        self.shared.store.sync()?;
        *self.last_sync.lock() = Instant::now();
        self.durable.advance(head);
        Ok(())
    }

    /// The same if the last time is so long ago.
    pub(super) fn sync_after(&self, interval: Duration, head: Head) -> Result<(), StorageError> {
        let is_due = self.last_sync.lock().elapsed() >= interval;
        if is_due { self.sync(head) } else { Ok(()) }
    }

    /// What the timer does: makes durable what is not.
    fn tick(&self) {
        let _turn = self.turn();
        // The head of a writer is in memory, so asking for it does not fail; and what cannot be made durable now is tried again
        // next time, and by whoever appends or flushes, who can report it.
        if let Ok(head) = self.shared.head()
            && head.number > self.durable.get().number
        {
            let _ = self.sync(head);
        }
    }
}

/// Makes blocks durable when no others come.
#[derive(Debug)]
pub(super) struct Timer {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Timer {
    /// Begins; without a thread blocks become durable with those that come later.
    pub(super) fn start(writer: Arc<Writer>, interval: Duration) -> Self {
        let stop = Arc::new(Stop::default());
        let watched = Arc::clone(&stop);
        // A timer that never rests would leave nothing for others.
        let interval = interval.max(Duration::from_millis(10));
        let thread = thread::Builder::new().name("braid-sync".to_owned()).spawn(move || {
            let mut stopped = watched.stopped.lock();
            while !*stopped {
                if watched.changed.wait_for(&mut stopped, interval).timed_out() {
                    MutexGuard::unlocked(&mut stopped, || writer.tick());
                }
            }
        });
        Self { stop, thread: thread.ok() }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        *self.stop.stopped.lock() = true;
        self.stop.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic was reported by the thread itself.
            let _ = thread.join();
        }
    }
}
