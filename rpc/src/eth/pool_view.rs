//! What the transaction pool has, as the `eth_` methods show it.

use super::json::TransactionJson;
use crate::Backend;
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes};
use braid_chain::pool::PoolTransaction;

/// A transaction of the pool as JSON.
pub(crate) fn pooled_json(pooled: &PoolTransaction) -> TransactionJson<'_> {
    TransactionJson { transaction: pooled.transaction(), sender: pooled.sender(), mined: None }
}

impl Backend {
    /// Shows a transaction of the pool, if it is there.
    pub(crate) fn pooled<T>(&self, hash: &B256, show: impl FnOnce(&TransactionJson<'_>) -> T) -> Option<T> {
        self.pool().get(hash).map(|pooled| show(&pooled_json(&pooled)))
    }

    /// The encoding of a transaction of the pool, with its blobs if it has any.
    pub(crate) fn pooled_raw(&self, hash: &B256) -> Option<Bytes> {
        self.pool().get(hash).map(|pooled| pooled.pooled().encoded_2718().into())
    }

    /// Shows the transaction of the pool of a sender with a nonce.
    pub(crate) fn pooled_with_nonce<T>(
        &self,
        sender: Address,
        nonce: u64,
        show: impl FnOnce(&TransactionJson<'_>) -> T,
    ) -> Option<T> {
        self.pool().get_by_nonce(&sender, nonce).map(|pooled| show(&pooled_json(&pooled)))
    }

    /// The next nonce of a sender that is free: after those in the pool, or in the state.
    pub(crate) fn next_nonce(&self, sender: Address) -> Result<u64, crate::RpcError> {
        let in_state = self.read_state(None, |state| state.account(sender))?.map_or(0, |account| account.nonce);
        Ok(self.pool().next_nonce(sender).map_or(in_state, |next| next.max(in_state)))
    }
}
