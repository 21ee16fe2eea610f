//! JSON that is the same in several layouts.

use super::LayoutErrorKind;
use crate::{ChainReference, senders::recover_senders};
use alloy_consensus::Header;
use alloy_consensus::Transaction as _;
use alloy_eips::{Decodable2718, Encodable2718, eip4895::Withdrawals};
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, B256};
use braid_runtime::{Block, Transaction};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a transaction object says beside the transaction itself.
#[derive(Deserialize)]
struct Said {
    hash: Option<B256>,
    from: Option<Address>,
}

/// Transactions of a JSON block, with what the source says of their senders.
pub(super) struct JsonTransactions {
    pub(super) transactions: Vec<Transaction>,
    /// `from` of each transaction, where it is there.
    pub(super) stated_senders: Vec<Option<Address>>,
}

/// Decodes transaction objects; where they state their hash, they have it.
pub(super) fn transactions(objects: &[Box<RawValue>]) -> Result<JsonTransactions, LayoutErrorKind> {
    let mut transactions = Vec::with_capacity(objects.len());
    let mut stated_senders = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter().enumerate() {
        // What comes from JSON believes the hash it states; what comes from its encoding has its own.
        let believing: Transaction = serde_json::from_str(object.get())?;
        let transaction = Transaction::decode_2718_exact(&believing.encoded_2718())?;
        let said: Said = serde_json::from_str(object.get())?;
        let computed = *transaction.tx_hash();
        if let Some(stated) = said.hash.filter(|stated| *stated != computed) {
            return Err(LayoutErrorKind::TransactionHash { index, stated, computed });
        }
        transactions.push(transaction);
        stated_senders.push(said.from);
    }
    Ok(JsonTransactions { transactions, stated_senders })
}

/// Recovers the senders of a block, and compares them with what the source says.
pub(super) fn senders(
    block: &Block,
    chain: &ChainReference,
    stated: &[Option<Address>],
) -> Result<Vec<Address>, LayoutErrorKind> {
    let senders = recover_senders(block, chain)?;
    for (index, (recovered, stated)) in senders.iter().zip(stated).enumerate() {
        if let Some(stated) = stated.filter(|stated| stated != recovered) {
            return Err(LayoutErrorKind::Sender { index, stated, recovered: *recovered });
        }
    }
    Ok(senders)
}

/// A block header object, with the hash it states.
#[derive(Deserialize)]
pub(super) struct JsonHeader {
    #[serde(flatten)]
    header: Header,
    hash: Option<B256>,
}

impl JsonHeader {
    /// The header, which has the hash that is stated.
    pub(super) fn proved(self) -> Result<Header, LayoutErrorKind> {
        let stated = self.hash.ok_or(LayoutErrorKind::NoBlockHash)?;
        let computed = self.header.hash_slow();
        if stated == computed { Ok(self.header) } else { Err(LayoutErrorKind::BlockHash { stated, computed }) }
    }
}

/// The body's withdrawals, present exactly when the header has a root for them.
pub(super) fn withdrawals(header: &Header, listed: Option<Withdrawals>) -> Option<Withdrawals> {
    match header.withdrawals_root {
        Some(_) => Some(listed.unwrap_or_default()),
        None => listed.filter(|withdrawals| !withdrawals.is_empty()),
    }
}

/// The chain of a block: by its configuration, or else a public chain by the id in its transactions; mainnet when those
/// carry none.
pub(super) fn chain_of(block: &Block, config: Option<ChainConfig>) -> Result<ChainReference, LayoutErrorKind> {
    if let Some(config) = config {
        return Ok(ChainReference::Config(Box::new(config)));
    }
    match block.body.transactions.iter().find_map(|transaction| transaction.chain_id()) {
        None => Ok(ChainReference::MAINNET),
        Some(id @ (1 | 17_000 | 560_048 | 11_155_111)) => Ok(ChainReference::Known(id)),
        Some(id) => Err(LayoutErrorKind::UnknownChain(id)),
    }
}
