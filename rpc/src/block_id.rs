//! Blocks and states as clients name them: by tag, number or hash.

use crate::{Backend, RpcError, error::RESOURCE_NOT_FOUND};
use alloy_consensus::Header;
use alloy_eips::{BlockId, BlockNumberOrTag, RpcBlockHash};
use alloy_evm::EvmEnv;
use alloy_primitives::B256;
use braid_chain::{ChainBlock, ExecutionEngine, StateView};
use std::sync::Arc;

/// What a call is executed on.
#[derive(Debug)]
pub(crate) struct CallContext {
    /// The state before the call.
    pub(crate) state: StateView,
    /// The block in which the call believes to be: the one that was named; for `pending`, one that follows the head.
    pub(crate) header: Header,
    /// Environment of the EVM in that block.
    pub(crate) environment: EvmEnv,
}

impl Backend {
    /// Hash of the block with a tag, number or hash, if there is one. `pending` is the head.
    pub(crate) fn block_hash(&self, id: BlockId) -> Result<Option<B256>, RpcError> {
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

    /// The block with a tag, number or hash, if there is one; the latest without any.
    pub(crate) fn block(&self, id: Option<BlockId>) -> Result<Option<Arc<ChainBlock>>, RpcError> {
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

    /// The state after a block; the latest without any.
    pub(crate) fn state(&self, id: Option<BlockId>) -> Result<StateView, RpcError> {
        let id = id.unwrap_or_default();
        let hash = self.block_hash(id)?.ok_or_else(|| not_found(id))?;
        Ok(self.chain().state(&hash)?)
    }

    /// What a call at a block is executed on.
    pub(crate) fn call_context(&self, id: Option<BlockId>) -> Result<CallContext, RpcError> {
        let block = self.required_block(id)?;
        let state = self.chain().state(&block.hash())?;
        let header =
            if id.is_some_and(|id| id.is_pending()) { self.next_header(&block) } else { block.header().clone() };
        let environment = self.chain().spec().evm_env(&header);
        Ok(CallContext { state, header, environment })
    }

    /// The header of the block that is not made yet.
    pub(crate) fn pending_header(&self) -> Result<Header, RpcError> {
        Ok(self.next_header(&*self.chain().head_block()?))
    }

    /// The header of a block that follows another one, as far as it is known before its transactions are.
    pub(crate) fn next_header(&self, parent: &ChainBlock) -> Header {
        let (attributes, overrides) = self.next_attributes(parent);
        self.chain().next_header(parent, &attributes, &overrides)
    }
}

fn not_found(id: BlockId) -> RpcError {
    match id {
        BlockId::Number(BlockNumberOrTag::Safe) => RpcError::new(RESOURCE_NOT_FOUND, "safe block not found"),
        BlockId::Number(BlockNumberOrTag::Finalized) => RpcError::new(RESOURCE_NOT_FOUND, "finalized block not found"),
        _ => RpcError::server("header not found"),
    }
}
