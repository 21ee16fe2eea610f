//! One storage slot while the block executes: its value in the parent block and every value written to it, by block access index.
//!
//! A worker publishes what a transaction wrote as soon as the transaction has run, before it is committed; whether a reader was right to
//! believe it is found out when the reader commits, by value. `stamp` counts the changes of the version list, so an unchanged stamp
//! means that an earlier read still holds.

use super::{account::AccountRef, arena::EntryRef, marks::Marks};
use alloy_primitives::U256;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Pointer to a slot's entry.
pub(crate) type SlotRef = EntryRef<SlotEntry>;

/// A value written to the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotVersion {
    /// Block access index of the writer.
    pub(crate) index: u32,
    /// Value after it.
    pub(crate) value: U256,
}

/// Versions ordered by index. The first one lies in the entry: most slots are written once in a block.
#[derive(Debug, Default)]
struct Versions {
    first: Option<SlotVersion>,
    rest: Vec<SlotVersion>,
}

impl Versions {
    /// The last version whose index is below `index`.
    fn before(&self, index: u32) -> Option<SlotVersion> {
        // Readers are nearly always near the end.
        if let Some(version) = self.rest.iter().rev().find(|version| version.index < index) {
            return Some(*version);
        }
        self.first.filter(|version| version.index < index)
    }

    /// Sets the value at `index`; false when it was there already.
    fn set(&mut self, index: u32, value: U256) -> bool {
        let Some(first) = &mut self.first else {
            self.first = Some(SlotVersion { index, value });
            return true;
        };
        if first.index == index {
            let changed = first.value != value;
            first.value = value;
            return changed;
        }
        if first.index > index {
            let displaced = std::mem::replace(first, SlotVersion { index, value });
            self.rest.insert(0, displaced);
            return true;
        }
        let at = self.rest.iter().rposition(|version| version.index <= index).map_or(0, |position| position + 1);
        if at > 0 && self.rest[at - 1].index == index {
            let changed = self.rest[at - 1].value != value;
            self.rest[at - 1].value = value;
            return changed;
        }
        self.rest.insert(at, SlotVersion { index, value });
        true
    }

    /// The value written at `index` itself.
    fn at(&self, index: u32) -> Option<U256> {
        self.first.iter().chain(&self.rest).find(|version| version.index == index).map(|version| version.value)
    }

    fn remove(&mut self, index: u32) -> bool {
        if self.first.is_some_and(|first| first.index == index) {
            self.first = (!self.rest.is_empty()).then(|| self.rest.remove(0));
            return true;
        }
        match self.rest.iter().rposition(|version| version.index == index) {
            Some(position) => {
                self.rest.remove(position);
                true
            }
            None => false,
        }
    }
}

/// Entry of one storage slot.
pub(crate) struct SlotEntry {
    /// The account that owns the slot.
    pub(crate) account: AccountRef,
    /// Slot number.
    pub(crate) slot: U256,
    /// Value in the parent block.
    pub(crate) base: U256,
    stamp: AtomicU32,
    marks: Marks,
    versions: Mutex<Versions>,
}

impl SlotEntry {
    pub(crate) fn new(account: AccountRef, slot: U256, base: U256) -> Self {
        Self { account, slot, base, stamp: AtomicU32::new(0), marks: Marks::default(), versions: Mutex::default() }
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Number of changes of the version list so far.
    #[inline]
    pub(crate) fn stamp(&self) -> u32 {
        self.stamp.load(Ordering::Acquire)
    }

    /// The value that the transaction with block access index `index` should see, with the stamp it was read under.
    pub(crate) fn read(&self, index: u32) -> (U256, u32) {
        let stamp = self.stamp();
        let wiped_at = self.account.wiped_at();
        let parent = if wiped_at == 0 || wiped_at >= index { self.base } else { U256::ZERO };
        if stamp == 0 {
            return (parent, 0);
        }
        let versions = self.versions.lock();
        let stamp = self.stamp();
        let value = match versions.before(index) {
            Some(version) if wiped_at == 0 || wiped_at >= index || version.index > wiped_at => version.value,
            _ => parent,
        };
        (value, stamp)
    }

    /// Publishes the value after the transaction with block access index `index`; returns the stamp from then on and whether anything changed.
    pub(crate) fn write(&self, index: u32, value: U256) -> (u32, bool) {
        let mut versions = self.versions.lock();
        let changed = versions.set(index, value);
        if changed {
            self.stamp.fetch_add(1, Ordering::Release);
        }
        (self.stamp(), changed)
    }

    /// Takes back what an abandoned execution at `index` published.
    pub(crate) fn retract(&self, index: u32) {
        let mut versions = self.versions.lock();
        if versions.remove(index) {
            self.stamp.fetch_add(1, Ordering::Release);
        }
    }

    /// The value that stands for the transaction with block access index `index`, whoever wrote it and whatever was wiped since.
    pub(crate) fn written_at(&self, index: u32) -> Option<U256> {
        self.versions.lock().at(index)
    }

    /// Value after the whole block: the parent's, if nothing wrote the slot and nothing wiped it.
    pub(crate) fn last(&self) -> U256 {
        self.read(u32::MAX).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{account::AccountEntry, arena::Arena};
    use alloy_primitives::Address;

    fn slot_with_base(base: u64) -> (Arena<AccountEntry>, SlotEntry) {
        let mut accounts = Arena::default();
        let account = accounts.push(AccountEntry::new(Address::ZERO, None, None));
        (accounts, SlotEntry::new(account, U256::ZERO, U256::from(base)))
    }

    #[test]
    fn a_reader_sees_the_last_writer_before_it() {
        let (_accounts, slot) = slot_with_base(9);
        for index in [5, 2, 8, 3] {
            slot.write(index, U256::from(index * 10));
        }
        let read = |index| slot.read(index).0.to::<u64>();
        assert_eq!((read(1), read(2), read(3), read(4), read(6), read(9)), (9, 9, 20, 30, 50, 80));
        let versions = slot.versions.lock();
        let order: Vec<_> = versions.first.iter().chain(&versions.rest).map(|version| version.index).collect();
        assert_eq!(order, [2, 3, 5, 8]);
    }

    #[test]
    fn writing_the_same_value_again_keeps_the_stamp() {
        let (_accounts, slot) = slot_with_base(0);
        let (stamp, changed) = slot.write(4, U256::from(1));
        assert!(changed);
        assert_eq!(slot.write(4, U256::from(1)), (stamp, false));
        assert_eq!(slot.write(4, U256::from(2)), (stamp + 1, true));
    }

    #[test]
    fn retracting_uncovers_the_version_below() {
        let (_accounts, slot) = slot_with_base(9);
        slot.write(2, U256::from(20));
        slot.write(5, U256::from(50));
        slot.retract(5);
        assert_eq!(slot.read(7).0, U256::from(20));
        slot.retract(2);
        assert_eq!(slot.read(7).0, U256::from(9));
    }

    #[test]
    fn a_wipe_hides_the_parent_value_and_older_versions() {
        let (_accounts, slot) = slot_with_base(9);
        slot.write(2, U256::from(20));
        slot.account.wipe_storage(4);
        assert_eq!(slot.read(3).0, U256::from(20));
        assert_eq!(slot.read(4).0, U256::from(20), "the destroying transaction itself still sees the old value");
        assert_eq!(slot.read(5).0, U256::ZERO);
        slot.write(4, U256::from(40));
        assert_eq!(slot.read(5).0, U256::ZERO, "what the destroying transaction wrote is gone too");
        slot.write(5, U256::from(50));
        assert_eq!(slot.read(6).0, U256::from(50));
        assert_eq!(slot.last(), U256::from(50));
    }
}
