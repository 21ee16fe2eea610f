//! Predictions of whole sets of blocks, with what was learned before.

use super::{
    RanBlock, Tallies, Tally, Teacher,
    class::Classifier,
    learn_block,
    misses::{Judge, Misses},
};
use braid_runtime::predict::{KeccakCache, Prediction, Predictor, PredictorConfig, PredictorError};
use serde::Serialize;
use std::time::Instant;

/// Passes over a block for the cost of its predictions.
const PASSES: usize = 5;
/// Functions listed with the most misses.
const WORST: usize = 25;

/// Figures of one set of blocks with one kind of knowledge.
#[derive(Clone, Debug, Serialize)]
pub struct SetFigures {
    /// Name of the set.
    pub name: String,
    /// Blocks predicted.
    pub blocks: usize,
    /// Templates of the (last) predictor.
    pub templates: usize,
    /// Functions whose code was read beforehand, those of them that said nothing, and the time it took.
    pub studied: Study,
    /// Counts.
    pub tallies: Tallies,
    /// What was missed and why.
    pub misses: Misses,
}

/// Reading of code before a block.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Study {
    /// Functions read.
    pub functions: u64,
    /// Those that said nothing.
    pub unreadable: u64,
    /// Nanoseconds, with the predictions that found them.
    pub nanos: u64,
}

/// What is known when a block is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// What was learned from other blocks.
    Learned,
    /// The same, and the code of functions that were not seen there is read.
    LearnedAndRead,
}

/// Figures after so many blocks.
#[derive(Clone, Debug, Serialize)]
pub struct ChainFigures {
    /// Name of the chain.
    pub name: String,
    /// Blocks that were predicted, the same in every row.
    pub blocks: usize,
    /// Number of blocks learned from, directly before the one that is predicted; and counts.
    pub rows: Vec<(usize, Tallies)>,
}

/// All figures.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PredictionFigures {
    /// Sets of blocks predicted with what was learned from other blocks.
    pub warm: Vec<SetFigures>,
    /// After k blocks.
    pub chains: Vec<ChainFigures>,
}

/// Each block predicted by what was learned from all others, in two ways, the one that knows less first. `list` keeps every single miss in words.
pub fn leave_one_out(
    names: [(&str, Before); 2],
    blocks: &[RanBlock],
    list: bool,
) -> Result<[SetFigures; 2], PredictorError> {
    let mut figures = names.map(|(name, _)| SetFigures::new(name));
    for (index, block) in blocks.iter().enumerate() {
        let mut predictor = Teacher(blocks).teach(Some(index));
        for ((_, before), figures) in names.iter().zip(&mut figures) {
            figures.predict(&mut predictor, block, *before, list)?;
        }
    }
    figures.iter_mut().for_each(|figures| figures.misses.rank(WORST));
    Ok(figures)
}

/// Blocks predicted by what was learned from others; from none, that is cold.
pub fn taught_by(
    name: &str,
    teachers: &[RanBlock],
    blocks: &[RanBlock],
    before: Before,
    list: bool,
) -> Result<SetFigures, PredictorError> {
    let mut figures = SetFigures::new(name);
    let learned = Teacher(teachers).teach(None).save();
    for block in blocks {
        // What was read for one block is forgotten for the next.
        let mut predictor = Predictor::load(&learned, PredictorConfig::default())?;
        figures.predict(&mut predictor, block, before, list)?;
    }
    figures.misses.rank(WORST);
    Ok(figures)
}

/// Every block that has enough others before it, predicted by what was learned from the `k` blocks directly before it.
pub fn after_blocks(name: &str, blocks: &[RanBlock], ks: &[usize]) -> ChainFigures {
    let most = ks.iter().copied().max().unwrap_or(0).min(blocks.len().saturating_sub(1));
    let mut rows: Vec<(usize, Tallies)> = Vec::new();
    for k in ks.iter().copied().filter(|k| *k <= most) {
        let mut tallies = Tallies::default();
        for index in most..blocks.len() {
            let mut predictor = Predictor::default();
            blocks[index - k..index].iter().for_each(|block| learn_block(&mut predictor, block));
            tallies.add(&score(&predictor, &blocks[index], PASSES).0);
        }
        rows.push((k, tallies));
    }
    ChainFigures { name: name.to_owned(), blocks: blocks.len() - most, rows }
}

impl SetFigures {
    fn new(name: &str) -> Self {
        let (tallies, misses) = (Tallies::default(), Misses::default());
        Self { name: name.to_owned(), blocks: 0, templates: 0, studied: Study::default(), tallies, misses }
    }

    fn predict(
        &mut self,
        predictor: &mut Predictor,
        block: &RanBlock,
        before: Before,
        list: bool,
    ) -> Result<(), PredictorError> {
        if before == Before::LearnedAndRead {
            let mut keccak = KeccakCache::with_bits(16);
            let mut scratch = Prediction::default();
            let started = Instant::now();
            for ran in &block.transactions {
                let studied = predictor.study(&block.shape(ran), &*block.parent, &mut keccak, &mut scratch);
                self.studied.functions += u64::from(studied.functions);
                self.studied.unreadable += u64::from(studied.unreadable);
            }
            self.studied.nanos += u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        }
        let predictor = &*predictor;
        let (tallies, predictions) = score(predictor, block, PASSES);
        let mut judge = Judge::new(predictor)?;
        let mut misses = Misses::default();
        for (ran, prediction) in block.transactions.iter().zip(&predictions) {
            judge.judge(block, ran, prediction, &mut misses, list);
        }
        self.tallies.add(&tallies);
        self.misses.add(misses);
        self.blocks += 1;
        self.templates = predictor.len();
        Ok(())
    }
}

/// Predicts a block: the counts, and the predictions with the calls that were followed.
fn score(predictor: &Predictor, block: &RanBlock, passes: usize) -> (Tallies, Vec<Prediction>) {
    let count = block.transactions.len();
    let mut times = vec![[Vec::new(), Vec::new()]; count];
    let mut prediction = Prediction::default();
    let mut pass = |keccak: &mut KeccakCache, kind: usize, times: &mut Vec<[Vec<u64>; 2]>| {
        for (index, ran) in block.transactions.iter().enumerate() {
            let shape = block.shape(ran);
            let started = Instant::now();
            predictor.predict(&shape, &*block.parent, keccak, &mut prediction);
            times[index][kind].push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    };
    for _ in 0..passes {
        let mut keccak = KeccakCache::with_bits(16);
        pass(&mut keccak, 0, &mut times);
        pass(&mut keccak, 1, &mut times);
    }
    let mut tallies = Tallies::default();
    let mut classifier = Classifier::default();
    let mut keccak = KeccakCache::with_bits(16);
    let mut predictions = Vec::with_capacity(count);
    for (position, ran) in block.transactions.iter().enumerate() {
        let mut prediction = Prediction::default();
        prediction.follow_calls(true);
        predictor.predict(&block.shape(ran), &*block.parent, &mut keccak, &mut prediction);
        let mut tally = Tally::of(&prediction, ran, |address, slot| block.is_shared(position, address, slot));
        let [with, without] = &mut times[position];
        tally.nanos_first = with.first().copied().unwrap_or_default();
        tally.nanos = median(with);
        tally.nanos_without_hashes = median(without);
        tallies.count(classifier.of(ran, &block.parent), &tally);
        predictions.push(prediction);
    }
    (tallies, predictions)
}

fn median(sample: &mut [u64]) -> u64 {
    sample.sort_unstable();
    sample.get(sample.len() / 2).copied().unwrap_or_default()
}
