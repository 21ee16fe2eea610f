//! The block that would be made now.

use super::{Producer, Shared};
use crate::{
    Chain, ChainBlock, ChainError,
    payload::{HeaderOverrides, PayloadAttributes},
};
use alloy_primitives::B256;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a pending block is good, if nothing changes but the time.
const LIFETIME: Duration = Duration::from_secs(1);

/// A block that was built to be looked at.
#[derive(Debug)]
pub(super) struct PendingBlock {
    parent: B256,
    /// Of the pool.
    version: u64,
    since: Instant,
    hash: B256,
}

impl Producer {
    /// The chain.
    pub fn chain(&self) -> &Arc<Chain> {
        &self.shared.chain
    }

    /// What a block on `parent` would be if it were made now.
    pub fn next_attributes(&self, parent: &ChainBlock) -> (PayloadAttributes, HeaderOverrides) {
        self.shared.settings.lock().attributes(parent.header())
    }

    /// The block that would be made now, of the transactions that are ready. It is in the tree, so its state can be read.
    pub fn pending_block(&self) -> Result<Arc<ChainBlock>, ChainError> {
        self.shared.pending_block()
    }
}

impl Shared {
    fn pending_block(&self) -> Result<Arc<ChainBlock>, ChainError> {
        let head = self.chain.head_block()?;
        let version = self.pool.version();
        let mut pending = self.pending.lock();
        if let Some(known) = &*pending
            && known.parent == head.hash()
            && known.version == version
            && known.since.elapsed() < LIFETIME
            && let Some(block) = self.chain.block(&known.hash)?
        {
            return Ok(block);
        }
        let (attributes, overrides) = self.settings.lock().attributes(head.header());
        let built = self.chain.build_from(head.hash(), &attributes, &overrides, &*self.pool, |_| true)?;
        let hash = built.map_or(head.hash(), |built| built.block.layer.block().hash);
        *pending = Some(PendingBlock { parent: head.hash(), version, since: Instant::now(), hash });
        self.chain.block(&hash)?.ok_or(ChainError::UnknownBlock(hash))
    }
}
