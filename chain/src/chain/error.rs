//! Why a block was not taken.

use crate::consensus::ConsensusError;
use alloy_primitives::{Address, B256};
use braid_runtime::{BlockError, InvalidBlock, block::RecoverError, engine::EngineError, outcome::HeaderMismatch};
use braid_storage::StorageError;
use std::sync::Arc;

/// Why a block was not taken, or the chain could not be read.
///
/// Only [`ChainError::Invalid`] is a verdict on a block; everything else says nothing about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChainError {
    /// The block breaks a rule, and so does every block above it.
    #[error("invalid block: {0}")]
    Invalid(Arc<InvalidReason>),
    /// The parent of the block is not known, so nothing can be said about it.
    #[error("block {number} ({hash}): its parent {parent} is not known")]
    UnknownParent {
        /// Number of the block.
        number: u64,
        /// Hash of the block.
        hash: B256,
        /// Hash of the parent.
        parent: B256,
    },
    /// No block with this hash is known.
    #[error("block {0} is not known")]
    UnknownBlock(B256),
    /// The block branches off so far below the head that the state there is not kept.
    #[error("block {number} branches off below block {earliest}, the first whose state is kept")]
    TooDeep {
        /// Number of the block.
        number: u64,
        /// First block whose state is kept.
        earliest: u64,
    },
    /// No sender can be recovered from a transaction of a block that is there.
    #[error("transaction {transaction} of block {number} has no sender: the database is damaged")]
    StoredSignature {
        /// Number of the block.
        number: u64,
        /// Hash of the transaction.
        transaction: B256,
    },
    /// The database could not be read or written.
    #[error(transparent)]
    Storage(Arc<StorageError>),
    /// The block could not be executed, for a reason that lies outside of it.
    #[error(transparent)]
    Execution(Arc<BlockError>),
    /// The threads of the engine could not be started.
    #[error(transparent)]
    Engine(Arc<EngineError>),
    /// The thread that writes could not be started.
    #[error("cannot start the thread that writes: {0}")]
    Writer(Arc<std::io::Error>),
    /// The thread that writes has stopped; nothing is written any more.
    #[error("the thread that writes has stopped: open the database again")]
    WriterStopped,
}

impl ChainError {
    /// Whether this is a verdict on the block.
    pub const fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid(_))
    }
}

/// Which rule a block breaks.
#[derive(Debug, thiserror::Error)]
pub enum InvalidReason {
    /// One that shows without executing it.
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
    /// A signature from which no sender follows.
    #[error(transparent)]
    Signature(#[from] RecoverError),
    /// It cannot be executed.
    #[error(transparent)]
    Execution(#[from] InvalidBlock),
    /// Execution comes to something else than the header says.
    #[error(transparent)]
    Header(#[from] HeaderMismatch),
    /// The receipts with the state roots between the transactions have another root (before Byzantium).
    #[error("receipts root is {actual}, the header says {expected}")]
    EarlyReceiptsRoot {
        /// By the header.
        expected: B256,
        /// By execution.
        actual: B256,
    },
    /// A contract that the end of the block calls is not there (EIP-7002, EIP-7251).
    #[error("there is no code at {0}, which the end of the block calls")]
    NoSystemContract(Address),
    /// The state after the block has another root.
    #[error("state root is {actual}, the header says {expected}")]
    StateRoot {
        /// By the header.
        expected: B256,
        /// By execution.
        actual: B256,
    },
    /// A block below it is invalid.
    #[error("its ancestor {ancestor} is invalid: {reason}")]
    Ancestor {
        /// Hash of the lowest invalid block.
        ancestor: B256,
        /// What is wrong with that one.
        reason: Arc<Self>,
    },
}

impl From<InvalidReason> for ChainError {
    fn from(reason: InvalidReason) -> Self {
        Self::Invalid(Arc::new(reason))
    }
}

impl From<ConsensusError> for ChainError {
    fn from(error: ConsensusError) -> Self {
        InvalidReason::from(error).into()
    }
}

impl From<RecoverError> for ChainError {
    fn from(error: RecoverError) -> Self {
        InvalidReason::from(error).into()
    }
}

impl From<StorageError> for ChainError {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}

impl From<EngineError> for ChainError {
    fn from(error: EngineError) -> Self {
        Self::Engine(Arc::new(error))
    }
}

impl From<BlockError> for ChainError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Invalid(reason) => InvalidReason::from(reason).into(),
            error => Self::Execution(Arc::new(error)),
        }
    }
}
