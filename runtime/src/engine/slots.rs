//! Per-transaction scheduling state: how it will run, what it waits for, and who waits for it.
//!
//! The protocol is small. A dependent registers with its predecessor under the predecessor's lock; if the predecessor is done already, there is
//! nothing to wait for. Whoever finishes a transaction takes the list under the same lock, so no dependent is missed or released
//! twice. `waiting` starts at one for the planner itself, so nothing is released while its edges are still being drawn.

use super::{native::NativeTransfer, record::TransactionRecord};
use crossbeam_utils::atomic::AtomicCell;
use parking_lot::Mutex;
use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
};

/// How a transaction runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    /// Not planned yet.
    Unplanned = 0,
    /// A plain transfer, done at its turn without the EVM.
    Native = 1,
    /// On the EVM at its turn.
    Ordered = 2,
    /// On the EVM ahead of its turn, validated at its turn.
    Ahead = 3,
}

/// When a dependent may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// When the predecessor's writes are published.
    Executed,
    /// When the predecessor is committed.
    Committed,
}

#[derive(Debug, Default)]
struct Links {
    executed: bool,
    committed: bool,
    on_executed: Vec<u32>,
    on_committed: Vec<u32>,
}

/// Scheduling state of one transaction. No two share a cache line, since neighbours are mostly at work at the same time.
#[derive(Default)]
#[repr(align(64))]
pub(crate) struct TransactionSlot {
    class: AtomicU8,
    ran: AtomicBool,
    recorded: AtomicBool,
    waiting: AtomicU32,
    priority: AtomicU64,
    links: Mutex<Links>,
    /// Valid for [`Class::Native`] only.
    pub(crate) native: Mutex<Option<NativeTransfer>>,
    /// What the transaction left behind, from its execution to its commit, or to the end of the block if records are kept.
    record: AtomicCell<Option<Box<TransactionRecord>>>,
}

impl fmt::Debug for TransactionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactionSlot")
            .field("class", &self.class())
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

impl TransactionSlot {
    /// Makes the slot ready for another transaction, and keeps the memory. Only the planner calls it, before anybody looks at the slot.
    pub(crate) fn reset(&self) {
        self.class.store(Class::Unplanned as u8, Ordering::Relaxed);
        self.ran.store(false, Ordering::Relaxed);
        self.recorded.store(false, Ordering::Relaxed);
        self.waiting.store(1, Ordering::Relaxed);
        self.priority.store(0, Ordering::Relaxed);
        let mut links = self.links.lock();
        (links.executed, links.committed) = (false, false);
        links.on_executed.clear();
        links.on_committed.clear();
    }

    /// Puts the transaction's record here for whoever commits it.
    pub(crate) fn put_record(&self, record: Box<TransactionRecord>) {
        self.record.store(Some(record));
    }

    /// Takes the transaction's record away. It may be one of an earlier block, to be overwritten.
    pub(crate) fn take_record(&self) -> Option<Box<TransactionRecord>> {
        self.record.take()
    }

    /// Drops what an earlier block has left, before records are to be looked at: it points into a state that is gone.
    pub(crate) fn forget_record(&self) {
        drop(self.take_record());
    }

    /// Looks at the transaction's record, if there is one.
    pub(crate) fn with_record(&self, look: impl FnOnce(&TransactionRecord)) {
        if let Some(record) = self.record.take() {
            look(&record);
            self.record.store(Some(record));
        }
    }

    pub(crate) fn class(&self) -> Class {
        match self.class.load(Ordering::Acquire) {
            0 => Class::Unplanned,
            1 => Class::Native,
            2 => Class::Ordered,
            _ => Class::Ahead,
        }
    }

    pub(crate) fn set_class(&self, class: Class) {
        self.class.store(class as u8, Ordering::Release);
    }

    /// Whether the ordered commit can take the transaction now, provided all before it are committed.
    pub(crate) fn is_ready_for_commit(&self) -> bool {
        match self.class() {
            Class::Unplanned => false,
            Class::Native | Class::Ordered => true,
            Class::Ahead => self.ran.load(Ordering::SeqCst),
        }
    }

    /// Whether the predictor wants to learn from the transaction.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Asks for a recording; before the transaction can be released.
    pub(crate) fn set_recorded(&self) {
        self.recorded.store(true, Ordering::Relaxed);
    }

    /// The execution ahead is over and its record is complete.
    pub(crate) fn set_ran(&self) {
        self.ran.store(true, Ordering::SeqCst);
    }

    /// Makes `dependent` wait for this transaction. False when there is nothing left to wait for.
    pub(crate) fn add_dependent(&self, dependent: u32, until: Until) -> bool {
        let mut links = self.links.lock();
        match until {
            Until::Executed if !links.executed => links.on_executed.push(dependent),
            Until::Committed if !links.committed => links.on_committed.push(dependent),
            _ => return false,
        }
        true
    }

    /// Gas of the longest chain behind the transaction, zero when that is nothing special.
    pub(crate) fn priority(&self) -> u64 {
        self.priority.load(Ordering::Relaxed)
    }

    /// Sets the priority; before the transaction can be released.
    pub(crate) fn set_priority(&self, priority: u64) {
        self.priority.store(priority, Ordering::Relaxed);
    }

    /// One more thing to wait for.
    pub(crate) fn hold(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    /// One thing less to wait for; true for the last one.
    pub(crate) fn release(&self) -> bool {
        self.waiting.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Marks the transaction as executed and returns who waited for that.
    pub(crate) fn take_on_executed(&self) -> Vec<u32> {
        let mut links = self.links.lock();
        links.executed = true;
        std::mem::take(&mut links.on_executed)
    }

    /// Marks a transaction that ran at its turn as executed and committed, and returns who waited for either.
    pub(crate) fn take_all(&self) -> Vec<u32> {
        let mut links = self.links.lock();
        (links.executed, links.committed) = (true, true);
        let mut dependents = std::mem::take(&mut links.on_executed);
        dependents.append(&mut links.on_committed);
        dependents
    }

    /// Marks the transaction as committed and returns who waited for that.
    pub(crate) fn take_on_committed(&self) -> Vec<u32> {
        let mut links = self.links.lock();
        links.committed = true;
        std::mem::take(&mut links.on_committed)
    }
}
