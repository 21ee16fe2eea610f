//! The block that would be made now.

use super::{Producer, Shared};
use crate::{
    Chain, ChainBlock, ChainError,
    payload::{BuiltPayload, HeaderOverrides, PayloadAttributes},
};
use alloy_primitives::B256;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a pending block is good, if nothing changes but the time.
const LIFETIME: Duration = Duration::from_secs(1);

/// A block that was built to be looked at. If nothing has changed when the next block is made, it is that.
#[derive(Debug)]
pub(super) struct PendingBlock {
    parent: B256,
    /// Of the pool.
    version: u64,
    since: Instant,
    attributes: PayloadAttributes,
    overrides: HeaderOverrides,
    built: BuiltPayload,
}

impl PendingBlock {
    fn hash(&self) -> B256 {
        self.built.block.layer.block().hash
    }
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
            && let Some(block) = self.chain.block(&known.hash())?
        {
            return Ok(block);
        }
        let (attributes, overrides) = self.settings.lock().attributes(head.header());
        let built = self.chain.build_from(head.hash(), &attributes, &overrides, &*self.pool, |_| true)?;
        let built = built.ok_or(ChainError::UnknownBlock(head.hash()))?;
        let since = Instant::now();
        let hash = built.block.layer.block().hash;
        *pending = Some(PendingBlock { parent: head.hash(), version, since, attributes, overrides, built });
        self.chain.block(&hash)?.ok_or(ChainError::UnknownBlock(hash))
    }

    /// The block that was built to be looked at, if it is the one that would be made now: on the same parent, with the same attributes, of a pool
    /// in which nothing came or went.
    pub(super) fn take_pending(
        &self,
        parent: B256,
        attributes: &PayloadAttributes,
        overrides: &HeaderOverrides,
    ) -> Option<BuiltPayload> {
        let known = self.pending.lock().take()?;
        let is_same = known.parent == parent && known.attributes == *attributes && known.overrides == *overrides;
        (is_same && known.version == self.pool.version()).then_some(known.built)
    }
}
