//! Marks on an entry, used when a block comes with an access list: the list names it, and where; the block accessed it.

use super::claims::Listed;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

const LISTED: u8 = 1;
const ACCESSED: u8 = 2;
const DELETED: u8 = 4;

/// The marks of one entry.
#[derive(Debug)]
pub(crate) struct Marks {
    bits: AtomicU8,
    position: AtomicU32,
}

impl Default for Marks {
    fn default() -> Self {
        Self { bits: AtomicU8::new(0), position: AtomicU32::new(Listed::NOT.number()) }
    }
}

impl Marks {
    /// The supplied list names the key.
    pub(crate) fn list(&self) {
        self.bits.fetch_or(LISTED, Ordering::Relaxed);
    }

    /// Whether the supplied list names the key.
    pub(crate) fn is_listed(&self) -> bool {
        self.bits.load(Ordering::Relaxed) & LISTED != 0
    }

    /// The block accessed the key, which the list has at `position`; true the first time.
    pub(crate) fn access_at(&self, position: Listed) -> bool {
        let is_first = self.access();
        if is_first {
            self.position.store(position.number(), Ordering::Relaxed);
        }
        is_first
    }

    /// Where the list has the key, if the block accessed it. Call when no worker runs.
    pub(crate) fn position(&self) -> Listed {
        Listed::from_number(self.position.load(Ordering::Relaxed))
    }

    /// The block deleted the key; true the first time.
    pub(crate) fn delete(&self) -> bool {
        self.bits.fetch_or(DELETED, Ordering::Relaxed) & DELETED == 0
    }

    /// The block accessed the key; true the first time.
    pub(crate) fn access(&self) -> bool {
        self.bits.fetch_or(ACCESSED, Ordering::Relaxed) & ACCESSED == 0
    }
}
