//! What the transaction pool has, as the `eth_` methods show it.

use super::json::TransactionJson;
use crate::Backend;
use alloy_primitives::{Address, B256, Bytes};

impl Backend {
    /// A transaction of the pool, if it is there.
    pub(crate) fn pooled<T>(&self, _hash: &B256, _show: impl FnOnce(&TransactionJson<'_>) -> T) -> Option<T> {
        None
    }

    /// The encoding of a transaction of the pool.
    pub(crate) fn pooled_raw(&self, _hash: &B256) -> Option<Bytes> {
        None
    }

    /// The transaction of the pool of a sender with a nonce.
    pub(crate) fn pooled_with_nonce<T>(
        &self,
        _sender: Address,
        _nonce: u64,
        _show: impl FnOnce(&TransactionJson<'_>) -> T,
    ) -> Option<T> {
        None
    }
}
