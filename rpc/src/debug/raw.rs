//! `debug_getRaw*`: what blocks are made of, in their binary encodings.

use crate::{Backend, MethodSet, RpcError, replay::replayed};
use alloy_consensus::{Eip658Value, ReceiptWithBloom, TxReceipt};
use alloy_eips::{BlockId, Encodable2718};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Encodable;
use braid_chain::ChainBlock;
use serde::{Deserialize, Deserializer, de};
use std::sync::Arc;

pub(super) fn register(methods: &mut MethodSet) {
    let named = |(id,): &(BlockId,)| Some(*id);
    methods.reading("debug_getRawHeader(block: BlockId) -> Bytes", "RLP of a header.", named, |backend, (id,)| {
        Ok(rlp(required(backend, id)?.header()))
    });
    methods.reading("debug_getRawBlock(block: BlockId) -> Bytes", "RLP of a block.", named, |backend, (id,)| {
        let block = required(backend, id)?;
        Ok(rlp(&alloy_consensus::Block::new(block.header().clone(), block.body().clone())))
    });
    methods.slow(
        "debug_getRawReceipts(block: BlockId) -> Bytes[]",
        "Receipts of a block with their blooms (EIP-2718).",
        |backend, (id,): (BlockId,)| raw_receipts(backend, &required(backend, id)?),
    );
    methods.quick(
        "debug_getRawTransaction(hash: Hash) -> Bytes?",
        "A transaction as it was sent (EIP-2718), without the blobs; `null` if it is not known.",
        |backend, (PrefixedHash(hash),): (PrefixedHash,)| {
            let place = backend.chain().find_transaction(&hash)?;
            Ok(place.map(|place| Bytes::from(place.block.transactions()[place.index].encoded_2718())))
        },
    );
    methods.reading(
        "debug_getRawTransactions(block: BlockId) -> Bytes[]",
        "The transactions of a block as they were sent (EIP-2718), without blobs.",
        named,
        |backend, (id,)| {
            let block = required(backend, id)?;
            Ok(block.transactions().iter().map(|transaction| transaction.encoded_2718().into()).collect::<Vec<Bytes>>())
        },
    );
}

/// A hash that has to begin with `0x`, as geth wants it here.
#[derive(Debug)]
struct PrefixedHash(B256);

impl<'de> Deserialize<'de> for PrefixedHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.starts_with("0x") {
            return Err(de::Error::custom("hex string without 0x prefix"));
        }
        text.parse().map(Self).map_err(de::Error::custom)
    }
}

/// The block, or geth's error.
pub(super) fn required(backend: &Backend, id: BlockId) -> Result<Arc<ChainBlock>, RpcError> {
    let name = || match id {
        BlockId::Hash(hash) => format!("block {} not found", hash.block_hash),
        BlockId::Number(number) => format!("block {number} not found"),
    };
    backend.block(Some(id))?.ok_or_else(|| RpcError::server(name()))
}

fn rlp(value: &impl Encodable) -> Bytes {
    alloy_rlp::encode(value).into()
}

fn raw_receipts(backend: &Backend, block: &Arc<ChainBlock>) -> Result<Vec<Bytes>, RpcError> {
    let receipts = backend.chain().block_receipts(block)?;
    if receipts.is_empty() || backend.chain().spec().is_byzantium_active_at_block(block.number()) {
        let encoded = receipts.iter().map(|receipt| ReceiptWithBloom { logs_bloom: receipt.bloom(), receipt });
        return Ok(encoded.map(|receipt| receipt.encoded_2718().into()).collect());
    }
    // Before Byzantium receipts say the state after the transaction instead of whether it succeeded (EIP-658).
    let roots = replayed(|| Ok(backend.chain().roots_between_transactions(block)?))?;
    let encoded = receipts.iter().zip(roots).map(|(receipt, root)| {
        let logs_bloom = receipt.bloom();
        let receipt = alloy_consensus::Receipt {
            status: Eip658Value::PostState(root),
            cumulative_gas_used: receipt.cumulative_gas_used,
            logs: receipt.logs.clone(),
        };
        rlp(&ReceiptWithBloom { receipt, logs_bloom })
    });
    Ok(encoded.collect())
}
