//! The state after the head is changed without a block, for development chains.

use super::{Chain, ChainError};
use braid_storage::BlockChange;
use std::sync::atomic::Ordering;

impl Chain {
    /// Changes the state after the head, as if the last block had left it so: what it costs is that the chain cannot be had again by executing its
    /// blocks. All blocks up to the head are written first. Gives the change that takes it back.
    ///
    /// See [`Database::amend`](braid_storage::Database::amend) for what a change here must not do.
    pub fn amend(&self, change: &BlockChange) -> Result<BlockChange, ChainError> {
        let _writer = self.executor.lock();
        self.write_all()?;
        let back = self.database.amend(change)?;
        self.amendments.fetch_add(1, Ordering::SeqCst);
        let head = self.database.head()?;
        self.tree.write().rebase(head);
        Ok(back)
    }

    /// How often the state was changed that way: what was read from a state is still so only if this number is the same.
    pub fn amendments(&self) -> u64 {
        self.amendments.load(Ordering::SeqCst)
    }
}
