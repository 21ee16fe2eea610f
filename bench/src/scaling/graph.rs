//! What the transactions of a block rely on, and what the planner makes them wait for.
//!
//! The first comes from a traced serial run and is the truth; the second from what the predictor really says, with the planner's own rules
//! (`runtime/src/engine/plan.rs`): an edge leads from the last predicted writer of a key that is predicted to be read.

use super::{
    planning::Class,
    simulate::{Edge, Need, NeedKind},
    trust,
};
use crate::workload::Case;
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U256, map::HashMap};
use braid_runtime::{
    AccessKey, EngineConfig,
    explain::{Assumption, dependencies},
    oracle::BlockTrace,
    predict::{
        AccountFields, BlockContext, KeccakCache, PredictedKey, Prediction, Predictor, StateView, TransactionShape,
    },
};
use revm::primitives::KECCAK_EMPTY;
use std::time::Instant;

/// What the planner knows of a transaction.
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// Gas that is expected.
    pub gas: u64,
    /// Who it waits for.
    pub edges: Vec<Edge>,
}

/// Of each transaction, what it relies on. The nonce of its own sender is not among it: an execution ahead takes that for granted, and the commit has always been
/// right about it in a valid block.
pub fn needs(case: &Case, trace: &BlockTrace) -> Vec<Vec<Need>> {
    let kind = |key: &AccessKey| match key {
        AccessKey::Storage(..) => NeedKind::Slot,
        _ => NeedKind::Account,
    };
    let of = |(on, sender): (Vec<(usize, AccessKey)>, &Address)| {
        let foreign = on.iter().filter(|(_, key)| *key != AccessKey::Nonce(*sender));
        let mut needs: Vec<Need> = foreign.map(|(index, key)| Need { on: *index as u32, kind: kind(key) }).collect();
        needs.sort_unstable_by_key(|need| (need.on, need.kind as u8));
        needs.dedup();
        needs
    };
    dependencies(trace, |_| Assumption::AsItIs).into_iter().zip(case.block.senders()).map(of).collect()
}

/// The number that stands for the recipient.
pub fn recipient(case: &Case, position: usize) -> Option<u8> {
    case.block.transactions()[position].to().map(|recipient| trust::place(&recipient))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Slot(Address, U256),
    Balance(Address),
    Nonce(Address),
    Code(Address),
}

/// Draws the planner's edges.
#[derive(Default)]
struct Drawing {
    writers: HashMap<Key, u32>,
    edges: Vec<Edge>,
}

impl Drawing {
    fn edge(&mut self, position: u32, key: Key, until_committed: bool) {
        if let Some(on) = self.writers.get(&key).filter(|on| **on != position) {
            match self.edges.iter_mut().find(|edge| edge.on == *on) {
                Some(edge) => edge.until_committed |= until_committed,
                None => self.edges.push(Edge { on: *on, until_committed }),
            }
        }
    }

    fn read(&mut self, position: u32, key: &PredictedKey) {
        match *key {
            PredictedKey::Slot { address, slot, .. } => self.edge(position, Key::Slot(address, slot), false),
            PredictedKey::Account { address, fields, .. } => {
                let parts = [
                    (AccountFields::BALANCE, Key::Balance(address)),
                    (AccountFields::NONCE, Key::Nonce(address)),
                    (AccountFields::CODE, Key::Code(address)),
                ];
                for (_, key) in parts.into_iter().filter(|(field, _)| fields.contains(*field)) {
                    self.edge(position, key, true);
                }
            }
        }
    }

    fn write(&mut self, position: u32, key: &PredictedKey) {
        match *key {
            PredictedKey::Slot { address, slot, write: true } => {
                self.writers.insert(Key::Slot(address, slot), position);
            }
            PredictedKey::Account { address, fields, .. } => {
                if fields.intersects(AccountFields::CREDIT.union(AccountFields::FUNDS)) {
                    self.writers.insert(Key::Balance(address), position);
                }
                if fields.contains(AccountFields::LIFE) {
                    self.writers.insert(Key::Code(address), position);
                    self.writers.insert(Key::Nonce(address), position);
                }
            }
            PredictedKey::Slot { .. } => {}
        }
    }
}

/// Whether a good part of the transaction's batch calls the same contract, as the engine's planner asks before it foretells contention.
fn is_in_a_crowd(case: &Case, index: usize) -> bool {
    let transactions = case.block.transactions();
    let batch = EngineConfig::default().batch;
    let first = index / batch * batch;
    let end = (first + batch).min(transactions.len());
    let to = transactions[index].to();
    let calls =
        transactions[first..end].iter().map(alloy_consensus::Transaction::to).filter(|called| *called == to).count();
    calls >= ((end - first) / 8).max(4)
}

/// Plans a block with what `predictor` says, or only where transactions often meet if `predicts` is false. Also tells how long the predictions took (ns).
pub fn plan(case: &Case, classes: &[Class], predictor: &Predictor, predicts: bool) -> (Vec<Planned>, u64) {
    let header = case.block.header();
    let context = BlockContext {
        number: header.number,
        timestamp: header.timestamp,
        beneficiary: header.beneficiary,
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
    };
    let mut keccak = KeccakCache::with_bits(16);
    let mut prediction = Prediction::default();
    let mut drawing = Drawing::default();
    let mut nanos = 0;
    let mut plans = Vec::with_capacity(classes.len());
    for (index, (tx, sender)) in case.block.transactions().iter().zip(case.block.senders()).enumerate() {
        if classes[index] != Class::Ahead {
            let gas = if classes[index] == Class::Native { 0 } else { tx.gas_limit() };
            plans.push(Planned { gas, edges: Vec::new() });
            continue;
        }
        let position = index as u32;
        let shape = TransactionShape {
            sender: *sender,
            to: tx.to(),
            code_hash: tx.to().and_then(|to| case.snapshot.code_hash(to)).unwrap_or(KECCAK_EMPTY),
            input: tx.input(),
            value: tx.value(),
            gas_limit: tx.gas_limit(),
            block: context,
        };
        if predicts {
            let started = Instant::now();
            predictor.predict(&shape, &*case.snapshot, &mut keccak, &mut prediction);
            nanos += u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        } else {
            let outline = predictor.outline(&shape);
            if outline.contended && is_in_a_crowd(case, index) {
                predictor.predict_contended(&shape, &*case.snapshot, &mut keccak, &mut prediction);
            } else {
                prediction.clear();
                prediction.gas = outline.gas;
            }
        }
        let counted: Vec<PredictedKey> = prediction.keys.iter().filter(|key| !key.assumed).map(|key| key.key).collect();
        counted.iter().for_each(|key| drawing.read(position, key));
        if let Some(to) = tx.to() {
            drawing.edge(position, Key::Code(to), true);
        }
        counted.iter().for_each(|key| drawing.write(position, key));
        if tx.kind().is_create() {
            drawing.writers.insert(Key::Code(sender.create(tx.nonce())), position);
        }
        let gas = prediction.gas.clamp(21_000, tx.gas_limit().max(21_000));
        plans.push(Planned { gas, edges: std::mem::take(&mut drawing.edges) });
    }
    (plans, nanos)
}
