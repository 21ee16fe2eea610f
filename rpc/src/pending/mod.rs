//! What `pending` names: the block that would be made now of the transactions in the pool, and the state after it.
//!
//! It has to be executed before it can be read, so methods that answer at once as a rule are registered by [`MethodSet::reading`]: they go to the pool for slow calls
//! when they are asked about `pending` while transactions wait. While none is ready, `pending` is the head and its state.

#[cfg(test)]
mod tests;

use crate::{Backend, MethodSet, RpcError, methods::FromParams};
use alloy_eips::BlockId;
use braid_chain::{ChainBlock, ChainError, Pending, PendingBlock, StateView};
use serde::Serialize;
use std::sync::Arc;

/// How often the pending block is built anew if the chain goes on meanwhile.
const ATTEMPTS: usize = 3;

impl Backend {
    /// The block that would be made now; none if no transaction is ready for it. It may have to be executed first.
    pub(crate) fn pending_block(&self) -> Result<Option<Arc<PendingBlock>>, RpcError> {
        Ok(self.pending_blocks().get(self.chain(), self.pool(), &|head| self.next_attributes(head))?)
    }

    /// The same with the state after it.
    pub(crate) fn pending_state(&self) -> Result<Option<(Arc<ChainBlock>, StateView)>, RpcError> {
        for _ in 0..ATTEMPTS {
            let Some(pending) = self.pending_block()? else { return Ok(None) };
            match pending.state(self.chain()) {
                Ok(state) => return Ok(Some((Arc::clone(pending.block()), state))),
                Err(ChainError::UnknownBlock(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RpcError::server("the chain moves too fast for its pending state"))
    }

    /// Whether transactions wait that the next block would have.
    pub(crate) fn has_pending_block(&self) -> bool {
        let pending = self.pending_blocks().look(self.chain(), self.pool(), &|head| self.next_attributes(head));
        !matches!(pending, Ok(Pending::Nothing))
    }

    /// Whether a block and its state are there without anything being executed.
    pub(crate) fn is_at_hand(&self, block: Option<BlockId>) -> bool {
        !block.is_some_and(|id| id.is_pending()) || !self.has_pending_block()
    }
}

impl MethodSet {
    /// A method that reads a few values at a block: at once, but on the pool for slow calls if the block is one that has to be executed first.
    /// `block` tells which one is asked for.
    pub(crate) fn reading<P: FromParams + Clone + Send + 'static, R: Serialize>(
        &mut self,
        signature: &'static str,
        about: &'static str,
        block: fn(&P) -> Option<BlockId>,
        handler: impl Fn(&Backend, P) -> Result<R, RpcError> + Clone + Send + Sync + 'static,
    ) {
        let at_once = handler.clone();
        let attempt = move |backend: &Backend, arguments: &P| {
            backend.is_at_hand(block(arguments)).then(|| at_once(backend, arguments.clone()))
        };
        self.brief(signature, about, attempt, move |backend, arguments| handler(backend, arguments.clone()));
    }
}
