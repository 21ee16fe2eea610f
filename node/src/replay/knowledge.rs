//! What the engine knows before a block.
//!
//! Warm means: templates learned from the other blocks of the run, never from the block itself, nor from another block that holds one of its
//! transactions. Such blocks form one group, and a group is left out as a whole.

use super::input::ReplayBlock;
use alloy_primitives::{B256, map::HashMap};
use braid_runtime::{
    AccessHints, Engine, EngineConfig, Outputs,
    engine::{EngineError, Learning},
    predict::{Predictor, PredictorConfig, PredictorError},
};

/// Transactions of a block that a teacher learns from, at most.
const LESSONS: usize = 4096;

/// An engine that only learns. It runs on one thread, so that what it learns is the same every time.
#[derive(Debug)]
pub(super) struct Teacher(Engine);

impl Teacher {
    /// Starts from a saved predictor; from nothing if that is empty.
    pub(super) fn new(saved: &[u8]) -> Result<Self, eyre::Report> {
        let config = EngineConfig {
            threads: 1,
            learning: Learning::BetweenBlocks,
            lessons_per_block: LESSONS,
            ..EngineConfig::default()
        };
        let mut engine = Engine::new(config).map_err(|error: EngineError| eyre::eyre!("{error}"))?;
        engine.set_predictor(load(saved)?);
        Ok(Self(engine))
    }

    pub(super) fn learn(&mut self, block: &ReplayBlock) {
        // A block that does not run teaches nothing; why it does not is said when its turn comes.
        let _ = self.0.execute_block(
            &block.snapshot,
            &block.block,
            &block.spec,
            AccessHints::Predicted,
            Outputs::default(),
        );
        self.0.learn();
    }

    pub(super) fn save(&mut self) -> Vec<u8> {
        self.0.predictor().save()
    }
}

/// The predictor of these bytes, or an empty one.
pub(crate) fn load(saved: &[u8]) -> Result<Predictor, PredictorError> {
    if saved.is_empty() {
        return Ok(Predictor::default());
    }
    Predictor::load(saved, PredictorConfig::default())
}

/// For each block a saved predictor that learned from all blocks but those of its own group. `progress` is called once per block that is done.
///
/// The blocks are halved again and again, each half learning from the other, so that a run of n blocks learns about n·log n blocks instead of n².
pub(super) fn leave_one_out(blocks: &[ReplayBlock], mut progress: impl FnMut()) -> eyre::Result<Vec<Vec<u8>>> {
    let groups = groups(blocks);
    let mut predictors = vec![Vec::new(); blocks.len()];
    let mut work = vec![(0..groups.len(), Vec::new())];
    while let Some((range, saved)) = work.pop() {
        if range.len() <= 1 {
            for position in groups[range].iter().flatten() {
                predictors[*position].clone_from(&saved);
                progress();
            }
            continue;
        }
        let middle = range.start + range.len() / 2;
        let (left, right) = (range.start..middle, middle..range.end);
        for (half, other) in [(left.clone(), right.clone()), (right, left)] {
            let mut teacher = Teacher::new(&saved)?;
            groups[other].iter().flatten().for_each(|position| teacher.learn(&blocks[*position]));
            work.push((half, teacher.save()));
        }
    }
    Ok(predictors)
}

/// Positions of the blocks, those that share a transaction together. Groups are in the order of their first blocks.
fn groups(blocks: &[ReplayBlock]) -> Vec<Vec<usize>> {
    group_by_shared(blocks.iter().map(|block| {
        let transactions = block.block.transactions().iter().map(|transaction| *transaction.tx_hash());
        transactions.chain([block.hash]).collect()
    }))
}

fn group_by_shared(blocks: impl Iterator<Item = Vec<B256>>) -> Vec<Vec<usize>> {
    let mut group_of = Vec::<usize>::new();
    let mut first_with = HashMap::<B256, usize>::default();
    for (position, hashes) in blocks.enumerate() {
        group_of.push(position);
        for hash in hashes {
            let other = group_of[*first_with.entry(hash).or_insert(position)];
            let own = group_of[position];
            if other != own {
                let (from, to) = (other.max(own), other.min(own));
                group_of.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
    }
    let mut groups = vec![Vec::new(); group_of.len()];
    for (position, group) in group_of.into_iter().enumerate() {
        groups[group].push(position);
    }
    groups.retain(|group| !group.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_share_a_transaction_are_left_out_together() {
        let hash = B256::with_last_byte;
        let blocks = [vec![1, 2], vec![3], vec![4, 5], vec![2, 6], vec![], vec![6, 5], vec![3]];
        let groups = group_by_shared(blocks.into_iter().map(|block| block.into_iter().map(hash).collect()));
        assert_eq!(groups, [vec![0, 2, 3, 5], vec![1, 6], vec![4]]);
    }
}
