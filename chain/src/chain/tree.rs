//! The blocks above the ones that are written, as a tree that stands on the last written block.
//!
//! Every block has its state change with it, so each of them has a snapshot. One branch is canonical. Nothing here executes or writes.

use alloy_consensus::Header;
use alloy_primitives::{B256, U256, map::B256Map};
use braid_storage::{ExecutedBlock, Head, Layer};
use std::{collections::VecDeque, sync::Arc};

/// A valid block with its state change.
#[derive(Clone, Debug)]
pub(super) struct TreeBlock {
    pub(super) block: Arc<ExecutedBlock>,
    /// Sum of the difficulties from the first block to this one.
    pub(super) total_difficulty: U256,
}

impl TreeBlock {
    pub(super) fn head(&self) -> Head {
        self.block.layer.block()
    }
}

/// What a new block needs of its parent.
#[derive(Clone, Debug)]
pub(super) struct Parent {
    pub(super) header: Header,
    pub(super) total_difficulty: U256,
}

/// What happened to the canonical branch.
#[derive(Clone, Debug, Default)]
pub(super) struct Switch {
    /// Blocks that are no longer canonical, from the highest to the lowest.
    pub(super) removed: Vec<TreeBlock>,
    /// Blocks that are canonical now, from the lowest to the highest.
    pub(super) added: Vec<TreeBlock>,
}

#[derive(Debug)]
pub(super) struct Tree {
    /// The last written block.
    base: Head,
    base_parent: Parent,
    blocks: B256Map<TreeBlock>,
    /// Hashes of the canonical blocks above the base, from the lowest to the highest.
    canonical: VecDeque<B256>,
}

impl Tree {
    /// A tree of nothing but its base.
    pub(super) fn new(base: Head, header: Header, total_difficulty: U256) -> Self {
        let base_parent = Parent { header, total_difficulty };
        Self { base, base_parent, blocks: B256Map::default(), canonical: VecDeque::new() }
    }

    pub(super) const fn base(&self) -> Head {
        self.base
    }

    pub(super) fn get(&self, hash: &B256) -> Option<&TreeBlock> {
        self.blocks.get(hash)
    }

    /// The header of a block of the tree or of its base, and the sum of the difficulties up to it.
    pub(super) fn parent(&self, hash: &B256) -> Option<Parent> {
        if *hash == self.base.hash {
            return Some(self.base_parent.clone());
        }
        let block = self.blocks.get(hash)?;
        Some(Parent { header: block.block.header.clone(), total_difficulty: block.total_difficulty })
    }

    /// The last canonical block.
    pub(super) fn head(&self) -> Head {
        self.canonical.back().map_or(self.base, |hash| self.blocks[hash].head())
    }

    /// The canonical block with a number, if it is above the base.
    pub(super) fn canonical(&self, number: u64) -> Option<&TreeBlock> {
        let index = number.checked_sub(self.base.number + 1)?;
        let hash = self.canonical.get(usize::try_from(index).ok()?)?;
        self.blocks.get(hash)
    }

    /// Number of canonical blocks above the base.
    pub(super) fn depth(&self) -> usize {
        self.canonical.len()
    }

    /// The lowest canonical blocks above the base.
    pub(super) fn lowest(&self, count: usize) -> Vec<Arc<ExecutedBlock>> {
        self.canonical.iter().take(count).map(|hash| Arc::clone(&self.blocks[hash].block)).collect()
    }

    /// The blocks above the base up to this one, from the lowest to the highest; `None` if the block is not in the tree.
    pub(super) fn branch(&self, hash: &B256) -> Option<Vec<&TreeBlock>> {
        let mut branch = Vec::new();
        let mut hash = *hash;
        while hash != self.base.hash {
            let block = self.blocks.get(&hash)?;
            branch.push(block);
            hash = block.block.header.parent_hash;
        }
        branch.reverse();
        Some(branch)
    }

    /// The state changes from the base up to a block.
    pub(super) fn layers(&self, hash: &B256) -> Option<Vec<Arc<Layer>>> {
        let branch = self.branch(hash)?;
        Some(branch.into_iter().map(|block| Arc::clone(&block.block.layer)).collect())
    }

    /// Adds a block whose parent is the base or in the tree.
    pub(super) fn insert(&mut self, block: TreeBlock) {
        let parent = block.block.header.parent_hash;
        assert!(
            parent == self.base.hash || self.blocks.contains_key(&parent),
            "block {} has no parent {parent} in the tree",
            block.block.header.number
        );
        self.blocks.insert(block.head().hash, block);
    }

    /// Makes a block of the tree, or its base, the head. `None` if it is not there.
    pub(super) fn switch(&mut self, hash: &B256) -> Option<Switch> {
        let branch: Vec<B256> = self.branch(hash)?.into_iter().map(|block| block.head().hash).collect();
        let common = self.canonical.iter().zip(&branch).take_while(|(old, new)| old == new).count();
        let removed = self.canonical.split_off(common);
        let added = &branch[common..];
        let switch = Switch {
            removed: removed.iter().rev().map(|hash| self.blocks[hash].clone()).collect(),
            added: added.iter().map(|hash| self.blocks[hash].clone()).collect(),
        };
        self.canonical.extend(added);
        Some(switch)
    }

    /// Moves the base up the canonical branch to a block that was written. Gives the blocks that do not stand on it: the written ones, and
    /// branches off below it.
    pub(super) fn advance(&mut self, written: Head) -> Vec<TreeBlock> {
        let Some(position) = self.canonical.iter().position(|hash| *hash == written.hash) else {
            assert_eq!(written, self.base, "what was written is not canonical");
            return Vec::new();
        };
        let block = &self.blocks[&written.hash];
        self.base_parent = Parent { header: block.block.header.clone(), total_difficulty: block.total_difficulty };
        self.base = written;
        self.canonical.drain(..=position);
        let mut standing: B256Map<TreeBlock> = B256Map::default();
        let mut rest: Vec<(B256, TreeBlock)> = self.blocks.drain().collect();
        rest.sort_unstable_by_key(|(_, block)| block.block.header.number);
        let mut fallen = Vec::new();
        for (hash, block) in rest {
            let parent = &block.block.header.parent_hash;
            if *parent == written.hash || standing.contains_key(parent) {
                standing.insert(hash, block);
            } else {
                fallen.push(block);
            }
        }
        self.blocks = standing;
        fallen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use braid_storage::{BlockChange, Body, StateUpdate};

    fn block(parent: &Header, extra: u8) -> TreeBlock {
        let header = Header {
            number: parent.number + 1,
            parent_hash: parent.hash_slow(),
            extra_data: vec![extra].into(),
            ..Header::default()
        };
        let layer = Layer::new(
            header.number,
            header.hash_slow(),
            header.parent_hash,
            BlockChange::default(),
            StateUpdate::default(),
        );
        let block = ExecutedBlock { header, body: Body::default(), receipts: Vec::new(), layer: Arc::new(layer) };
        TreeBlock { block: Arc::new(block), total_difficulty: U256::from(extra) }
    }

    /// A base and a canonical branch of three blocks, with a side branch of two on the first.
    fn tree() -> (Tree, Vec<TreeBlock>, Vec<TreeBlock>) {
        let genesis = Header::default();
        let base = Head { number: 0, hash: genesis.hash_slow(), state_root: B256::ZERO };
        let mut tree = Tree::new(base, genesis.clone(), U256::ZERO);
        let first = block(&genesis, 1);
        let second = block(&first.block.header, 1);
        let third = block(&second.block.header, 1);
        let other_second = block(&first.block.header, 2);
        let other_third = block(&other_second.block.header, 2);
        let main = vec![first, second, third];
        let side = vec![other_second, other_third];
        main.iter().chain(&side).for_each(|block| tree.insert(block.clone()));
        tree.switch(&main[2].head().hash).unwrap();
        (tree, main, side)
    }

    fn heads(blocks: &[TreeBlock]) -> Vec<Head> {
        blocks.iter().map(TreeBlock::head).collect()
    }

    #[test]
    fn a_switch_names_what_goes_and_what_comes() {
        let (mut tree, main, side) = tree();
        assert_eq!(tree.head(), main[2].head());
        let switch = tree.switch(&side[1].head().hash).unwrap();
        assert_eq!(heads(&switch.removed), [main[2].head(), main[1].head()]);
        assert_eq!(heads(&switch.added), heads(&side));
        assert_eq!(tree.head(), side[1].head());
        assert_eq!(tree.canonical(2).map(TreeBlock::head), Some(side[0].head()));
        assert_eq!(tree.canonical(4).map(TreeBlock::head), None);
        let base = tree.base();
        assert_eq!(heads(&tree.switch(&base.hash).unwrap().removed).len(), 3);
        assert_eq!(tree.head(), base);
        assert!(tree.switch(&B256::repeat_byte(1)).is_none());
    }

    #[test]
    fn the_base_moves_up_and_what_does_not_stand_on_it_falls() {
        let (mut tree, main, side) = tree();
        let fallen = tree.advance(main[0].head());
        assert_eq!(heads(&fallen), [main[0].head()]);
        assert_eq!(tree.layers(&side[1].head().hash).unwrap().len(), 2);
        let mut fallen = heads(&tree.advance(main[1].head()));
        fallen.sort_by_key(|head| head.number);
        assert_eq!(fallen.len(), 3);
        assert_eq!((tree.base(), tree.head(), tree.depth()), (main[1].head(), main[2].head(), 1));
        assert_eq!(tree.parent(&main[1].head().hash).unwrap().header, main[1].block.header);
        assert!(tree.branch(&side[1].head().hash).is_none());
    }

    #[test]
    #[should_panic(expected = "no parent")]
    fn a_block_needs_its_parent() {
        let (mut tree, _, side) = tree();
        tree.insert(block(&block(&side[0].block.header, 9).block.header, 9));
    }
}
