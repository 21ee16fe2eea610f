//! Block access lists (EIP-7928).
//!
//! They are not kept: the block is executed again for it. So they are there for blocks of every fork.

use crate::{Backend, MethodSet, RpcError};
use alloy_eip7928::BlockAccessList;
use alloy_eips::BlockId;
use alloy_primitives::{B256, Bytes};
use braid_runtime::{Block, Outputs, RecoveredBlock, oracle};
use serde_json::value::{RawValue, to_raw_value};

pub(super) fn register(methods: &mut MethodSet) {
    let about = "What a block accessed and changed (EIP-7928).";
    methods.slow("eth_getBlockAccessList(block: BlockId) -> BlockAccessList?", about, |backend, (id,): (BlockId,)| {
        json(backend, id)
    });
    methods.slow(
        "eth_getBlockAccessListByBlockNumber(block: BlockTag) -> BlockAccessList?",
        about,
        |backend, (id,): (BlockId,)| json(backend, id),
    );
    methods.slow(
        "eth_getBlockAccessListByBlockHash(hash: Hash) -> BlockAccessList?",
        about,
        |backend, (hash,): (B256,)| json(backend, hash.into()),
    );
    methods.slow(
        "eth_getBlockAccessListRaw(block: BlockId) -> Bytes?",
        "What a block accessed and changed (EIP-7928), as RLP.",
        |backend, (id,): (BlockId,)| {
            Ok(backend.block_access_list(id)?.map(|list| Bytes::from(alloy_rlp::encode(&list))))
        },
    );
}

fn json(backend: &Backend, id: BlockId) -> Result<Option<Box<RawValue>>, RpcError> {
    let list = backend.block_access_list(id)?;
    list.map(|list| to_raw_value(&list).map_err(RpcError::internal)).transpose()
}

impl Backend {
    /// The access list of a block; `None` if there is no such block. The first block of a chain has an empty one.
    pub(crate) fn block_access_list(&self, id: BlockId) -> Result<Option<BlockAccessList>, RpcError> {
        let Some(block) = self.block(Some(id))? else { return Ok(None) };
        if block.number() == 0 {
            return Ok(Some(BlockAccessList::default()));
        }
        let chain = self.chain();
        let senders = chain.block_senders(&block)?.to_vec();
        let whole = Block { header: block.header().clone(), body: block.body().clone() };
        let whole = RecoveredBlock::new_unchecked(whole, senders);
        let parent = chain.state(&block.header().parent_hash)?;
        let outputs = Outputs { access_list: true, ..Outputs::default() };
        let outcome = oracle::execute_serial(&parent, &whole, chain.spec(), outputs).map_err(RpcError::internal)?;
        Ok(outcome.access_list)
    }
}
