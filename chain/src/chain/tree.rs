//! The blocks above the ones that are written, as a tree that stands on the last written block.
//!
//! Every block has its state change with it, so each of them has a snapshot. One branch is canonical. Branches may also stand on written
//! blocks below the last one: these are the other roots of the tree. Nothing here executes or writes.

use alloy_consensus::Header;
use alloy_primitives::{
    B256, U256,
    map::{B256Map, B256Set},
};
use braid_storage::{ExecutedBlock, Head};
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

/// Canonical blocks that do not need to stay in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Surplus {
    /// How many.
    pub(super) blocks: usize,
    /// Whether that is because of their transactions.
    pub(super) is_crowded: bool,
}

/// What happened to the canonical branch.
#[derive(Clone, Debug, Default)]
pub(super) struct Switch {
    /// Blocks that are no longer canonical, from the highest to the lowest.
    pub(super) removed: Vec<TreeBlock>,
    /// Blocks that are canonical now, from the lowest to the highest.
    pub(super) added: Vec<TreeBlock>,
}

/// A written block on which others stand.
#[derive(Clone, Debug)]
struct Root {
    block: Head,
    parent: Parent,
}

/// The way to a block.
#[derive(Debug)]
pub(super) struct Branch<'a> {
    /// The written block on which it stands.
    pub(super) root: Head,
    /// The blocks above it, from the lowest to the highest.
    pub(super) blocks: Vec<&'a TreeBlock>,
}

#[derive(Debug)]
pub(super) struct Tree {
    /// The last written block.
    base: Head,
    /// The base, and written blocks below it on which branches stand.
    roots: B256Map<Root>,
    blocks: B256Map<TreeBlock>,
    /// Hashes of the canonical blocks above the base, from the lowest to the highest.
    canonical: VecDeque<B256>,
}

impl Tree {
    /// A tree of nothing but its base.
    pub(super) fn new(base: Head, header: Header, total_difficulty: U256) -> Self {
        let root = Root { block: base, parent: Parent { header, total_difficulty } };
        let roots = B256Map::from_iter([(base.hash, root)]);
        Self { base, roots, blocks: B256Map::default(), canonical: VecDeque::new() }
    }

    pub(super) const fn base(&self) -> Head {
        self.base
    }

    pub(super) fn get(&self, hash: &B256) -> Option<&TreeBlock> {
        self.blocks.get(hash)
    }

    /// Lets branches stand on a written block below the base.
    pub(super) fn add_root(&mut self, block: Head, parent: Parent) {
        assert!(block.number < self.base.number, "{block:?} is not below the base {:?}", self.base);
        self.roots.insert(block.hash, Root { block, parent });
    }

    /// The header of a block of the tree or of a root, and the sum of the difficulties up to it.
    pub(super) fn parent(&self, hash: &B256) -> Option<Parent> {
        if let Some(root) = self.roots.get(hash) {
            return Some(root.parent.clone());
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

    /// How many of the lowest canonical blocks are too many, if so many blocks and transactions may stay. The highest always stays.
    pub(super) fn surplus(&self, blocks: usize, transactions: usize) -> Surplus {
        let mut kept_transactions = 0;
        let fitting = self.canonical.iter().rev().take_while(|hash| {
            let before = kept_transactions;
            kept_transactions += self.blocks[*hash].block.body.transactions.len();
            before == 0 || kept_transactions <= transactions
        });
        let fitting = fitting.count();
        let depth = self.depth();
        Surplus { blocks: depth - fitting.min(blocks).min(depth), is_crowded: fitting < blocks.min(depth) }
    }

    /// The lowest canonical blocks above the base.
    pub(super) fn lowest(&self, count: usize) -> Vec<Arc<ExecutedBlock>> {
        self.canonical.iter().take(count).map(|hash| Arc::clone(&self.blocks[hash].block)).collect()
    }

    /// The way to a block of the tree or to a root; `None` if it is neither.
    pub(super) fn branch(&self, hash: &B256) -> Option<Branch<'_>> {
        let mut blocks = Vec::new();
        let mut hash = *hash;
        loop {
            if let Some(root) = self.roots.get(&hash) {
                blocks.reverse();
                return Some(Branch { root: root.block, blocks });
            }
            let block = self.blocks.get(&hash)?;
            blocks.push(block);
            hash = block.block.header.parent_hash;
        }
    }

    /// Adds a block whose parent is a root or in the tree.
    pub(super) fn insert(&mut self, block: TreeBlock) {
        let parent = block.block.header.parent_hash;
        assert!(
            self.roots.contains_key(&parent) || self.blocks.contains_key(&parent),
            "block {} has no parent {parent} in the tree",
            block.block.header.number
        );
        self.blocks.insert(block.head().hash, block);
    }

    /// Makes a block on the base, or the base, the head. `None` if it is not there.
    pub(super) fn switch(&mut self, hash: &B256) -> Option<Switch> {
        let branch = self.branch(hash).filter(|branch| branch.root == self.base)?;
        let branch: Vec<B256> = branch.blocks.into_iter().map(|block| block.head().hash).collect();
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

    /// Moves the base up the canonical branch to a block that was written. Branches that leave it below stay, on roots of their own, unless
    /// these are more than `depth` blocks below.
    pub(super) fn advance(&mut self, written: Head, depth: u64) {
        let Some(position) = self.canonical.iter().position(|hash| *hash == written.hash) else {
            assert_eq!(written, self.base, "what was written is not canonical");
            return;
        };
        for hash in self.canonical.drain(..=position) {
            if let Some(TreeBlock { block, total_difficulty }) = self.blocks.remove(&hash) {
                let parent = Parent { header: block.header.clone(), total_difficulty };
                self.roots.insert(hash, Root { block: block.layer.block(), parent });
            }
        }
        self.base = written;
        self.roots.retain(|_, root| root.block.number + depth >= written.number);
        self.drop_unsupported();
        let used: B256Set = self.blocks.values().map(|block| block.block.header.parent_hash).collect();
        self.roots.retain(|hash, root| root.block == written || used.contains(hash));
    }

    /// The state after the base has another root now.
    pub(super) fn rebase(&mut self, base: Head) {
        assert_eq!((base.number, base.hash), (self.base.number, self.base.hash), "another block");
        self.base = base;
        if let Some(root) = self.roots.get_mut(&base.hash) {
            root.block = base;
        }
    }

    /// Puts the tree on a written block below the base, to which the database went back. What was written above it comes as `unwound`.
    pub(super) fn retreat(self, base: Head, parent: Parent, unwound: Vec<TreeBlock>) -> Self {
        let Parent { header, total_difficulty } = parent;
        let mut tree = Self::new(base, header, total_difficulty);
        tree.roots.extend(self.roots.into_iter().filter(|(_, root)| root.block.number < base.number));
        tree.blocks = self.blocks;
        tree.blocks.extend(unwound.into_iter().map(|block| (block.head().hash, block)));
        tree.drop_unsupported();
        tree
    }

    /// Drops blocks that stand on nothing.
    fn drop_unsupported(&mut self) {
        let mut rest: Vec<(B256, TreeBlock)> = self.blocks.drain().collect();
        rest.sort_unstable_by_key(|(_, block)| block.block.header.number);
        for (hash, block) in rest {
            let parent = &block.block.header.parent_hash;
            if self.roots.contains_key(parent) || self.blocks.contains_key(parent) {
                self.blocks.insert(hash, block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use braid_storage::{BlockChange, Body, Layer, StateUpdate};

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
    fn the_base_moves_up_and_branches_below_it_keep_their_root() {
        let (mut tree, main, side) = tree();
        tree.advance(main[0].head(), 8);
        let branch = tree.branch(&side[1].head().hash).unwrap();
        assert_eq!((branch.root, branch.blocks.len()), (main[0].head(), 2));
        tree.advance(main[1].head(), 8);
        assert_eq!((tree.base(), tree.head(), tree.depth()), (main[1].head(), main[2].head(), 1));
        assert_eq!(tree.parent(&main[1].head().hash).unwrap().header, main[1].block.header);
        assert_eq!(tree.branch(&side[1].head().hash).unwrap().root, main[0].head());
        assert!(tree.switch(&side[1].head().hash).is_none(), "it does not stand on the base");
        assert!(tree.parent(&B256::ZERO).is_none());
    }

    #[test]
    fn branches_far_below_the_base_fall() {
        let (mut tree, main, side) = tree();
        tree.advance(main[2].head(), 1);
        assert!(tree.branch(&side[1].head().hash).is_none());
        assert_eq!((tree.blocks.len(), tree.roots.len()), (0, 1));
    }

    #[test]
    fn a_tree_that_goes_back_keeps_all_its_branches() {
        let (mut tree, main, side) = tree();
        tree.advance(main[1].head(), 8);
        let parent = tree.parent(&main[0].head().hash).unwrap();
        let mut tree = tree.retreat(main[0].head(), parent, vec![main[1].clone()]);
        assert_eq!((tree.base(), tree.head()), (main[0].head(), main[0].head()));
        assert_eq!(heads(&tree.switch(&side[1].head().hash).unwrap().added), heads(&side));
        assert_eq!(heads(&tree.switch(&main[2].head().hash).unwrap().added), heads(&main[1..]));
    }

    #[test]
    #[should_panic(expected = "no parent")]
    fn a_block_needs_its_parent() {
        let (mut tree, _, side) = tree();
        tree.insert(block(&block(&side[0].block.header, 9).block.header, 9));
    }
}
