//! A block comes in: validation, execution, and its place in the tree.

use super::{
    Chain, ChainError, InvalidReason, Timings,
    tree::{Parent, TreeBlock},
};
use crate::consensus::{Generation, validate_body, validate_header, validate_ommers};
use alloy_consensus::Header;
use alloy_primitives::B256;
use braid_runtime::{Block, RecoveredBlock};
use braid_storage::{ExecutedBlock, Head};
use std::{sync::Arc, time::Instant};

/// Whether a block was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Novelty {
    /// It is new, and valid.
    New,
    /// It was inserted before.
    Known,
}

/// A valid block that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The block.
    pub block: Head,
    /// Whether it was there before.
    pub novelty: Novelty,
    /// Whether it is the head now.
    pub is_head: bool,
    /// How long its parts took.
    pub timings: Timings,
    /// What the parallel execution had wrong, if the serial one had to correct it: a defect of the engine.
    pub divergence: Option<String>,
}

impl Chain {
    /// Validates and executes a block, compares every root and keeps it. The head does not move.
    ///
    /// # Errors
    /// [`ChainError::Invalid`] if the block or an ancestor breaks a rule; any other error says nothing about the block.
    pub fn insert(&self, block: Block) -> Result<Inserted, ChainError> {
        let hash = block.header.hash_slow();
        if let Some(known) = self.known(&hash)? {
            return Ok(known);
        }
        let begin = Instant::now();
        let parent = block.header.parent_hash;
        let is_parent_invalid = self.invalid.lock().get(&parent).is_some();
        if !is_parent_invalid && self.number(&parent)?.is_none() {
            return Err(ChainError::UnknownParent { number: block.header.number, hash, parent });
        }
        let senders = match self.senders.recover(&block, &self.spec) {
            Ok(senders) => senders,
            Err(error) => {
                // Another body may belong to the same header.
                validate_body(&block, &self.spec)?;
                return Err(self.remember(hash, parent, Arc::new(error.into())));
            }
        };
        let recover = begin.elapsed();
        let mut inserted = self.insert_recovered(RecoveredBlock::new_unchecked(block, senders))?;
        inserted.timings.recover = recover;
        Ok(inserted)
    }

    /// [`insert`](Self::insert) with the senders known.
    pub fn insert_recovered(&self, block: RecoveredBlock) -> Result<Inserted, ChainError> {
        let mut executor = self.executor.lock();
        let hash = block.hash();
        if let Some(known) = self.known(&hash)? {
            return Ok(known);
        }
        let parent_hash = block.header().parent_hash;
        if let Some(reason) = self.invalid.lock().inherit(hash, &parent_hash) {
            return Err(reason.into());
        }
        self.make_room_for(&parent_hash)?;
        let parent = self.parent_of(block.header(), hash)?;
        let mut timings = Timings::default();
        let total_difficulty = parent.total_difficulty.saturating_add(block.header().difficulty);
        let result = self.validate(&block, &parent, &mut timings).and_then(|()| {
            let snapshot = self.snapshot(parent_hash)?;
            executor.execute(&snapshot, &block, &self.spec, &mut timings)
        });
        let executed = match result {
            Ok(executed) => executed,
            Err(ChainError::Invalid(reason)) => return Err(self.remember(hash, parent_hash, reason)),
            Err(error) => return Err(error),
        };
        let Block { header, body } = block.into_block();
        let head = executed.layer.block();
        let block = ExecutedBlock { header, body, receipts: executed.receipts, layer: executed.layer };
        self.tree.write().insert(TreeBlock { block: Arc::new(block), total_difficulty });
        executor.learn();
        Ok(Inserted { block: head, novelty: Novelty::New, is_head: false, timings, divergence: executed.divergence })
    }

    /// [`insert`](Self::insert), and then fork choice without a consensus layer: before the merge the branch of the highest total
    /// difficulty has the head (the first one seen, if several have it), after it the block that came last.
    pub fn import(&self, block: Block) -> Result<Inserted, ChainError> {
        let inserted = self.insert(block)?;
        self.choose(inserted)
    }

    /// [`import`](Self::import) with the senders known.
    pub fn import_recovered(&self, block: RecoveredBlock) -> Result<Inserted, ChainError> {
        let inserted = self.insert_recovered(block)?;
        self.choose(inserted)
    }

    fn choose(&self, mut inserted: Inserted) -> Result<Inserted, ChainError> {
        let hash = inserted.block.hash;
        if inserted.novelty == Novelty::Known {
            return Ok(inserted);
        }
        let is_heavier = {
            let tree = self.tree.read();
            let total = |hash| tree.parent(hash).map(|block| block.total_difficulty);
            let is_merged = tree.get(&hash).is_some_and(|block| self.spec.at(&block.block.header).is_merged());
            is_merged || total(&hash) > total(&tree.head().hash)
        };
        if is_heavier {
            let begin = Instant::now();
            self.set_head(hash)?;
            inserted.timings.commit = begin.elapsed();
            inserted.is_head = true;
        }
        Ok(inserted)
    }

    /// What is known of a block, if it came in before.
    fn known(&self, hash: &B256) -> Result<Option<Inserted>, ChainError> {
        if let Some(entry) = self.invalid.lock().get(hash) {
            return Err(ChainError::Invalid(Arc::clone(&entry.reason)));
        }
        let in_tree = self.tree.read().get(hash).map(TreeBlock::head);
        let Some(block) = in_tree.map_or_else(|| self.stored(hash), |block| Ok(Some(block)))? else {
            return Ok(None);
        };
        let is_head = self.head().hash == *hash;
        let timings = Timings::default();
        Ok(Some(Inserted { block, novelty: Novelty::Known, is_head, timings, divergence: None }))
    }

    /// The parent of a block, in the tree or stored.
    fn parent_of(&self, header: &Header, hash: B256) -> Result<Parent, ChainError> {
        let (number, parent) = (header.number, header.parent_hash);
        let unknown = || ChainError::UnknownParent { number, hash, parent };
        if self.tree.read().parent(&parent).is_none() {
            self.add_root(self.stored(&parent)?.ok_or_else(unknown)?)?;
        }
        self.tree.read().parent(&parent).ok_or_else(unknown)
    }

    /// Remembers an invalid block, unless only its body is not that of its header: then the right one may still come.
    fn remember(&self, hash: B256, parent: B256, reason: Arc<InvalidReason>) -> ChainError {
        if !matches!(&*reason, InvalidReason::Consensus(error) if error.is_wrong_body()) {
            self.invalid.lock().insert(hash, parent, Arc::clone(&reason));
        }
        ChainError::Invalid(reason)
    }

    fn validate(&self, block: &RecoveredBlock, parent: &Parent, timings: &mut Timings) -> Result<(), ChainError> {
        let begin = Instant::now();
        validate_header(block.header(), &parent.header, parent.total_difficulty, &self.spec)?;
        validate_body(block.block(), &self.spec)?;
        validate_ommers(block.ommers(), self.ancestors(block.header().parent_hash), &self.spec)?;
        timings.validate += begin.elapsed();
        Ok(())
    }

    /// The blocks from one downwards.
    fn ancestors(&self, from: B256) -> impl Iterator<Item = Result<Generation, ChainError>> {
        let mut next = from;
        std::iter::from_fn(move || {
            let generation = self.generation(next).transpose()?;
            if let Ok(generation) = &generation {
                next = generation.header.parent_hash;
            }
            Some(generation)
        })
    }

    fn generation(&self, hash: B256) -> Result<Option<Generation>, ChainError> {
        let Some((header, body)) = self.header_and_body(&hash)? else { return Ok(None) };
        let ommers = body.ommers.iter().map(Header::hash_slow).collect();
        Ok(Some(Generation { hash, header, ommers }))
    }
}
