//! What a block is to the store.

use alloy_primitives::B256;

/// Any signed transaction.
pub type Transaction = alloy_consensus::EthereumTxEnvelope<alloy_consensus::TxEip4844>;
/// Transactions, ommers and withdrawals of a block.
pub type Body = alloy_consensus::BlockBody<Transaction>;
/// Outcome of a transaction.
pub type Receipt = alloy_consensus::EthereumReceipt;

/// A block with the state after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Block number.
    pub number: u64,
    /// Hash of the header.
    pub hash: B256,
    /// Root of the state after the block.
    pub state_root: B256,
}
