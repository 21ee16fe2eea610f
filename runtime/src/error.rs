//! Why a block could not be executed.
//!
//! The one distinction that matters: [`BlockError::Invalid`] is a verdict on the block, everything else says nothing about
//! it. A state that cannot be read, or a broken invariant, must never make a valid block look invalid.

use alloy_evm::block::{BlockExecutionError, BlockValidationError, InternalBlockExecutionError};
use alloy_primitives::B256;
use revm::context_interface::result::InvalidTransaction;
use std::error::Error;

/// Why a block could not be executed.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// The block breaks the rules of its fork.
    #[error("invalid block: {0}")]
    Invalid(#[from] InvalidBlock),
    /// The parent state could not be read; the block may be valid.
    #[error("the parent state cannot be read: {0}")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// Execution failed for a reason that lies outside of the block; the block may be valid.
    #[error("execution failed: {0}")]
    Internal(#[source] Box<dyn Error + Send + Sync>),
}

impl BlockError {
    /// Whether this is a verdict on the block.
    pub const fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }

    /// Sorts an error of alloy-evm. `index` is that of the transaction that was executed, if any.
    ///
    /// Reads of the database that failed inside system calls are reported by alloy-evm as if the block were invalid: who
    /// calls this must have ruled out failed reads before.
    pub(crate) fn from_alloy(error: BlockExecutionError, index: Option<usize>) -> Self {
        let validation = match error {
            BlockExecutionError::Validation(validation) => validation,
            BlockExecutionError::Internal(InternalBlockExecutionError::Other(source)) => return Self::Internal(source),
            BlockExecutionError::Internal(internal) => return Self::Internal(Box::new(internal)),
        };
        match (validation, index) {
            (BlockValidationError::InvalidTx { hash, error }, Some(index)) => match error.as_invalid_tx_err() {
                Some(reason) => InvalidBlock::Transaction { index, hash, reason: reason.clone().into() }.into(),
                None => Self::Internal(Box::new(BlockValidationError::InvalidTx { hash, error })),
            },
            (
                BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas {
                    transaction_gas_limit,
                    block_available_gas,
                },
                Some(index),
            ) => InvalidBlock::BlockGasExceeded {
                index,
                gas_limit: transaction_gas_limit,
                available: block_available_gas,
            }
            .into(),
            (BlockValidationError::EVM { error, .. }, _) => Self::Internal(error),
            // Failed reads of the database, which the caller has ruled out.
            (validation @ BlockValidationError::IncrementBalanceFailed, _) => Self::Internal(Box::new(validation)),
            (validation, _) => InvalidBlock::SystemOperation(Box::new(validation)).into(),
        }
    }
}

/// Which rule a block breaks.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBlock {
    /// A transaction must not be in this block at this place.
    #[error("transaction {index} ({hash}): {reason}")]
    Transaction {
        /// Index of the transaction in the block.
        index: usize,
        /// Hash of the transaction.
        hash: B256,
        /// The rule it breaks.
        reason: Box<InvalidTransaction>,
    },
    /// The gas limit of a transaction is more than what is left of the block's.
    #[error("transaction {index}: gas limit {gas_limit} is more than the {available} left in the block")]
    BlockGasExceeded {
        /// Index of the transaction in the block.
        index: usize,
        /// Gas limit of the transaction.
        gas_limit: u64,
        /// Gas left in the block before the transaction.
        available: u64,
    },
    /// The blobs of the transactions need more blob gas than a block may use (EIP-4844).
    #[error("blobs use {used} blob gas, more than the {limit} of a block")]
    BlobGasExceeded {
        /// Blob gas of all transactions.
        used: u64,
        /// Most blob gas of a block of this fork.
        limit: u64,
    },
    /// The block lacks a field that its fork requires.
    #[error("{0} is missing")]
    MissingField(&'static str),
    /// The block has a field that its fork does not know, or forbids.
    #[error("{0} must not be there")]
    UnexpectedField(&'static str),
    /// An ommer is not one of the last six generations.
    #[error("ommer {number} is out of range for block {block}")]
    OmmerNumber {
        /// Number of the ommer.
        number: u64,
        /// Number of the block.
        block: u64,
    },
    /// The access list supplied with the block is not what the block accesses (EIP-7928).
    #[error("the block access list is false: {0}")]
    AccessList(String),
    /// A system contract failed, or a deposit log is malformed (EIP-6110, 7002, 7251, 8282).
    #[error("{0}")]
    SystemOperation(#[source] Box<BlockValidationError>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_verdicts_are_invalid() {
        let invalid = BlockError::from_alloy(
            BlockValidationError::InvalidTx {
                hash: B256::ZERO,
                error: Box::new(InvalidTransaction::NonceTooLow { tx: 1, state: 2 }),
            }
            .into(),
            Some(3),
        );
        assert!(
            matches!(&invalid, BlockError::Invalid(InvalidBlock::Transaction { index: 3, reason, .. })
                if **reason == InvalidTransaction::NonceTooLow { tx: 1, state: 2 }),
            "{invalid:?}"
        );
        for error in [
            BlockExecutionError::msg("out of disk"),
            BlockValidationError::IncrementBalanceFailed.into(),
            BlockValidationError::EVM { hash: B256::ZERO, error: "stale".into() }.into(),
        ] {
            let error = BlockError::from_alloy(error, Some(0));
            assert!(!error.is_invalid(), "{error:?}");
        }
        let system = BlockError::from_alloy(BlockValidationError::MissingParentBeaconBlockRoot.into(), None);
        assert!(system.is_invalid(), "{system:?}");
    }
}
