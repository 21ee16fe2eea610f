//! Blocks and states as clients name them: by tag, number or hash.

use crate::{Backend, RpcError, error::RESOURCE_NOT_FOUND};
use alloy_consensus::Header;
use alloy_eips::{BlockId, BlockNumberOrTag, RpcBlockHash, eip7685::EMPTY_REQUESTS_HASH};
use alloy_evm::EvmEnv;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::B256;
use braid_chain::{ChainBlock, ExecutionEngine, StateView};
use std::sync::Arc;

/// What a call is executed on.
#[derive(Debug)]
pub(crate) struct CallContext {
    /// The state before the call.
    pub(crate) state: StateView,
    /// The block in which the call believes to be: the one that was named; for `pending`, the one that would be made now.
    pub(crate) header: Header,
    /// Environment of the EVM in that block.
    pub(crate) environment: EvmEnv,
}

impl Backend {
    /// Hash of the block with a tag, number or hash, if there is one. `pending` is the head: what is not made yet cannot be found by its hash.
    fn block_hash(&self, id: BlockId) -> Result<Option<B256>, RpcError> {
        let chain = self.chain();
        let tag = match id {
            BlockId::Hash(RpcBlockHash { block_hash, require_canonical }) => {
                let Some(number) = chain.number(&block_hash)? else { return Ok(None) };
                if require_canonical == Some(true) && chain.canonical_hash(number)? != Some(block_hash) {
                    return Err(RpcError::server("hash is not currently canonical"));
                }
                return Ok(Some(block_hash));
            }
            BlockId::Number(tag) => tag,
        };
        let marked = |hash: B256| (!hash.is_zero()).then_some(hash);
        Ok(match tag {
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => Some(chain.head().hash),
            BlockNumberOrTag::Number(number) => chain.canonical_hash(number)?,
            BlockNumberOrTag::Earliest => chain.canonical_hash(0)?,
            BlockNumberOrTag::Safe => marked(chain.fork_choice().safe),
            BlockNumberOrTag::Finalized => marked(chain.fork_choice().finalized),
        })
    }

    /// The block with a tag, number or hash, if there is one; the latest without any. `pending` is the block that would be made now, which may have to be executed
    /// first, or the head if no transaction is ready.
    pub(crate) fn block(&self, id: Option<BlockId>) -> Result<Option<Arc<ChainBlock>>, RpcError> {
        if is_pending(id)
            && let Some(pending) = self.pending_block()?
        {
            return Ok(Some(Arc::clone(pending.block())));
        }
        match self.block_hash(id.unwrap_or_default())? {
            Some(hash) => Ok(self.chain().block(&hash)?),
            None => Ok(None),
        }
    }

    /// The block, which must be there.
    ///
    /// # Errors
    /// As geth: `header not found`, `safe block not found`, …
    pub(crate) fn required_block(&self, id: Option<BlockId>) -> Result<Arc<ChainBlock>, RpcError> {
        self.block(id)?.ok_or_else(|| not_found(id.unwrap_or_default()))
    }

    /// The state after a block; the latest without any. For `pending` a block may have to be executed first.
    pub(crate) fn state(&self, id: Option<BlockId>) -> Result<StateView, RpcError> {
        if is_pending(id)
            && let Some((_, state)) = self.pending_state()?
        {
            return Ok(state);
        }
        let id = id.unwrap_or_default();
        let hash = self.block_hash(id)?.ok_or_else(|| not_found(id))?;
        Ok(self.chain().state(&hash)?)
    }

    /// What a call at a block is executed on.
    pub(crate) fn call_context(&self, id: Option<BlockId>) -> Result<CallContext, RpcError> {
        if is_pending(id) {
            return match self.pending_state()? {
                Some((block, state)) => Ok(self.context(state, block.header().clone())),
                None => self.next_context(),
            };
        }
        let block = self.required_block(id)?;
        Ok(self.context(self.chain().state(&block.hash())?, block.header().clone()))
    }

    /// What a call is executed on in the next block, before its transactions.
    pub(crate) fn next_context(&self) -> Result<CallContext, RpcError> {
        let head = self.chain().head_block()?;
        Ok(self.context(self.chain().state(&head.hash())?, self.next_header(&head)))
    }

    fn context(&self, state: StateView, header: Header) -> CallContext {
        let environment = self.chain().spec().evm_env(&header);
        CallContext { state, header, environment }
    }

    /// The header of the block that is not made yet, without transactions: nothing is executed for it, so the state is that of the head.
    pub(crate) fn pending_header(&self) -> Result<Header, RpcError> {
        let head = self.chain().head_block()?;
        let mut header = self.next_header(&head);
        header.state_root = head.header().state_root;
        if self.chain().spec().is_prague_active_at_timestamp(header.timestamp) {
            header.requests_hash = Some(EMPTY_REQUESTS_HASH);
        }
        Ok(header)
    }

    /// The header of a block that follows another one, as far as it is known before its transactions are.
    pub(crate) fn next_header(&self, parent: &ChainBlock) -> Header {
        let (attributes, overrides) = self.next_attributes(parent);
        self.chain().next_header(parent, &attributes, &overrides)
    }
}

fn is_pending(id: Option<BlockId>) -> bool {
    id.is_some_and(|id| id.is_pending())
}

fn not_found(id: BlockId) -> RpcError {
    match id {
        BlockId::Number(BlockNumberOrTag::Safe) => RpcError::new(RESOURCE_NOT_FOUND, "safe block not found"),
        BlockId::Number(BlockNumberOrTag::Finalized) => RpcError::new(RESOURCE_NOT_FOUND, "finalized block not found"),
        _ => RpcError::server("header not found"),
    }
}
