//! One shard of the cache: a set-associative table with second-chance eviction.
//!
//! A key may live only in the [`WAYS`] slots of its group, so a look-up compares at most that many tags whatever keys
//! an adversary feeds in: flooding one group evicts entries of that group and does nothing else. Two bounds hold after
//! every insertion: one entry per slot, and the bytes of all entries within the shard's budget. To keep the second, a
//! hand walks the slots, sparing each entry that was hit since the hand last passed.

use revm::primitives::{Address, Bytes};
use std::sync::atomic::{AtomicBool, Ordering};

/// Slots of one group.
pub(super) const WAYS: usize = 8;
/// Assumed bytes of an average entry, which sets the number of slots for a byte budget.
const AVERAGE_ENTRY_BYTES: usize = 512;
/// What the allocator and the reference counts of one entry's three allocations take, generously.
const ALLOCATION_OVERHEAD_BYTES: usize = 96;

/// Everything that decides a precompile's result, apart from the gas limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub(super) rules: u8,
    pub(super) address: Address,
    pub(super) input: &'a [u8],
}

impl Key<'_> {
    /// Bytes that an entry for this key with `output_length` bytes of output takes.
    pub(super) const fn entry_bytes(&self, output_length: usize) -> usize {
        size_of::<Entry>() + ALLOCATION_OVERHEAD_BYTES + self.input.len() + output_length
    }
}

/// A result that holds for every gas limit that covers `gas_used`.
#[derive(Clone, Debug)]
pub(super) struct CachedResult {
    pub(super) gas_used: u64,
    pub(super) output: Bytes,
}

#[derive(Debug)]
struct Entry {
    rules: u8,
    address: Address,
    input: Box<[u8]>,
    result: CachedResult,
    /// Set by a hit, cleared by the passing hand.
    referenced: AtomicBool,
}

impl Entry {
    fn matches(&self, key: &Key<'_>) -> bool {
        self.rules == key.rules && self.address == key.address && *self.input == *key.input
    }

    fn bytes(&self) -> usize {
        let key = Key { rules: self.rules, address: self.address, input: &self.input };
        key.entry_bytes(self.result.output.len())
    }
}

/// A slot: the hash is kept beside the pointer so that most mismatches are seen without following it.
#[derive(Debug, Default)]
struct Slot {
    tag: u64,
    entry: Option<Box<Entry>>,
}

/// The slots of one shard and the bytes that their entries take.
#[derive(Debug)]
pub(super) struct Table {
    slots: Box<[Slot]>,
    /// The slot at which the search for something to evict goes on.
    hand: usize,
    bytes: usize,
    entries: usize,
    budget: usize,
}

impl Table {
    /// A table whose entries and slots together take at most `capacity` bytes.
    pub(super) fn new(capacity: usize) -> Self {
        let groups = capacity / (AVERAGE_ENTRY_BYTES * WAYS);
        // At least one group, unless even that would take most of the room.
        let groups = if groups == 0 && capacity > 2 * WAYS * size_of::<Slot>() { 1 } else { groups };
        let slots: Box<[Slot]> = (0..groups * WAYS).map(|_| Slot::default()).collect();
        let budget = capacity.saturating_sub(size_of_val(&*slots));
        Self { slots, hand: 0, bytes: 0, entries: 0, budget }
    }

    /// Bytes that all entries together may take; none alone may exceed it.
    pub(super) const fn budget(&self) -> usize {
        self.budget
    }

    /// Bytes that the entries take now.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of entries.
    pub(super) const fn entries(&self) -> usize {
        self.entries
    }

    fn group(&self, tag: u64) -> std::ops::Range<usize> {
        let groups = self.slots.len() / WAYS;
        if groups == 0 {
            return 0..0;
        }
        // The product's high half spreads the tag over any number of groups. The shard was chosen by the tag's top
        // bits, so the rotation keeps the two choices independent.
        let group = ((u128::from(tag.rotate_left(32)) * groups as u128) >> 64) as usize;
        group * WAYS..(group + 1) * WAYS
    }

    /// The result kept for `key`, whose hash is `tag`.
    pub(super) fn get(&self, tag: u64, key: &Key<'_>) -> Option<CachedResult> {
        let entry = self.slots[self.group(tag)]
            .iter()
            .filter(|slot| slot.tag == tag)
            .filter_map(|slot| slot.entry.as_deref())
            .find(|entry| entry.matches(key))?;
        // Reading first keeps the line shared among the cores that hit a popular entry.
        if !entry.referenced.load(Ordering::Relaxed) {
            entry.referenced.store(true, Ordering::Relaxed);
        }
        Some(entry.result.clone())
    }

    /// Keeps `result` for `key` and returns how many entries had to go; `None` when nothing was stored because the
    /// key is there already or the entry does not fit.
    pub(super) fn insert(&mut self, tag: u64, key: &Key<'_>, result: CachedResult) -> Option<u64> {
        let bytes = key.entry_bytes(result.output.len());
        if bytes > self.budget || self.slots.is_empty() || self.get(tag, key).is_some() {
            return None;
        }
        let group = self.group(tag);
        let mut evicted = 0;
        let index = match group.clone().find(|&index| self.slots[index].entry.is_none()) {
            Some(index) => index,
            None => {
                let victim = self.victim_in(group);
                evicted += u64::from(self.evict(victim));
                victim
            }
        };
        while self.bytes + bytes > self.budget {
            evicted += self.advance_hand();
        }
        self.slots[index] = Slot {
            tag,
            entry: Some(Box::new(Entry {
                rules: key.rules,
                address: key.address,
                input: key.input.into(),
                result,
                referenced: AtomicBool::new(false),
            })),
        };
        self.bytes += bytes;
        self.entries += 1;
        Some(evicted)
    }

    /// The first way of a full group that was not hit lately, or the first at all; the others lose their mark.
    fn victim_in(&self, group: std::ops::Range<usize>) -> usize {
        let first = group.start;
        for index in group {
            match &self.slots[index].entry {
                Some(entry) if entry.referenced.swap(false, Ordering::Relaxed) => {}
                _ => return index,
            }
        }
        first
    }

    /// Moves the hand by one slot and returns how many entries went (none or one). Since each pass clears the marks,
    /// two rounds at most empty the table.
    fn advance_hand(&mut self) -> u64 {
        assert!(self.entries > 0, "{} bytes are accounted to no entry", self.bytes);
        let index = self.hand;
        self.hand = (index + 1) % self.slots.len();
        match &self.slots[index].entry {
            Some(entry) if entry.referenced.swap(false, Ordering::Relaxed) => 0,
            Some(_) => u64::from(self.evict(index)),
            None => 0,
        }
    }

    fn evict(&mut self, index: usize) -> bool {
        let Some(entry) = std::mem::take(&mut self.slots[index]).entry else {
            return false;
        };
        self.bytes -= entry.bytes();
        self.entries -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(input: &[u8]) -> Key<'_> {
        Key { rules: 0, address: Address::with_last_byte(1), input }
    }

    fn result(gas_used: u64) -> CachedResult {
        CachedResult { gas_used, output: Bytes::from_static(b"output") }
    }

    #[test]
    fn equal_tags_are_told_apart_by_the_full_key() {
        let mut table = Table::new(1 << 16);
        let other_address = Key { address: Address::with_last_byte(2), ..key(b"a") };
        let other_rules = Key { rules: 1, ..key(b"a") };
        for (gas, key) in [key(b"a"), key(b"b"), other_address, other_rules].iter().enumerate() {
            assert_eq!(table.insert(7, key, result(gas as u64)), Some(0));
        }
        for (gas, key) in [key(b"a"), key(b"b"), other_address, other_rules].iter().enumerate() {
            assert_eq!(table.get(7, key).map(|found| found.gas_used), Some(gas as u64));
        }
        assert!(table.get(7, &key(b"c")).is_none());
    }

    #[test]
    fn colliding_tags_never_take_more_than_one_group() {
        let mut table = Table::new(1 << 16);
        for number in 0..100u32 {
            assert!(table.insert(7, &key(&number.to_be_bytes()), result(1)).is_some());
        }
        assert_eq!(table.entries(), WAYS);
        assert!(table.get(7, &key(&99u32.to_be_bytes())).is_some(), "the newest entry is kept");
    }

    #[test]
    fn bytes_stay_within_the_budget_and_are_accounted_exactly() {
        let mut table = Table::new(1 << 16);
        let mut evicted = 0;
        for number in 0..2_000u64 {
            let input = vec![number as u8; 100 + (number as usize * 37) % 3_000];
            let tag = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            evicted += table.insert(tag, &key(&input), result(number)).unwrap_or(0);
            assert!(table.bytes() <= table.budget(), "{} of {}", table.bytes(), table.budget());
        }
        let bytes: usize = table.slots.iter().filter_map(|slot| slot.entry.as_deref()).map(Entry::bytes).sum();
        assert_eq!(table.bytes(), bytes);
        assert!(evicted > 1_000, "only {evicted} entries were evicted");
    }

    #[test]
    fn an_entry_that_is_hit_outlives_entries_that_are_not() {
        let mut table = Table::new(1 << 14);
        let popular = [1u8; 200];
        assert!(table.insert(1, &key(&popular), result(1)).is_some());
        for number in 0..500u64 {
            assert!(table.get(1, &key(&popular)).is_some(), "lost after {number} insertions");
            let input = [number.to_be_bytes().as_slice(), &[0; 192]].concat();
            let tag = (number + 2).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            assert!(table.insert(tag, &key(&input), result(2)).is_some());
        }
    }

    #[test]
    fn an_entry_beyond_the_budget_is_not_stored() {
        let mut table = Table::new(4096);
        assert_eq!(table.insert(1, &key(&[0; 8192]), result(1)), None);
        assert_eq!((table.entries(), table.bytes()), (0, 0));
    }

    #[test]
    fn a_table_without_room_stores_nothing() {
        let mut table = Table::new(0);
        assert_eq!(table.insert(1, &key(b"a"), result(1)), None);
        assert!(table.get(1, &key(b"a")).is_none());
    }
}
