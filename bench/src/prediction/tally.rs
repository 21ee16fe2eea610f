//! A prediction against what was touched, counted.

use super::{Class, RanTransaction};
use alloy_primitives::{Address, U256, map::HashMap, map::HashSet};
use braid_runtime::predict::{AccountFields, PredictedKey, Prediction, Score};
use serde::Serialize;
use std::collections::BTreeMap;

/// Counts over transactions.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tally {
    /// Transactions.
    pub transactions: u64,
    /// Of those, the ones whose function had been seen, or that need no template.
    pub known: u64,
    /// Transactions all of whose slots were predicted, with nothing in vain.
    pub exact: u64,
    /// Storage slots touched, read or written.
    #[serde(with = "ScoreFields")]
    pub slots: Score,
    /// The same, for transactions whose function had been seen.
    #[serde(with = "ScoreFields")]
    pub known_slots: Score,
    /// Slots that were read and left as they were, against all predicted ones: recall only.
    #[serde(with = "ScoreFields")]
    pub reads: Score,
    /// Slots whose value was changed, against those predicted to be written.
    #[serde(with = "ScoreFields")]
    pub writes: Score,
    /// Slots that another transaction of the block changes: they make the schedule.
    #[serde(with = "ScoreFields")]
    pub shared: Score,
    /// Accounts of which inner calls observe or change balance, nonce or life.
    #[serde(with = "ScoreFields")]
    pub accounts: Score,
    /// Keys of the envelope: sender, recipient, beneficiary. Nobody can miss them; they are in no other count.
    pub envelope: u64,
    /// Nanoseconds of predicting, with the hashes of slots, median of several passes.
    pub nanos: u64,
    /// The same when the hashes are known already.
    pub nanos_without_hashes: u64,
    /// The same in the first pass, when nothing is in the processor's caches.
    pub nanos_first: u64,
}

/// The fields of a score, for serde.
#[derive(Serialize)]
#[serde(remote = "Score")]
struct ScoreFields {
    true_positive: u64,
    false_positive: u64,
    false_negative: u64,
}

fn count(score: &mut Score, predicted: bool, happened: bool) {
    match (predicted, happened) {
        (true, true) => score.true_positive += 1,
        (true, false) => score.false_positive += 1,
        (false, true) => score.false_negative += 1,
        (false, false) => {}
    }
}

impl Tally {
    /// Counts of one transaction. `is_shared` says whether another transaction of the block changes a slot.
    pub fn of(prediction: &Prediction, ran: &RanTransaction, is_shared: impl Fn(Address, U256) -> bool) -> Self {
        let mut tally = Self { transactions: 1, known: u64::from(prediction.known), envelope: 3, ..Self::default() };
        let predicted: HashMap<(Address, U256), bool> =
            prediction.slots().map(|(address, slot, write)| ((address, slot), write)).collect();
        let touched: HashMap<(Address, U256), bool> =
            ran.touched.iter().map(|touched| ((touched.address, touched.slot), touched.changed)).collect();
        let keys: HashSet<(Address, U256)> = predicted.keys().chain(touched.keys()).copied().collect();
        for key in &keys {
            let (foreseen, happened) = (predicted.get(key), touched.get(key));
            count(&mut tally.slots, foreseen.is_some(), happened.is_some());
            count(&mut tally.writes, foreseen == Some(&true), happened == Some(&true));
            if happened == Some(&false) {
                count(&mut tally.reads, foreseen.is_some(), true);
            }
            if is_shared(key.0, key.1) {
                count(&mut tally.shared, foreseen.is_some(), happened.is_some());
            }
        }
        if prediction.known {
            tally.known_slots = tally.slots;
        }
        tally.exact = u64::from(tally.slots.false_positive + tally.slots.false_negative == 0);
        tally.accounts = accounts(prediction, ran);
        tally
    }

    /// Adds the counts of another.
    pub fn add(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.known += other.known;
        self.exact += other.exact;
        self.envelope += other.envelope;
        for (score, more) in [
            (&mut self.slots, &other.slots),
            (&mut self.known_slots, &other.known_slots),
            (&mut self.reads, &other.reads),
            (&mut self.writes, &other.writes),
            (&mut self.shared, &other.shared),
            (&mut self.accounts, &other.accounts),
        ] {
            score.add(more);
        }
        self.nanos += other.nanos;
        self.nanos_without_hashes += other.nanos_without_hashes;
        self.nanos_first += other.nanos_first;
    }

    /// Recall over everything, the envelope too: the figure that flatters.
    pub fn recall_with_envelope(&self) -> f64 {
        let mut all = self.slots;
        all.add(&self.accounts);
        all.true_positive += self.envelope;
        all.recall()
    }

    /// Microseconds a transaction of a total of nanoseconds.
    pub fn micros(&self, nanos: u64) -> f64 {
        if self.transactions == 0 { 0.0 } else { nanos as f64 / 1e3 / self.transactions as f64 }
    }

    /// Slots predicted in vain, a transaction.
    pub fn in_vain(&self) -> f64 {
        if self.transactions == 0 { 0.0 } else { self.slots.false_positive as f64 / self.transactions as f64 }
    }
}

fn accounts(prediction: &Prediction, ran: &RanTransaction) -> Score {
    let matters = |fields: AccountFields| fields != AccountFields::CODE;
    let touched: HashSet<Address> =
        ran.observed.accounts.iter().filter(|seen| matters(seen.fields)).map(|seen| seen.address).collect();
    let predicted: HashSet<Address> = prediction
        .keys
        .iter()
        .filter_map(|access| match access.key {
            PredictedKey::Account { address, fields, .. } if matters(fields) && !access.assumed => Some(address),
            _ => None,
        })
        .collect();
    let mut score = Score::default();
    for address in predicted.union(&touched) {
        count(&mut score, predicted.contains(address), touched.contains(address));
    }
    score
}

/// Counts in total and by class.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tallies {
    /// All transactions.
    pub total: Tally,
    /// By class.
    pub classes: BTreeMap<Class, Tally>,
}

impl Tallies {
    /// Adds a transaction.
    pub fn count(&mut self, class: Class, tally: &Tally) {
        self.total.add(tally);
        self.classes.entry(class).or_default().add(tally);
    }

    /// Adds the counts of others.
    pub fn add(&mut self, other: &Self) {
        self.total.add(&other.total);
        other.classes.iter().for_each(|(class, tally)| self.classes.entry(*class).or_default().add(tally));
    }
}
