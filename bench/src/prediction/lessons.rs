//! What a predictor has learned from before it is asked: other blocks, in the way the engine learns between blocks.

use super::RanBlock;
use braid_runtime::predict::Predictor;

/// Blocks to learn from, in order.
#[derive(Clone, Copy, Debug)]
pub struct Teacher<'a>(pub &'a [RanBlock]);

impl Teacher<'_> {
    /// A predictor that learned from all of them but `left_out`.
    pub fn teach(self, left_out: Option<usize>) -> Predictor {
        let mut predictor = Predictor::default();
        let others = self.0.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
        others.for_each(|(_, block)| learn_block(&mut predictor, block));
        predictor
    }
}

/// Learns from a block after it ran. As in the engine, the predictor says beforehand which transactions it wants to see.
pub fn learn_block(predictor: &mut Predictor, block: &RanBlock) {
    let wanted: Vec<bool> = block.transactions.iter().map(|ran| predictor.wants(&block.shape(ran))).collect();
    for (ran, _) in block.transactions.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        predictor.learn(&block.shape(ran), &ran.observed, &ran.preimages);
    }
}
