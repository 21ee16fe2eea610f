//! Receipts.

use super::json::{BlockContext, Outcome, ReceiptJson};
use crate::{Backend, MethodSet, RpcError};
use alloy_eips::BlockId;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256};
use braid_chain::{BlockReceipts, ChainBlock};
use serde_json::value::{RawValue, to_raw_value};

pub(super) fn register(methods: &mut MethodSet) {
    let (signature, about) =
        ("eth_getTransactionReceipt(hash: Hash) -> Receipt?", "Receipt of a transaction that is in a block.");
    // The roots in receipts of early blocks are not kept: the block is executed again for them.
    let has_early_blocks = !methods.backend().chain().spec().is_byzantium_active_at_block(0);
    let handler = |backend: &Backend, (hash,): (B256,)| of_transaction(backend, hash);
    if has_early_blocks {
        methods.slow(signature, about, handler);
    } else {
        methods.quick(signature, about, handler);
    }
    methods.slow(
        "eth_getBlockReceipts(block: BlockId) -> Receipt[]?",
        "Receipts of all transactions of a block.",
        |backend, (id,): (BlockId,)| of_block(backend, id),
    );
}

type Written = Option<Box<RawValue>>;

/// The receipts of a block with all that is needed to write them.
#[derive(Debug)]
pub(crate) struct ReceiptsOfBlock<'a> {
    block: &'a ChainBlock,
    receipts: BlockReceipts,
    senders: &'a [Address],
    /// State roots after the transactions, of a block before Byzantium.
    roots: Vec<B256>,
    blob_gas_price: Option<u128>,
}

impl<'a> ReceiptsOfBlock<'a> {
    pub(crate) fn new(backend: &Backend, block: &'a ChainBlock) -> Result<Self, RpcError> {
        let (chain, header) = (backend.chain(), block.header());
        let is_early = !chain.spec().is_byzantium_active_at_block(header.number);
        Ok(Self {
            block,
            receipts: chain.block_receipts(block)?,
            senders: chain.block_senders(block)?,
            roots: if is_early { chain.roots_between_transactions(block)? } else { Vec::new() },
            blob_gas_price: backend.blob_gas_price(header),
        })
    }

    /// The receipt of the transaction with this index, if the block has it.
    pub(crate) fn get(&self, index: usize) -> Option<ReceiptJson<'_>> {
        let before = self.receipts.get(..index)?;
        self.after(index, before.iter().map(|receipt| receipt.logs.len()).sum())
    }

    /// All of them, in order.
    pub(crate) fn all(&self) -> Vec<ReceiptJson<'_>> {
        let mut first_log = 0;
        let receipts = (0..self.receipts.len()).map_while(|index| {
            let json = self.after(index, first_log)?;
            first_log += json.receipt.logs.len();
            Some(json)
        });
        receipts.collect()
    }

    /// The receipt with so many logs before it in the block.
    fn after(&self, index: usize, first_log: usize) -> Option<ReceiptJson<'_>> {
        let receipt = self.receipts.get(index)?;
        let before = index.checked_sub(1).map_or(0, |before| self.receipts[before].cumulative_gas_used);
        Some(ReceiptJson {
            receipt,
            transaction: self.block.transactions().get(index)?,
            sender: *self.senders.get(index)?,
            block: BlockContext::of(self.block),
            index,
            gas_used: receipt.cumulative_gas_used.saturating_sub(before),
            first_log,
            outcome: self.roots.get(index).map_or(Outcome::Status(receipt.success), |root| Outcome::Root(*root)),
            blob_gas_price: self.blob_gas_price,
        })
    }
}

impl Backend {
    /// The receipt of a transaction that is in the canonical branch, as JSON.
    pub(crate) fn write_receipt(&self, hash: &B256) -> Result<Option<Box<RawValue>>, RpcError> {
        let Some(place) = self.chain().find_transaction(hash)? else { return Ok(None) };
        let receipts = ReceiptsOfBlock::new(self, &place.block)?;
        receipts.get(place.index).map(|json| to_raw_value(&json).map_err(RpcError::internal)).transpose()
    }
}

fn of_transaction(backend: &Backend, hash: B256) -> Result<Written, RpcError> {
    backend.write_receipt(&hash)
}

fn of_block(backend: &Backend, id: BlockId) -> Result<Written, RpcError> {
    if id.is_pending() && !backend.has_pending_block() {
        return to_raw_value::<[(); 0]>(&[]).map(Some).map_err(RpcError::internal);
    }
    let Some(block) = backend.block(Some(id))? else { return Ok(None) };
    let receipts = ReceiptsOfBlock::new(backend, &block)?;
    to_raw_value(&receipts.all()).map(Some).map_err(RpcError::internal)
}
