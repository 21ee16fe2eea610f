//! The block that would be the head after a loss of power, and who wants to know.

use super::options::HeadWatcher;
use crate::block::Head;
use parking_lot::Mutex;

#[derive(Default)]
pub(super) struct DurableHead {
    head: Mutex<Head>,
    watchers: Mutex<Vec<HeadWatcher>>,
}

impl std::fmt::Debug for DurableHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableHead").field("head", &*self.head.lock()).finish_non_exhaustive()
    }
}

impl DurableHead {
    pub(super) fn new(head: Head) -> Self {
        Self { head: Mutex::new(head), watchers: Mutex::default() }
    }

    pub(super) fn get(&self) -> Head {
        *self.head.lock()
    }

    pub(super) fn watch(&self, watcher: HeadWatcher) {
        self.watchers.lock().push(watcher);
    }

    /// Moves forward; a head that is not above the present one changes nothing.
    pub(super) fn advance(&self, head: Head) {
        if head.number > self.get().number {
            self.set(head);
        }
    }

    /// Moves anywhere.
    pub(super) fn set(&self, head: Head) {
        *self.head.lock() = head;
        for watcher in &*self.watchers.lock() {
            watcher(head);
        }
    }
}
