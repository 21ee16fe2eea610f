//! Blocks and states, wherever they are.

use super::{
    Chain, ChainError, InvalidReason,
    tree::{Parent, Tree},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, U256};
use braid_storage::{Body, Database, Head, Layer, Receipt, Snapshot, StorageError, store::Table};
use std::sync::Arc;

/// How often a snapshot is tried again when the database moved on meanwhile.
const ATTEMPTS: usize = 4;

/// A tree on the head of a database.
pub(super) fn stored_tree(database: &Database) -> Result<Tree, ChainError> {
    let head = database.head()?;
    let missing = StorageError::MissingBlock { table: Table::Headers, number: head.number };
    let header = database.header(head.number)?.ok_or(missing)?;
    Ok(Tree::new(head, header, database.total_difficulty()?))
}

impl Chain {
    /// The state after a block that is in memory or the last written one. For older blocks see [`Database::state_at`].
    pub fn snapshot(&self, hash: B256) -> Result<Snapshot, ChainError> {
        for _ in 0..ATTEMPTS {
            let (root, base, mut layers) = {
                let tree = self.tree.read();
                let branch = tree.branch(&hash).ok_or(ChainError::UnknownBlock(hash))?;
                let layers: Vec<_> = branch.blocks.iter().map(|block| Arc::clone(&block.block.layer)).collect();
                (branch.root, tree.base(), layers)
            };
            if root != base {
                // Execution there needs the tables to stand still.
                self.folding.wait();
                layers.insert(0, self.rewound(root)?);
            }
            match self.database.snapshot_above(layers) {
                Ok(snapshot) if snapshot.block().hash == hash => return Ok(snapshot),
                Ok(_) | Err(StorageError::LayerGap { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // The tables moved above the block: what was written has to leave the tree first.
            self.folding.wait();
            self.settle()?;
        }
        Err(ChainError::UnknownBlock(hash))
    }

    /// The layer that leads from the tables back to a stored block.
    fn rewound(&self, root: Head) -> Result<Arc<Layer>, ChainError> {
        let head = self.database.head()?;
        let mut rewound = self.rewound.lock();
        if let Some(layer) = rewound.as_ref().filter(|layer| layer.parent() == head.hash && layer.block() == root) {
            return Ok(Arc::clone(layer));
        }
        let layer = self.database.rewind(root.number)?;
        *rewound = Some(Arc::clone(&layer));
        Ok(layer)
    }

    /// The state after a stored block below the last written one, from which roots can be computed.
    pub(super) fn rewound_to(&self, number: u64) -> Result<Snapshot, ChainError> {
        self.folding.wait();
        let head = self.database.head()?;
        let earliest = self.database.history_from()?.max(head.number.saturating_sub(self.options.deepest_branch));
        if number < earliest {
            return Err(ChainError::TooDeep { number: number + 1, earliest });
        }
        if number == head.number {
            return Ok(self.database.snapshot()?);
        }
        Ok(self.database.snapshot_above(vec![self.database.rewind(number)?])?)
    }

    /// Lets branches stand on a stored block below the last one, if it is not too deep.
    pub(super) fn add_root(&self, block: Head) -> Result<(), ChainError> {
        let base = self.tree.read().base();
        let earliest = self.database.history_from()?.max(base.number.saturating_sub(self.options.deepest_branch));
        if block.number < earliest {
            return Err(ChainError::TooDeep { number: block.number + 1, earliest });
        }
        let missing = |number| StorageError::MissingBlock { table: Table::Headers, number };
        let header = |number| Ok::<_, ChainError>(self.database.header(number)?.ok_or_else(|| missing(number))?);
        let mut total_difficulty = self.total_difficulty(&base.hash).unwrap_or_default();
        for number in block.number + 1..=base.number {
            total_difficulty = total_difficulty.saturating_sub(header(number)?.difficulty);
        }
        let header = header(block.number)?;
        self.tree.write().add_root(block, Parent { header, total_difficulty });
        Ok(())
    }

    /// A block in memory or a stored canonical one.
    pub fn header_and_body(&self, hash: &B256) -> Result<Option<(Header, Body)>, ChainError> {
        if let Some(block) = self.tree.read().get(hash) {
            return Ok(Some((block.block.header.clone(), block.block.body.clone())));
        }
        let Some(head) = self.stored(hash)? else { return Ok(None) };
        Ok(self.database.header(head.number)?.zip(self.database.body(head.number)?))
    }

    /// Header of the canonical block with a number. That is less work than to look at the block.
    pub fn canonical_header(&self, number: u64) -> Result<Option<Header>, ChainError> {
        if let Some(block) = self.tree.read().canonical(number) {
            return Ok(Some(block.block.header.clone()));
        }
        Ok(self.database.header(number)?)
    }

    /// Hash of the canonical block with a number.
    pub fn canonical_hash(&self, number: u64) -> Result<Option<B256>, ChainError> {
        if let Some(block) = self.tree.read().canonical(number) {
            return Ok(Some(block.head().hash));
        }
        Ok(self.database.block_hash(number)?)
    }

    /// Receipts of a block in memory or of a stored canonical one.
    pub fn receipts(&self, hash: &B256) -> Result<Option<Vec<Receipt>>, ChainError> {
        if let Some(block) = self.tree.read().get(hash) {
            return Ok(Some(block.block.receipts.clone()));
        }
        let Some(head) = self.stored(hash)? else { return Ok(None) };
        Ok(self.database.receipts(head.number)?)
    }

    /// Sum of the difficulties from the first block to this one, if the block is in memory or the last written one.
    pub fn total_difficulty(&self, hash: &B256) -> Option<U256> {
        Some(self.tree.read().parent(hash)?.total_difficulty)
    }

    /// Number of a block in memory or of a stored canonical one.
    pub fn number(&self, hash: &B256) -> Result<Option<u64>, ChainError> {
        if let Some(block) = self.tree.read().get(hash) {
            return Ok(Some(block.head().number));
        }
        Ok(self.database.block_number(*hash)?)
    }

    /// Whether a block is on the branch below (or is) another one.
    pub fn is_ancestor(&self, ancestor: &B256, of: &B256) -> Result<bool, ChainError> {
        let Some(number) = self.number(ancestor)? else { return Ok(false) };
        let tree = self.tree.read();
        let mut hash = *of;
        while let Some(block) = tree.get(&hash) {
            if block.head().number <= number {
                return Ok(hash == *ancestor);
            }
            hash = block.block.header.parent_hash;
        }
        // From here down the branch is the stored one.
        let Some(below) = self.database.block_number(hash)? else { return Ok(false) };
        Ok(number <= below && self.database.block_hash(number)? == Some(*ancestor))
    }

    /// What is wrong with a block that was refused.
    pub(crate) fn why_invalid(&self, hash: &B256) -> Option<Arc<InvalidReason>> {
        Some(Arc::clone(&self.invalid.lock().get(hash)?.reason))
    }

    /// The last valid ancestor of a block that was refused, as the Engine API tells it: zero for a block of proof of work.
    pub(crate) fn latest_valid(&self, hash: &B256) -> Result<Option<B256>, ChainError> {
        let Some(last_valid) = self.invalid.lock().get(hash).map(|entry| entry.last_valid) else { return Ok(None) };
        let header = self.header_and_body(&last_valid)?.map(|(header, _)| header);
        Ok(header.map(|header| if self.spec.at(&header).is_merged() { last_valid } else { B256::ZERO }))
    }

    /// The stored canonical block with a hash.
    pub(super) fn stored(&self, hash: &B256) -> Result<Option<Head>, ChainError> {
        let Some(number) = self.database.block_number(*hash)? else { return Ok(None) };
        let header = self.database.header(number)?;
        let Some(header) = header else { return Ok(None) };
        Ok(Some(Head { number, hash: *hash, state_root: self.database.state_root(&header)? }))
    }
}
