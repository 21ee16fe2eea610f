//! The head moves.

use super::{
    Chain, ChainError,
    tree::{Tree, TreeBlock},
};
use crate::execution_engine::ForkChoiceState;
use alloy_consensus::Header;
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

    /// The last canonical block and its header.
    pub fn head_header(&self) -> (Head, Header) {
        let tree = self.tree.read();
        let head = tree.head();
        let parent = tree.parent(&head.hash);
        assert!(parent.is_some(), "the head {} ({}) is not in the tree", head.number, head.hash);
        (head, parent.map(|parent| parent.header).unwrap_or_default())
    }

    /// Makes a block that was inserted the head. Below the blocks in memory this takes the stored blocks above it back.
    pub fn set_head(&self, hash: B256) -> Result<Reorganisation, ChainError> {
        let _writer = self.executor.lock();
        let extends = {
            let tree = self.tree.read();
            let head = tree.head().hash;
            tree.get(&hash).is_some_and(|block| block.block.header.parent_hash == head)
        };
        if !extends {
            // What is being written may be what goes.
            self.folding.wait();
        }
        self.settle()?;
        let switch = self.tree.write().switch(&hash);
        let reorganisation = match switch {
            Some(switch) => Reorganisation { removed: blocks(switch.removed), added: blocks(switch.added) },
            None => self.unwind(hash)?,
        };
        {
            let mut recent = self.recent.lock();
            reorganisation.removed.iter().for_each(|block| recent.remove(block));
            reorganisation.added.iter().for_each(|block| recent.add(block));
        }
        self.watchers.tell(&reorganisation);
        self.fold()?;
        Ok(reorganisation)
    }

    pub(crate) fn remember_fork_choice(&self, state: ForkChoiceState) {
        *self.fork_choice.write() = state;
    }

    /// Goes back to a stored block on which, or on whose branches, the new head is. What was stored above it stays in the tree.
    fn unwind(&self, hash: B256) -> Result<Reorganisation, ChainError> {
        if self.tree.read().branch(&hash).is_none() {
            let target = self.stored(&hash)?.ok_or(ChainError::UnknownBlock(hash))?;
            self.add_root(target)?;
        }
        let mut tree = self.tree.write();
        let unknown = ChainError::UnknownBlock(hash);
        let root = tree.branch(&hash).ok_or_else(|| unknown.clone())?.root;
        let parent = tree.parent(&root.hash).ok_or_else(|| unknown.clone())?;
        let mut total_difficulty = parent.total_difficulty;
        let unwound = self.database.blocks_above(root.number)?.into_iter().map(|block| {
            total_difficulty = total_difficulty.saturating_add(block.header.difficulty);
            TreeBlock { block: Arc::new(block), total_difficulty }
        });
        let unwound: Vec<TreeBlock> = unwound.collect();
        let base = tree.base();
        let mut removed = tree.switch(&base.hash).ok_or_else(|| unknown.clone())?.removed;
        removed.extend(unwound.iter().rev().cloned());
        self.database.unwind(root.number)?;
        let below = std::mem::replace(&mut *tree, Tree::new(root, parent.header.clone(), parent.total_difficulty));
        *tree = below.retreat(root, parent, unwound);
        let added = tree.switch(&hash).ok_or(unknown)?.added;
        Ok(Reorganisation { removed: blocks(removed), added: blocks(added) })
    }
}

fn blocks(list: Vec<TreeBlock>) -> Vec<Arc<ExecutedBlock>> {
    list.into_iter().map(|block| block.block).collect()
}
