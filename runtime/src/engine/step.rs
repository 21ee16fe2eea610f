//! A step that several threads do together, before any of them goes on to the next.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Looks at whether the others are done before offering them the core: some microseconds.
const LOOKS: u32 = 1_000;

/// Counts the threads that may be in the middle of the step.
#[derive(Debug, Default)]
pub(crate) struct Step(AtomicUsize);

impl Step {
    /// Does a share of the step, and returns when all threads have done theirs.
    ///
    /// `work` takes pieces until there are none left. A thread counts itself before it asks for a piece. So who finds none, and then nobody counted,
    /// knows that all are done; threads that come later find none either.
    pub(crate) fn together(&self, work: impl FnOnce()) {
        self.0.fetch_add(1, Ordering::SeqCst);
        let leave = LeaveOnDrop(&self.0);
        work();
        drop(leave);
        let mut looks = 0;
        while self.0.load(Ordering::SeqCst) > 0 {
            // The others are within one piece of the end, unless the system has taken their core away.
            looks += 1;
            if looks < LOOKS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// Counts a thread out, also if it panics: the others wait for it.
struct LeaveOnDrop<'a>(&'a AtomicUsize);

impl Drop for LeaveOnDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
