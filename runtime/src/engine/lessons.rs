//! Recorded transactions that wait to be learned from.

use super::{block_context::BlockContext, plan::shape, record::TransactionRecord};
use crate::{
    evm::Lesson,
    predict::{BlockContext as PredictedBlock, Predictor, TransactionShape},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, U256};
use parking_lot::Mutex;
use revm::primitives::KECCAK_EMPTY;

/// A recorded transaction with what was known of it beforehand.
#[derive(Debug)]
struct Recorded {
    sender: Address,
    to: Option<Address>,
    code_hash: B256,
    input: Bytes,
    value: U256,
    gas_limit: u64,
    block: PredictedBlock,
    lesson: Box<Lesson>,
}

/// Recordings of one or more blocks.
#[derive(Debug, Default)]
pub(crate) struct Lessons(Mutex<Vec<Recorded>>);

impl Lessons {
    /// Keeps the recording of a transaction that ran.
    pub(crate) fn hand_in(
        &self,
        block: &BlockContext<'_>,
        position: usize,
        mut lesson: Box<Lesson>,
        record: &TransactionRecord,
    ) {
        lesson.observed.gas_used = record.gas_used;
        lesson.observed.success = record.success;
        let tx = &block.block.transactions()[position];
        let entry = tx.to().and_then(|to| block.state.account(block.snapshot, to).ok());
        let code_hash = entry.and_then(|entry| entry.base).map_or(KECCAK_EMPTY, |base| base.code_hash);
        if let Some(code) = entry.as_ref().and_then(|entry| entry.base_code()) {
            lesson.observed.note_code(code_hash, || code.original_bytes());
        }
        let shape = shape(block, position, code_hash);
        self.0.lock().push(Recorded {
            sender: shape.sender,
            to: shape.to,
            code_hash,
            input: tx.input().clone(),
            value: shape.value,
            gas_limit: shape.gas_limit,
            block: shape.block,
            lesson,
        });
    }

    /// Learns from all recordings and drops them.
    pub(crate) fn learn(&self, predictor: &mut Predictor) {
        let lessons = std::mem::take(&mut *self.0.lock());
        for recorded in lessons {
            let shape = TransactionShape {
                sender: recorded.sender,
                to: recorded.to,
                code_hash: recorded.code_hash,
                input: &recorded.input,
                value: recorded.value,
                gas_limit: recorded.gas_limit,
                block: recorded.block,
            };
            predictor.learn(&shape, &recorded.lesson.observed, &recorded.lesson.preimages);
        }
    }

    /// Number of recordings.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Drops all recordings.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}
