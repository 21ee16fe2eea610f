//! How much the pool takes, and of what.

use alloy_primitives::U256;
use std::time::Duration;

/// Options of a [`TransactionPool`](super::TransactionPool).
///
/// The defaults suit a node for development: large, and without a price to get in. [`PoolOptions::public`] has geth's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Pending transactions, in number.
    pub pending: usize,
    /// Queued transactions, in number.
    pub queued: usize,
    /// Pending transactions of one sender, in number; what comes after them is queued.
    pub sender_pending: usize,
    /// Queued transactions of one sender, in number.
    pub sender_queued: usize,
    /// Blob transactions of one sender, in number.
    pub sender_blobs: usize,
    /// Transactions of one sender whose account has, or is about to get, delegated code, in number (EIP-7702).
    pub sender_delegated: usize,
    /// All transactions with their blobs, in bytes.
    pub bytes: usize,
    /// One transaction without its blobs, in bytes.
    pub transaction_bytes: usize,
    /// Sidecars that are kept of blob transactions that left the pool, in bytes: for blocks that are fetched later, and for reorganisations.
    pub kept_sidecar_bytes: usize,
    /// How much more a replacement has to offer, in percent of each fee.
    pub price_bump: u128,
    /// How much more a replacement with blobs has to offer, in percent of each fee.
    pub blob_price_bump: u128,
    /// Least tip, in wei per gas.
    pub min_tip: u128,
    /// Least fee, in wei per gas.
    pub min_fee: u128,
    /// Most that the gas of a local transaction may cost, in wei.
    pub fee_cap: Option<U256>,
    /// How long a queued transaction from outside is kept.
    pub lifetime: Duration,
    /// Whether signatures that are good for every chain are taken (from before EIP-155).
    pub allow_unprotected: bool,
    /// Whether a sender has either blob transactions or others, but not both at a time.
    pub separate_blob_senders: bool,
    /// Deepest reorganisation, in blocks, whose transactions come back.
    pub reorganisation_depth: usize,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            pending: 200_000,
            queued: 50_000,
            sender_pending: 100_000,
            sender_queued: 10_000,
            sender_blobs: 64,
            sender_delegated: 1,
            bytes: 512 << 20,
            transaction_bytes: 1 << 20,
            kept_sidecar_bytes: 64 << 20,
            price_bump: 10,
            blob_price_bump: 100,
            min_tip: 0,
            min_fee: 0,
            fee_cap: None,
            lifetime: Duration::from_secs(3 * 60 * 60),
            allow_unprotected: false,
            separate_blob_senders: false,
            reorganisation_depth: 64,
        }
    }
}

impl PoolOptions {
    /// The limits of a node that everybody can send to, as geth has them.
    pub fn public() -> Self {
        Self {
            pending: 4096 + 1024,
            queued: 1024,
            sender_pending: 1024,
            sender_queued: 64,
            sender_blobs: 16,
            bytes: 256 << 20,
            transaction_bytes: 128 << 10,
            min_tip: 1,
            min_fee: 1,
            fee_cap: Some(U256::from(10).pow(U256::from(18))),
            separate_blob_senders: true,
            ..Self::default()
        }
    }
}
