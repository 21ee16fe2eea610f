//! Senders, recovered from signatures.

use crate::ChainReference;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_primitives::{Address, B256};
use braid_runtime::Block;

/// A signature from which no sender can be recovered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {index} ({hash}): no sender can be recovered from its signature")]
pub struct SenderError {
    /// Index of the transaction in its block.
    pub index: usize,
    /// Hash of the transaction.
    pub hash: B256,
}

/// The sender of each transaction of a block, in order.
///
/// From Homestead on a signature with an `s` in the upper half of the curve's order is refused (EIP-2).
pub fn recover_senders(block: &Block, chain: &ChainReference) -> Result<Vec<Address>, SenderError> {
    let strict = chain.is_homestead(block.header.number);
    let transactions = block.body.transactions.iter().enumerate();
    transactions
        .map(|(index, transaction)| {
            let sender = if strict { transaction.recover_signer() } else { transaction.recover_signer_unchecked() };
            sender.map_err(|_| SenderError { index, hash: *transaction.tx_hash() })
        })
        .collect()
}
