//! The states between the transactions of early blocks, which their receipts hold (before EIP-658).

use super::{Chain, ChainBlock, ChainError};
use crate::execution::early_roots;
use alloy_primitives::B256;
use braid_runtime::{Block, RecoveredBlock};

impl Chain {
    /// The state root after each transaction of a block before Byzantium. They are stored nowhere: the block is executed again.
    ///
    /// # Errors
    /// [`ChainError::TooDeep`] if the block lies too far below the last written one.
    pub fn roots_between_transactions(&self, block: &ChainBlock) -> Result<Vec<B256>, ChainError> {
        if block.transactions().is_empty() {
            return Ok(Vec::new());
        }
        let parent = match self.snapshot(block.header().parent_hash) {
            Err(ChainError::UnknownBlock(_)) => self.rewound_to(block.number() - 1)?,
            snapshot => snapshot?,
        };
        let senders = self.block_senders(block)?.to_vec();
        let whole = Block { header: block.header().clone(), body: block.body().clone() };
        let (roots, _) = early_roots(&parent, &RecoveredBlock::new_unchecked(whole, senders), self.spec())?;
        Ok(roots)
    }
}
