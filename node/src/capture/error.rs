//! Why a block cannot be captured.

use super::client::RpcError;
use alloy_primitives::B256;
use braid_chain::{BundleError, Mismatch, senders::SenderError};
use braid_runtime::{BlockError, ChainSpecError};

/// Why a block cannot be captured.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error("the node does not have the block")]
    NoBlock,
    #[error("{method}: {reason}")]
    Answer { method: &'static str, reason: String },
    #[error("the header has hash {computed}, the node says {stated}")]
    BlockHash { stated: B256, computed: B256 },
    #[error("the node offers neither debug_executionWitness nor debug_traceBlockByNumber")]
    NoSource,
    #[error("{0}; give its genesis file with --genesis")]
    Chain(#[from] ChainSpecError),
    #[error("{0}")]
    Sender(#[from] SenderError),
    #[error("{0}")]
    Bundle(#[from] BundleError),
    #[error("what the node gives does not suffice to execute the block: {0}")]
    Execution(#[from] BlockError),
    #[error("what the node gives does not lead to the block's header: {0}")]
    Mismatch(Box<Mismatch>),
    #[error("the task that executes the block was stopped")]
    Stopped,
}

impl CaptureError {
    pub(super) fn answer(method: &'static str, reason: impl ToString) -> Self {
        Self::Answer { method, reason: reason.to_string() }
    }
}
