//! Two marks on an entry, used when a block comes with an access list: the list names it; the block accessed it.

use std::sync::atomic::{AtomicU8, Ordering};

const LISTED: u8 = 1;
const ACCESSED: u8 = 2;

/// The marks of one entry.
#[derive(Debug, Default)]
pub(crate) struct Marks(AtomicU8);

impl Marks {
    /// The supplied list names the key.
    pub(crate) fn list(&self) {
        self.0.fetch_or(LISTED, Ordering::Relaxed);
    }

    /// Whether the supplied list names the key.
    pub(crate) fn is_listed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LISTED != 0
    }

    /// The block accessed the key; true the first time.
    pub(crate) fn access(&self) -> bool {
        self.0.fetch_or(ACCESSED, Ordering::Relaxed) & ACCESSED == 0
    }
}
