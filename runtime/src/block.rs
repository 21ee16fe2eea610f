//! Blocks as the engine takes them: decoded, with their senders recovered.

use alloy_primitives::Address;

/// A transaction as it stands in a block.
pub type Transaction = alloy_consensus::EthereumTxEnvelope<alloy_consensus::TxEip4844>;
/// A decoded block.
pub type Block = alloy_consensus::Block<Transaction>;
/// A receipt without its bloom.
pub type Receipt = alloy_consensus::EthereumReceipt;

/// A block together with the sender of each of its transactions.
#[derive(Clone, Debug)]
pub struct RecoveredBlock {
    block: Block,
    senders: Vec<Address>,
}

impl RecoveredBlock {
    /// Pairs a block with senders that the caller already knows. Panics when the lengths differ.
    pub fn new_unchecked(block: Block, senders: Vec<Address>) -> Self {
        assert_eq!(block.body.transactions.len(), senders.len(), "one sender for each transaction");
        Self { block, senders }
    }

    /// The block.
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// Senders, in the order of the transactions.
    pub fn senders(&self) -> &[Address] {
        &self.senders
    }
}
