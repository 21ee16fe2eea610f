//! How often the slot that an expression names is one that another transaction wrote lately.
//!
//! The slot of a pool's reserves is the same for every second or third swap, a holder's balance hardly ever. Where transactions meet, a
//! schedule gains by knowing it beforehand; where they do not, foretelling is a waste. The share is learned from the samples that
//! lessons are, which lie far apart: it says how likely two calls taken at random meet, not who called next.

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

/// Slots of earlier lessons that are remembered.
const REMEMBERED: usize = 8;

/// Share of lessons, in 255ths, that meet one of the remembered from which on an expression counts as contended: about what
/// sixteen equally popular pools give.
const CONTENDED: u8 = 100;

/// Lessons before which nothing is concluded.
const LEAST: u8 = 4;

/// Written slots of an expression in the last lessons, and how often one of them came again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meetings {
    /// Moving average in 255ths.
    share: u8,
    /// Lessons that counted.
    lessons: u8,
    /// Hashes of slots; 0 for none.
    #[serde(skip)]
    written: [u32; REMEMBERED],
    #[serde(skip)]
    next: u8,
    /// The lesson that was noted last. Two calls within one transaction do not wait for each other.
    #[serde(skip)]
    lesson: u32,
}

impl Meetings {
    /// A transaction, the `lesson`th one, wrote the slot.
    pub(super) fn note(&mut self, address: &Address, slot: &U256, lesson: u32) {
        if self.lesson == lesson {
            return;
        }
        self.lesson = lesson;
        let key = hash(address, slot);
        if self.written[0] == 0 {
            // The first of all, or the first after loading: there is nothing to meet.
            self.written[0] = key;
            self.next = 1;
            return;
        }
        let met = u32::from(self.written.contains(&key)) * 255;
        let weight = u32::from(self.lessons).min(7);
        self.share = ((u32::from(self.share) * weight + met) / (weight + 1)) as u8;
        self.lessons = self.lessons.saturating_add(1);
        self.written[self.next as usize % REMEMBERED] = key;
        self.next = (self.next + 1) % REMEMBERED as u8;
    }

    /// Whether calls meet here so often that it pays to foretell where.
    pub(super) const fn are_frequent(&self) -> bool {
        self.lessons >= LEAST && self.share >= CONTENDED
    }
}

/// Never 0. Equal hashes of different slots count as a meeting too many, and that is all.
fn hash(address: &Address, slot: &U256) -> u32 {
    let tail = |bytes: &[u8]| {
        bytes.iter().fold(0u64, |sum, byte| sum.rotate_left(7) ^ u64::from(*byte).wrapping_mul(0x9e37_79b9))
    };
    let mixed = slot
        .as_limbs()
        .iter()
        .fold(tail(address.as_slice()), |sum, limb| (sum ^ limb).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
    (mixed >> 32) as u32 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lessons: u32, slot: impl Fn(u32) -> u64) -> Meetings {
        let mut meetings = Meetings::default();
        for lesson in 1..=lessons {
            meetings.note(&Address::repeat_byte(7), &U256::from(slot(lesson)), lesson);
        }
        meetings
    }

    #[test]
    fn slots_that_come_again_are_contended_and_others_are_not() {
        assert!(after(6, |_| 8).are_frequent(), "one counter");
        assert!(after(40, |lesson| u64::from(lesson * lesson) % 4).are_frequent(), "a few pools");
        assert!(!after(200, u64::from).are_frequent(), "every holder once");
        assert!(!after(200, |lesson| u64::from(lesson) % 100).are_frequent(), "a hundred in turns");
        assert!(!after(3, |_| 8).are_frequent(), "too little to tell");
    }

    #[test]
    fn calls_within_one_transaction_do_not_meet() {
        let mut meetings = Meetings::default();
        for lesson in 1..100u64 {
            for _ in 0..3 {
                meetings.note(&Address::repeat_byte(7), &U256::from(lesson), lesson as u32);
            }
        }
        assert!(!meetings.are_frequent());
    }

    #[test]
    fn what_was_hot_cools_down() {
        let mut meetings = after(50, |_| 8);
        for lesson in 100..140 {
            meetings.note(&Address::ZERO, &U256::from(lesson), lesson);
        }
        assert!(!meetings.are_frequent());
    }
}
