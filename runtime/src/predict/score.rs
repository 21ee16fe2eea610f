//! How good predictions are: predicted keys against those that were really touched.

use super::{AccountFields, ObservedAccesses, PredictedKey, Prediction};
use alloy_primitives::{Address, U256, map::HashSet};
use serde::Serialize;

/// Right and wrong predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// Predicted and touched.
    pub true_positive: u64,
    /// Predicted, not touched.
    pub false_positive: u64,
    /// Touched, not predicted.
    pub false_negative: u64,
}

impl Score {
    /// Share of the predicted keys that were touched; 1 when none was predicted.
    pub fn precision(&self) -> f64 {
        share(self.true_positive, self.false_positive)
    }

    /// Share of the touched keys that were predicted; 1 when none was touched.
    pub fn recall(&self) -> f64 {
        share(self.true_positive, self.false_negative)
    }

    /// Keys predicted in vain for each key that was touched.
    pub fn over_prediction(&self) -> f64 {
        let touched = self.true_positive + self.false_negative;
        if touched == 0 { 0.0 } else { self.false_positive as f64 / touched as f64 }
    }

    /// Adds the counts of another score.
    pub const fn add(&mut self, other: &Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.false_negative += other.false_negative;
    }

    const fn count(&mut self, predicted: bool, touched: bool) {
        match (predicted, touched) {
            (true, true) => self.true_positive += 1,
            (true, false) => self.false_positive += 1,
            (false, true) => self.false_negative += 1,
            (false, false) => {}
        }
    }
}

/// A [`Score`] as reports tell it; the names are the same in every style of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ScoreReport {
    /// Predicted and touched.
    pub right: u64,
    /// Predicted, not touched.
    pub superfluous: u64,
    /// Touched, not predicted.
    pub missed: u64,
    /// Share of what was predicted that was touched, from 0 to 1.
    pub precision: f64,
    /// Share of what was touched that was predicted, from 0 to 1.
    pub recall: f64,
}

impl From<Score> for ScoreReport {
    fn from(score: Score) -> Self {
        Self {
            right: score.true_positive,
            superfluous: score.false_positive,
            missed: score.false_negative,
            precision: score.precision(),
            recall: score.recall(),
        }
    }
}

fn share(right: u64, wrong: u64) -> f64 {
    if right + wrong == 0 { 1.0 } else { right as f64 / (right + wrong) as f64 }
}

/// Scores of one transaction or, added up, of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PredictionScore {
    /// All storage slots.
    pub slots: Score,
    /// Slots that some transaction of the block writes: they make the schedule.
    pub shared_slots: Score,
    /// Slots the transaction itself writes, against those predicted to be written.
    pub writes: Score,
    /// Accounts whose balance, nonce, code or life the inner calls observe or change.
    pub accounts: Score,
}

impl PredictionScore {
    /// Scores a prediction. `written_in_block` tells whether some other transaction of the block writes a slot.
    pub fn of(
        prediction: &Prediction,
        observed: &ObservedAccesses,
        written_in_block: impl Fn(Address, U256) -> bool,
    ) -> Self {
        let mut score = Self::default();
        let touched: HashSet<(Address, U256)> = observed.slots.iter().map(|slot| (slot.address, slot.slot)).collect();
        let written: HashSet<(Address, U256)> =
            observed.slots.iter().filter(|slot| slot.written).map(|slot| (slot.address, slot.slot)).collect();
        let mut predicted = HashSet::default();
        let mut predicted_writes = HashSet::default();
        let accounts: HashSet<Address> = observed
            .accounts
            .iter()
            .filter(|account| account.fields != AccountFields::CODE)
            .map(|account| account.address)
            .collect();
        let mut predicted_accounts = HashSet::default();
        for access in prediction.keys.iter().filter(|access| !access.assumed) {
            match access.key {
                PredictedKey::Slot { address, slot, write } => {
                    predicted.insert((address, slot));
                    if write {
                        predicted_writes.insert((address, slot));
                    }
                }
                PredictedKey::Account { address, fields, .. } if fields != AccountFields::CODE => {
                    predicted_accounts.insert(address);
                }
                PredictedKey::Account { .. } => {}
            }
        }
        for key in predicted.union(&touched) {
            let (foreseen, happened) = (predicted.contains(key), touched.contains(key));
            score.slots.count(foreseen, happened);
            if written_in_block(key.0, key.1) {
                score.shared_slots.count(foreseen, happened);
            }
        }
        for key in predicted_writes.union(&written) {
            score.writes.count(predicted_writes.contains(key), written.contains(key));
        }
        for address in predicted_accounts.union(&accounts) {
            score.accounts.count(predicted_accounts.contains(address), accounts.contains(address));
        }
        score
    }

    /// Adds the counts of another score.
    pub const fn add(&mut self, other: &Self) {
        self.slots.add(&other.slots);
        self.shared_slots.add(&other.shared_slots);
        self.writes.add(&other.writes);
        self.accounts.add(&other.accounts);
    }
}
