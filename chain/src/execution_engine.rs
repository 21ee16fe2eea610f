//! The one door for consensus: whoever decides what the chain is, decides it here.
//!
//! A consensus layer behind the Engine API, a node that mines by itself and an agreement protocol in the same process all drive the same
//! [`ExecutionEngine`]. The words are those of the Engine API; <https://github.com/ethereum/execution-apis/tree/main/src/engine> says
//! what each has to do.

use crate::{
    Chain, ChainError, InvalidReason, Reorganisation,
    payload::{BuiltPayload, PayloadAttributes, PayloadId, TransactionSource},
};
use alloy_primitives::B256;
use braid_runtime::Block;
use braid_storage::Head;
use std::{fmt::Debug, sync::Arc};

/// What became of a block.
#[derive(Clone, Debug)]
pub enum PayloadStatus {
    /// The block was executed and is valid.
    Valid,
    /// The block, or an ancestor of it, breaks a rule.
    Invalid {
        /// The last ancestor that is valid, if it is known; zero if that is a block of proof of work.
        latest_valid: Option<B256>,
        /// The rule.
        reason: Arc<InvalidReason>,
    },
    /// An ancestor is missing, so nothing can be said yet.
    Syncing,
}

/// What the consensus layer holds for true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForkChoiceState {
    /// Hash of the head.
    pub head: B256,
    /// Hash of a block that is unlikely to be taken back; zero if there is none.
    pub safe: B256,
    /// Hash of a block that is never taken back; zero if there is none.
    pub finalized: B256,
}

/// What came of a fork choice.
#[derive(Clone, Debug)]
pub struct ForkChoiceUpdated {
    /// What became of the head.
    pub status: PayloadStatus,
    /// Names the block that is being built, if one was asked for.
    pub payload: Option<PayloadId>,
    /// What happened to the canonical branch.
    pub reorganisation: Reorganisation,
}

/// A fork choice that cannot be followed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ForkChoiceError {
    /// The safe or the finalized block is not an ancestor of the head.
    #[error("the {name} block {hash} is not an ancestor of the head")]
    NotAncestor {
        /// `safe` or `finalized`.
        name: &'static str,
        /// Hash of the block.
        hash: B256,
    },
    /// The block that is wanted cannot follow the head. The head was moved nevertheless.
    #[error("the timestamp of the payload attributes, {timestamp} s, is not later than that of the head, {head} s")]
    Attributes {
        /// Timestamp that was asked for, in seconds.
        timestamp: u64,
        /// Timestamp of the head, in seconds.
        head: u64,
    },
    /// Nothing can be said about the fork choice.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

/// What consensus needs of an execution client.
pub trait ExecutionEngine: Debug + Send + Sync {
    /// Validates and executes a block (`engine_newPayload`). The head does not move.
    ///
    /// # Errors
    /// Only for what says nothing about the block.
    fn new_payload(&self, block: Block) -> Result<PayloadStatus, ChainError>;

    /// Moves the head (`engine_forkchoiceUpdated`), and begins to build a block on it if attributes are given.
    fn update_fork_choice(
        &self,
        state: ForkChoiceState,
        attributes: Option<PayloadAttributes>,
    ) -> Result<ForkChoiceUpdated, ForkChoiceError>;

    /// A block that was built (`engine_getPayload`); `None` if none of this name is known.
    fn payload(&self, id: PayloadId) -> Option<Arc<BuiltPayload>>;

    /// The last block of the canonical branch, which may be only in memory.
    fn head(&self) -> Head;

    /// What the last fork choice said.
    fn fork_choice(&self) -> ForkChoiceState;

    /// The last block that a loss of power cannot take back.
    fn durable_head(&self) -> Head;

    /// Calls `watcher` each time the durable head moves, on the thread that moved it; it should not take long.
    fn watch_durable_head(&self, watcher: Box<dyn Fn(Head) + Send + Sync>);

    /// Where the transactions of built blocks come from, from now on.
    fn set_transaction_source(&self, source: Arc<dyn TransactionSource>);
}

impl ExecutionEngine for Chain {
    fn new_payload(&self, block: Block) -> Result<PayloadStatus, ChainError> {
        let hash = block.header.hash_slow();
        match self.insert(block) {
            Ok(_) => Ok(PayloadStatus::Valid),
            Err(ChainError::Invalid(reason)) => {
                Ok(PayloadStatus::Invalid { latest_valid: self.latest_valid(&hash)?, reason })
            }
            Err(ChainError::UnknownParent { .. } | ChainError::TooDeep { .. }) => Ok(PayloadStatus::Syncing),
            Err(error) => Err(error),
        }
    }

    fn update_fork_choice(
        &self,
        state: ForkChoiceState,
        attributes: Option<PayloadAttributes>,
    ) -> Result<ForkChoiceUpdated, ForkChoiceError> {
        let stopped =
            |status| Ok(ForkChoiceUpdated { status, payload: None, reorganisation: Reorganisation::default() });
        if let Some(reason) = self.why_invalid(&state.head) {
            return stopped(PayloadStatus::Invalid { latest_valid: self.latest_valid(&state.head)?, reason });
        }
        let Some(number) = self.number(&state.head)? else { return stopped(PayloadStatus::Syncing) };
        for (name, hash) in [("safe", state.safe), ("finalized", state.finalized)] {
            if !hash.is_zero() && !self.is_ancestor(&hash, &state.head)? {
                return Err(ForkChoiceError::NotAncestor { name, hash });
            }
        }
        // A head that is an ancestor of the canonical head is no reason to take blocks back.
        let is_canonical = self.canonical_hash(number)? == Some(state.head);
        let is_behind = is_canonical && state.head != self.head().hash;
        let mut reorganisation = Reorganisation::default();
        if !is_behind {
            reorganisation = self.set_head(state.head)?;
        }
        self.remember_fork_choice(state);
        let payload = match attributes {
            Some(attributes) if !is_behind => Some(self.build_on(state.head, attributes)?),
            _ => None,
        };
        Ok(ForkChoiceUpdated { status: PayloadStatus::Valid, payload, reorganisation })
    }

    fn payload(&self, id: PayloadId) -> Option<Arc<BuiltPayload>> {
        self.payloads.lock().get(id)
    }

    fn head(&self) -> Head {
        self.head()
    }

    fn fork_choice(&self) -> ForkChoiceState {
        *self.fork_choice.read()
    }

    fn durable_head(&self) -> Head {
        self.database().durable_head()
    }

    fn watch_durable_head(&self, watcher: Box<dyn Fn(Head) + Send + Sync>) {
        self.database().watch_durable_head(watcher);
    }

    fn set_transaction_source(&self, source: Arc<dyn TransactionSource>) {
        *self.source.write() = source;
    }
}
