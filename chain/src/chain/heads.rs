//! The head moves.

use super::{Chain, ChainError, tree::TreeBlock};
use crate::execution_engine::ForkChoiceState;
use alloy_primitives::B256;
use braid_storage::{ExecutedBlock, Head};
use std::sync::Arc;

/// What a new head did to the canonical branch.
#[derive(Clone, Debug, Default)]
pub struct Reorganisation {
    /// Blocks that are no longer canonical, from the highest to the lowest. Their transactions may go back to a pool.
    pub removed: Vec<Arc<ExecutedBlock>>,
    /// Blocks that are canonical now, from the lowest to the highest.
    pub added: Vec<Arc<ExecutedBlock>>,
}

impl Chain {
    /// The last canonical block, which may be only in memory.
    pub fn head(&self) -> Head {
        self.tree.read().head()
    }

    /// Makes a block that was inserted the head. Below the blocks in memory this takes the stored blocks above it back.
    pub fn set_head(&self, hash: B256) -> Result<Reorganisation, ChainError> {
        let _writer = self.executor.lock();
        let extends =
            self.tree.read().get(&hash).is_some_and(|block| block.block.header.parent_hash == self.head().hash);
        if !extends {
            // What is being written may be what goes.
            self.folding.wait();
        }
        self.settle()?;
        let switch = self.tree.write().switch(&hash);
        let reorganisation = match switch {
            Some(switch) => {
                let blocks = |list: Vec<TreeBlock>| list.into_iter().map(|block| block.block).collect();
                Reorganisation { removed: blocks(switch.removed), added: blocks(switch.added) }
            }
            None => self.unwind(hash)?,
        };
        self.fold()?;
        Ok(reorganisation)
    }

    pub(crate) fn remember_fork_choice(&self, state: ForkChoiceState) {
        *self.fork_choice.write() = state;
    }

    /// Takes all blocks above a stored one back.
    fn unwind(&self, hash: B256) -> Result<Reorganisation, ChainError> {
        let target = self.stored(&hash)?.ok_or(ChainError::UnknownBlock(hash))?;
        let mut tree = self.tree.write();
        let base = tree.base();
        let in_memory = tree.switch(&base.hash).unwrap_or_default().removed;
        self.database.unwind(target.number)?;
        *tree = super::read::stored_tree(&self.database)?;
        Ok(Reorganisation { removed: in_memory.into_iter().map(|block| block.block).collect(), added: Vec::new() })
    }
}
