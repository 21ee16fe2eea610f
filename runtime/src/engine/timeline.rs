//! What a report is made of, noted while a block executes: only when somebody asked for it.
//!
//! Workers push spans, the planner pushes what it foresees; [`Timeline::finish`] holds both against the records when the block is over. Nothing in here is read
//! by the engine itself.

use super::{
    record::{SlotAccess, TransactionRecord},
    report::{HotSlot, Misprediction, Span, SpanKind, Timings, Work, WorkKind},
    slots::TransactionSlot,
};
use crate::{
    AccessKey, RecoveredBlock,
    predict::{ObservedAccesses, ObservedSlot, Prediction, PredictionScore},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U256, map::HashMap};
use parking_lot::Mutex;
use std::{
    cmp::Reverse,
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Slots that are listed as hot.
const HOT_SLOTS: usize = 40;

/// Notes of one block.
#[derive(Debug)]
pub(crate) struct Timeline {
    started: Instant,
    keeps_predictions: bool,
    work: Mutex<Vec<Work>>,
    spans: Mutex<Vec<Span>>,
    predictions: Mutex<Vec<(u32, Prediction)>>,
}

impl Timeline {
    /// Starts the clock. Predictions are kept if they are to be scored.
    pub(crate) fn start(keeps_predictions: bool) -> Self {
        Self {
            started: Instant::now(),
            keeps_predictions,
            work: Mutex::default(),
            spans: Mutex::default(),
            predictions: Mutex::default(),
        }
    }

    /// Whether predictions are wanted for their own sake.
    pub(crate) const fn keeps_predictions(&self) -> bool {
        self.keeps_predictions
    }

    /// This thread did something for `count` transactions from `first` on, from `start_ns` until now.
    pub(crate) fn worked(&self, kind: WorkKind, first: usize, count: usize, start_ns: u64) {
        let nanos = self.now().saturating_sub(start_ns);
        self.work.lock().push(Work {
            kind,
            worker: worker(),
            first: first as u32,
            count: count as u32,
            start_ns,
            nanos,
        });
    }

    /// The time now, in nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A transaction ran on this thread from `start_ns` until now.
    pub(crate) fn ran(&self, transaction: usize, start_ns: u64, kind: SpanKind) {
        let span = Span { worker: worker(), transaction: transaction as u32, start_ns, end_ns: self.now(), kind };
        self.spans.lock().push(span);
    }

    /// Keeps what was predicted for a transaction.
    pub(crate) fn predicted(&self, transaction: u32, prediction: &Prediction) {
        let mut copy = Prediction::default();
        copy.keys.clone_from(&prediction.keys);
        copy.known = prediction.known;
        self.predictions.lock().push((transaction, copy));
    }

    /// The report, after all transactions are committed.
    pub(crate) fn finish(self, slots: &[TransactionSlot], block: &RecoveredBlock) -> Timings {
        let wall_ns = self.now();
        let mut spans = self.spans.into_inner();
        spans.sort_unstable_by_key(|span| (span.worker, span.start_ns));
        let uses = SlotUses::of(slots);
        let mut score = PredictionScore::default();
        let mut mispredictions = Vec::new();
        let mut predictions = self.predictions.into_inner();
        predictions.sort_unstable_by_key(|(transaction, _)| *transaction);
        for (transaction, prediction) in &predictions {
            let mut observed = ObservedAccesses::default();
            slots[*transaction as usize].with_record(|record| observed = accesses(record));
            score.add(&PredictionScore::of(prediction, &observed, |address, slot| uses.has_writer(address, slot)));
            let missed = Misprediction {
                transaction: *transaction,
                to: block.transactions()[*transaction as usize].to(),
                known: prediction.known,
                ..difference(prediction, &observed)
            };
            if !(missed.missed.is_empty() && missed.superfluous.is_empty()) {
                mispredictions.push(missed);
            }
        }
        Timings {
            wall_ns,
            spans,
            work: self.work.into_inner(),
            hot_slots: uses.hottest(),
            predicted: predictions.len() as u32,
            score,
            mispredictions,
        }
    }
}

/// The caller's own thread is worker 0, those of the pool follow.
fn worker() -> u32 {
    rayon::current_thread_index().map_or(0, |index| index as u32 + 1)
}

/// Work on the caller's thread before or after all transactions.
pub(crate) fn apart(kind: WorkKind, count: usize, took: Duration) -> Work {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    Work { kind, worker: 0, first: 0, count: count as u32, start_ns: 0, nanos }
}

fn accesses(record: &TransactionRecord) -> ObservedAccesses {
    let mut observed = ObservedAccesses::default();
    observed.gas_used = record.gas_used;
    observed.success = record.success;
    observed.slots.extend(record.slots.iter().map(|access| ObservedSlot {
        call: 0,
        address: access.entry.account.address,
        slot: access.entry.slot,
        value: access.before,
        written: access.is_written(),
        new_value: access.after,
    }));
    observed
}

/// The slots of a prediction that were not touched, and those touched that were not in it.
fn difference(prediction: &Prediction, observed: &ObservedAccesses) -> Misprediction {
    let predicted: BTreeSet<_> =
        prediction.slots().map(|(address, slot, _)| AccessKey::Storage(address, slot)).collect();
    let touched: BTreeSet<_> = observed.slots.iter().map(|slot| AccessKey::Storage(slot.address, slot.slot)).collect();
    Misprediction {
        missed: touched.difference(&predicted).copied().collect(),
        superfluous: predicted.difference(&touched).copied().collect(),
        ..Misprediction::default()
    }
}

/// Which transactions used a slot, counted in block order.
#[derive(Default)]
struct SlotUses(HashMap<(Address, U256), HotSlot>);

impl SlotUses {
    fn of(slots: &[TransactionSlot]) -> Self {
        let mut uses = Self::default();
        for slot in slots {
            slot.with_record(|record| record.slots.iter().for_each(|access| uses.add(access)));
        }
        uses
    }

    fn add(&mut self, access: &SlotAccess) {
        let key = (access.entry.account.address, access.entry.slot);
        let entry = self.0.entry(key).or_insert(HotSlot { address: key.0, slot: key.1, ..HotSlot::default() });
        entry.transactions += 1;
        entry.conflicts += u32::from(entry.writers > 0);
        entry.writers += u32::from(access.is_written());
    }

    fn has_writer(&self, address: Address, slot: U256) -> bool {
        self.0.get(&(address, slot)).is_some_and(|entry| entry.writers > 0)
    }

    /// The slots with most conflicts, most first.
    fn hottest(self) -> Vec<HotSlot> {
        let mut hot: Vec<_> = self.0.into_values().filter(|slot| slot.conflicts > 0).collect();
        hot.sort_unstable_by_key(|slot| (Reverse(slot.conflicts), slot.address, slot.slot));
        hot.truncate(HOT_SLOTS);
        hot
    }
}
