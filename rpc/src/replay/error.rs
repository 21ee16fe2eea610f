//! Why a block could not be executed again.

use crate::{RpcError, simulate::CallFailure};
use braid_chain::ChainError;
use braid_runtime::BlockError;
use braid_storage::StorageError;
use revm::{context_interface::result::EVMError, database_interface::bal::EvmDatabaseError};
use std::time::Duration;

/// Why a block could not be executed again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The first block has no parent.
    #[error("genesis is not traceable")]
    Genesis,
    /// There is no transaction with this index.
    #[error("transaction index {0} is out of range")]
    NoTransaction(usize),
    /// A transaction that the EVM refuses.
    #[error("transaction {index}: {reason}")]
    Refused {
        /// Index of the transaction in its block.
        index: usize,
        /// The rule that it breaks.
        reason: String,
    },
    /// It took too long.
    #[error("execution timeout: the limit is {0:?}")]
    Timeout(Duration),
    /// The trace would be too large.
    #[error("the trace is larger than {0} bytes: ask for less in the tracer's options, or trace one transaction")]
    TooLarge(usize),
    /// What a block does beside its transactions failed.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A state could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A block or a state could not be had.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The call cannot be answered for a reason of its own.
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl ReplayError {
    /// Sorts an error of the EVM. `index` is that of the transaction.
    pub(crate) fn from_evm<E: Into<Self> + std::fmt::Display>(error: EVMError<E>, index: usize) -> Self {
        match error {
            EVMError::Database(error) => error.into(),
            error => Self::Refused { index, reason: error.to_string() },
        }
    }

    /// Whether the database moved on in the middle, so that trying again helps.
    pub(crate) fn is_outdated(&self) -> bool {
        let is_outdated = |error: &StorageError| matches!(error, StorageError::SnapshotOutdated { .. });
        match self {
            Self::Storage(error) => is_outdated(error),
            Self::Chain(ChainError::Storage(error)) => is_outdated(error),
            Self::Block(BlockError::Database(cause)) => {
                if let Some(EvmDatabaseError::Database(error)) = cause.downcast_ref::<EvmDatabaseError<StorageError>>()
                {
                    return is_outdated(error);
                }
                cause.downcast_ref::<StorageError>().is_some_and(is_outdated)
            }
            _ => false,
        }
    }
}

impl From<EvmDatabaseError<StorageError>> for ReplayError {
    fn from(error: EvmDatabaseError<StorageError>) -> Self {
        match error {
            EvmDatabaseError::Database(error) => Self::Storage(error),
            error @ EvmDatabaseError::Bal(_) => Self::Rpc(RpcError::internal(error)),
        }
    }
}

impl From<CallFailure> for ReplayError {
    fn from(failure: CallFailure) -> Self {
        match failure {
            CallFailure::Outdated(error) => Self::Storage(error),
            told => Self::Rpc(told.into()),
        }
    }
}

impl From<ReplayError> for RpcError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Rpc(error) => error,
            ReplayError::Storage(error) => error.into(),
            ReplayError::Chain(error) => error.into(),
            ReplayError::Block(error) => Self::internal(error),
            error => Self::server(error.to_string()),
        }
    }
}
