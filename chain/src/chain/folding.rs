//! Writing blocks to disk on a thread of its own, so that execution goes on meanwhile.
//!
//! There is at most one transaction on its way. An error is kept and given to whoever asks next; nothing is written after it.

use super::ChainError;
use braid_storage::{Database, ExecutedBlock, Head, StorageError};
use parking_lot::{Condvar, Mutex};
use std::{
    sync::Arc,
    thread::{self, JoinHandle},
};

/// The writing thread.
#[derive(Debug)]
pub(super) struct Folding {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    job: Option<Vec<Arc<ExecutedBlock>>>,
    is_writing: bool,
    /// Written since the last look.
    written: Option<Head>,
    failure: Option<ChainError>,
    is_closed: bool,
}

impl State {
    const fn is_idle(&self) -> bool {
        self.job.is_none() && !self.is_writing
    }
}

impl Folding {
    pub(super) fn start(database: Arc<Database>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let thread = thread::Builder::new().name("braid-writer".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.work(|blocks| database.append(blocks))
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Whether nothing is being written.
    pub(super) fn is_idle(&self) -> bool {
        self.shared.state.lock().is_idle()
    }

    /// Begins to write blocks. The last ones must have been written.
    pub(super) fn begin(&self, blocks: Vec<Arc<ExecutedBlock>>) {
        let mut state = self.shared.state.lock();
        assert!(state.is_idle(), "one transaction at a time");
        state.job = Some(blocks);
        self.shared.changed.notify_all();
    }

    /// The last block that was written since the last call. Fails if writing failed, now or ever before.
    pub(super) fn written(&self) -> Result<Option<Head>, ChainError> {
        let mut state = self.shared.state.lock();
        match &state.failure {
            Some(error) => Err(error.clone()),
            None => Ok(state.written.take()),
        }
    }

    /// Waits until nothing is being written.
    pub(super) fn wait(&self) {
        let mut state = self.shared.state.lock();
        self.shared.changed.wait_while(&mut state, |state| !state.is_idle());
    }
}

impl Shared {
    fn work(&self, mut write: impl FnMut(&[Arc<ExecutedBlock>]) -> Result<Head, StorageError>) {
        loop {
            let blocks = {
                let mut state = self.state.lock();
                self.changed.wait_while(&mut state, |state| state.job.is_none() && !state.is_closed);
                let Some(blocks) = state.job.take() else { return };
                state.is_writing = true;
                blocks
            };
            let unwinding = ReportPanic(self);
            let result = write(&blocks);
            std::mem::forget(unwinding);
            let mut state = self.state.lock();
            state.is_writing = false;
            match result {
                Ok(head) => state.written = Some(head),
                Err(error) => state.failure = Some(error.into()),
            }
            self.changed.notify_all();
        }
    }
}

/// Lets nobody wait for a thread that is no more.
struct ReportPanic<'a>(&'a Shared);

impl Drop for ReportPanic<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.is_writing = false;
        state.failure = Some(ChainError::WriterStopped);
        self.0.changed.notify_all();
    }
}

impl Drop for Folding {
    /// What was begun is finished.
    fn drop(&mut self) {
        self.shared.state.lock().is_closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was reported by its own thread.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(job: bool) -> Shared {
        let state = State { job: job.then(Vec::new), is_closed: true, ..State::default() };
        Shared { state: Mutex::new(state), changed: Condvar::new() }
    }

    #[test]
    fn what_was_begun_is_finished_and_told_once() {
        let head = Head { number: 7, ..Head::default() };
        let folding = Folding { shared: Arc::new(shared(true)), thread: None };
        folding.shared.work(|_| Ok(head));
        folding.wait();
        assert_eq!(folding.written().unwrap(), Some(head));
        assert_eq!(folding.written().unwrap(), None);
    }

    #[test]
    fn a_failure_is_told_again_and_again() {
        let folding = Folding { shared: Arc::new(shared(true)), thread: None };
        folding.shared.work(|_| Err(StorageError::NotInitialised));
        for _ in 0..2 {
            assert!(matches!(folding.written(), Err(ChainError::Storage(_))));
        }
    }

    #[test]
    fn nobody_waits_for_a_writer_that_panicked() {
        let folding = Folding { shared: Arc::new(shared(true)), thread: None };
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| folding.shared.work(|_| panic!("disk"))));
        assert!(outcome.is_err());
        folding.wait();
        assert!(matches!(folding.written(), Err(ChainError::WriterStopped)));
    }
}
