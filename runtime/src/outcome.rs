//! What executing a block yields.

use crate::{Receipt, StateDiff};
use alloy_eip7928::BlockAccessList;
use alloy_eips::eip7685::Requests;
use revm::database::BundleState;

/// Which costly parts of the outcome the caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Build revm's [`BundleState`] with reverts.
    pub bundle: bool,
    /// Build the exact EIP-7928 block access list.
    pub access_list: bool,
    /// Record the timeline of the schedule, and score the prediction against what was really accessed.
    pub report: bool,
}

/// Result of executing a whole block.
#[derive(Clone, Debug, Default)]
pub struct BlockOutcome {
    /// One receipt per transaction.
    pub receipts: Vec<Receipt>,
    /// Gas used by the block as the header states it.
    pub gas_used: u64,
    /// Blob gas used by the block.
    pub blob_gas_used: u64,
    /// EIP-7685 requests (empty before Prague).
    pub requests: Requests,
    /// The merged state change.
    pub diff: StateDiff,
    /// The same as revm's bundle, when asked for.
    pub bundle: Option<BundleState>,
    /// The exact access list, when asked for.
    pub access_list: Option<BlockAccessList>,
}
