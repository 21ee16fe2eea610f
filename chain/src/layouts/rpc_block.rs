//! A block as `eth_getBlockByNumber` gives it with full transactions.

use super::{
    LayoutErrorKind,
    json::{self, JsonHeader},
};
use crate::ChainReference;
use alloy_consensus::{BlockBody, EMPTY_OMMER_ROOT_HASH};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::Address;
use braid_runtime::Block;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct RpcBlock {
    #[serde(flatten)]
    header: JsonHeader,
}

#[derive(Deserialize)]
struct RpcBody {
    transactions: Vec<Box<RawValue>>,
    withdrawals: Option<Withdrawals>,
}

/// A block from RPC, with its senders.
pub(super) struct Fetched {
    pub(super) chain: ChainReference,
    pub(super) block: Block,
    pub(super) senders: Vec<Address>,
    /// The block has ommers, of which RPC tells the hashes alone.
    pub(super) ommers_missing: bool,
}

pub(super) fn decode(text: &[u8]) -> Result<Fetched, LayoutErrorKind> {
    let header = serde_json::from_slice::<RpcBlock>(text)?.header.proved()?;
    let body: RpcBody = serde_json::from_slice(text)?;
    let transactions = json::transactions(&body.transactions)?;
    let ommers_missing = header.ommers_hash != EMPTY_OMMER_ROOT_HASH;
    let withdrawals = json::withdrawals(&header, body.withdrawals);
    let body = BlockBody { transactions: transactions.transactions, ommers: Vec::new(), withdrawals };
    let block = Block { header, body };
    let chain = json::chain_of(&block, None)?;
    let senders = json::senders(&block, &chain, &transactions.stated_senders)?;
    Ok(Fetched { chain, block, senders, ommers_missing })
}
