//! Verdicts, as the Engine API words them.

use alloy_primitives::B256;
use alloy_rpc_types_engine::{PayloadStatus, PayloadStatusEnum};
use braid_chain::execution_engine::PayloadStatus as Verdict;

/// The verdict on the block with this hash.
pub(super) fn status(verdict: Verdict, hash: B256) -> PayloadStatus {
    match verdict {
        Verdict::Valid => PayloadStatus::new(PayloadStatusEnum::Valid, Some(hash)),
        Verdict::Invalid { latest_valid, reason } => {
            let validation_error = reason.to_string();
            PayloadStatus::new(PayloadStatusEnum::Invalid { validation_error }, latest_valid)
        }
        Verdict::Syncing => PayloadStatus::new(PayloadStatusEnum::Syncing, None),
    }
}

/// What is no block at all, or not the one that it claims to be. Nothing is said about its ancestors.
pub(super) fn invalid(reason: impl Into<String>) -> PayloadStatus {
    PayloadStatus::new(PayloadStatusEnum::Invalid { validation_error: reason.into() }, None)
}
