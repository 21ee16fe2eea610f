//! Headers and blocks.

use super::{BlockContext, Mined, TransactionJson};
use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::{Address, B256, U64};
use braid_chain::ChainBlock;
use braid_runtime::{Block, Transaction};
use serde::{Serialize, Serializer, ser::SerializeSeq};

/// A header with its hash.
#[derive(Debug, Serialize)]
pub(crate) struct HeaderJson<'a> {
    /// `None` for a block that is not finished.
    pub(crate) hash: Option<B256>,
    #[serde(flatten)]
    pub(crate) header: &'a Header,
}

/// A block.
#[derive(Debug, Serialize)]
pub(crate) struct BlockJson<'a> {
    #[serde(flatten)]
    header: HeaderJson<'a>,
    /// Length of its RLP, in bytes.
    size: U64,
    transactions: TransactionsJson<'a>,
    uncles: Vec<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawals: Option<&'a [Withdrawal]>,
}

/// The transactions of a block: with everything, or only their hashes.
#[derive(Debug)]
pub(crate) enum TransactionsJson<'a> {
    Hashes(&'a [Transaction]),
    Full { transactions: &'a [Transaction], senders: &'a [Address], block: BlockContext },
}

impl Serialize for TransactionsJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Hashes(transactions) => serializer.collect_seq(transactions.iter().map(Transaction::tx_hash)),
            Self::Full { transactions, senders, block } => {
                let mut list = serializer.serialize_seq(Some(transactions.len()))?;
                for (index, (transaction, sender)) in transactions.iter().zip(senders).enumerate() {
                    let mined = Some(Mined { block, index });
                    list.serialize_element(&TransactionJson { transaction, sender: *sender, mined })?;
                }
                list.end()
            }
        }
    }
}

impl<'a> BlockJson<'a> {
    /// A block of the chain; with `senders` its transactions are written in full.
    pub(crate) fn new(block: &'a ChainBlock, senders: Option<&'a [Address]>) -> Self {
        let (header, body, transactions) = (block.header(), block.body(), block.transactions());
        Self {
            header: HeaderJson { hash: Some(block.hash()), header },
            size: U64::from(Block::rlp_length_for(header, body)),
            transactions: match senders {
                Some(senders) => TransactionsJson::Full { transactions, senders, block: BlockContext::of(block) },
                None => TransactionsJson::Hashes(transactions),
            },
            uncles: body.ommers.iter().map(Header::hash_slow).collect(),
            withdrawals: body.withdrawals.as_ref().map(|withdrawals| withdrawals.as_slice()),
        }
    }

    /// The same for a block that is not made yet.
    pub(crate) const fn without_hash(mut self) -> Self {
        self.header.hash = None;
        self
    }

    /// An ommer: a block of which only the header is known.
    pub(crate) fn ommer(header: &'a Header) -> Self {
        Self {
            withdrawals: None,
            header: HeaderJson { hash: Some(header.hash_slow()), header },
            ..Self::pending(header)
        }
    }

    /// A block that is not made yet, without transactions: it has no hash.
    pub(crate) fn pending(header: &'a Header) -> Self {
        Self {
            header: HeaderJson { hash: None, header },
            size: U64::from(Block::rlp_length_for(header, &Default::default())),
            transactions: TransactionsJson::Hashes(&[]),
            uncles: Vec::new(),
            withdrawals: header.withdrawals_root.map(|_| &[] as &[Withdrawal]),
        }
    }
}
