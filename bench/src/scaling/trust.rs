//! Which recipients' transactions wait for their turn because too many of them ran ahead in vain: `runtime/src/engine/reliability.rs`.

use alloy_primitives::Address;

/// Recipients that are told apart.
const PLACES: usize = 256;
/// Right executions that are taken for granted, by recipient and in all.
const CREDIT: u32 = 2;
const CREDIT_OF_ALL: u32 = 12;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    validated: u32,
    wrong: u32,
}

impl Count {
    fn add(&mut self, is_wrong: bool) {
        self.validated += 1;
        self.wrong += u32::from(is_wrong);
    }

    fn exceeds(self, share: f64, credit: u32) -> bool {
        self.wrong > 0 && f64::from(self.wrong) > f64::from(self.validated + credit) * share
    }
}

#[derive(Debug)]
pub(super) struct Trust {
    all: Count,
    places: Vec<Count>,
    max_share: f64,
}

impl Trust {
    pub(super) fn new(max_share: f64) -> Self {
        Self { all: Count::default(), places: vec![Count::default(); PLACES], max_share }
    }

    pub(super) fn add(&mut self, recipient: Option<u8>, is_wrong: bool) {
        self.all.add(is_wrong);
        if let Some(recipient) = recipient {
            self.places[usize::from(recipient)].add(is_wrong);
        }
    }

    pub(super) fn is_bad(&self) -> bool {
        self.all.exceeds(self.max_share, CREDIT_OF_ALL)
    }

    pub(super) fn is_bad_for(&self, recipient: Option<u8>) -> bool {
        self.is_bad() || recipient.is_some_and(|place| self.places[usize::from(place)].exceeds(self.max_share, CREDIT))
    }
}

/// The number under which the engine counts a recipient.
pub(super) fn place(recipient: &Address) -> u8 {
    (recipient.0.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % PLACES)
        as u8
}
