//! How well running ahead goes, in all and by recipient.
//!
//! Calls of one contract often meet in one slot, and then each but the first runs in vain. So as soon as a contract's transactions turn out wrong too
//! often, the rest of them waits for its turn, while others go on running ahead. If that is not enough, everything waits.

use alloy_primitives::Address;
use std::sync::atomic::{AtomicU32, Ordering};

/// Recipients that are told apart; those that share a place share its verdict, which costs time and nothing else.
const PLACES: usize = 256;

/// Right executions that are taken for granted at first, so that one piece of bad luck decides nothing.
const CREDIT: u32 = 2;

/// Likewise for the block as a whole.
const CREDIT_OF_ALL: u32 = 12;

/// Validated executions, and how many of them were wrong.
#[derive(Debug, Default)]
struct Count {
    validated: AtomicU32,
    wrong: AtomicU32,
}

impl Count {
    /// Only the holder of the ledger counts, so nothing is lost between load and store.
    fn add(&self, is_wrong: bool) {
        let add = |count: &AtomicU32| count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        add(&self.validated);
        if is_wrong {
            add(&self.wrong);
        }
    }

    fn exceeds(&self, share: f64, credit: u32) -> bool {
        let wrong = self.wrong.load(Ordering::Relaxed);
        wrong > 0 && f64::from(wrong) > f64::from(self.validated.load(Ordering::Relaxed) + credit) * share
    }
}

/// The executions ahead of one block.
#[derive(Debug)]
pub(crate) struct Reliability {
    all: Count,
    recipients: Box<[Count]>,
    /// Part of the executions that may turn out wrong.
    max_share: f64,
}

impl Reliability {
    pub(crate) fn new(max_share: f64) -> Self {
        Self { all: Count::default(), recipients: (0..PLACES).map(|_| Count::default()).collect(), max_share }
    }

    fn place(recipient: &Address) -> usize {
        // Contract addresses are hashes, but anybody may have one that ends in zeros.
        recipient.0.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % PLACES
    }

    /// An execution ahead was validated. Only for the holder of the ledger.
    pub(crate) fn add(&self, recipient: Option<Address>, is_wrong: bool) {
        self.all.add(is_wrong);
        if let Some(recipient) = recipient {
            self.recipients[Self::place(&recipient)].add(is_wrong);
        }
    }

    /// Whether nothing should run ahead any more.
    pub(crate) fn is_bad(&self) -> bool {
        self.all.exceeds(self.max_share, CREDIT_OF_ALL)
    }

    /// Whether a transaction to `recipient` should wait for its turn.
    pub(crate) fn is_bad_for(&self, recipient: Option<Address>) -> bool {
        self.is_bad()
            || recipient
                .is_some_and(|recipient| self.recipients[Self::place(&recipient)].exceeds(self.max_share, CREDIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_contract_does_not_stop_the_others() {
        let (bad, good) = (Some(Address::repeat_byte(1)), Some(Address::repeat_byte(2)));
        let reliability = Reliability::new(0.3);
        reliability.add(good, false);
        reliability.add(bad, false);
        assert!(!reliability.is_bad_for(bad));
        reliability.add(bad, true);
        assert!(!reliability.is_bad_for(bad), "that may have been bad luck");
        reliability.add(bad, true);
        assert!(reliability.is_bad_for(bad) && !reliability.is_bad_for(good) && !reliability.is_bad_for(None));
        (0..20).for_each(|_| reliability.add(None, true));
        assert!(reliability.is_bad() && reliability.is_bad_for(good));
    }
}
