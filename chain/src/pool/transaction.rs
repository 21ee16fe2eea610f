//! Transactions as the pool takes them and as it keeps them.

use super::PoolError;
use crate::{consensus::TransactionRules, senders::impersonated_sender};
use alloy_consensus::{
    EthereumTxEnvelope, Transaction as _, TxEip4844WithSidecar, TxEnvelope, Typed2718 as _, transaction::Recovered,
};
use alloy_eips::{
    Decodable2718, Encodable2718,
    eip7594::{BlobTransactionSidecarVariant, Encodable7594},
};
use alloy_primitives::{Address, B256, U256};
use braid_runtime::Transaction;
use revm::primitives::hardfork::SpecId;
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// A transaction as it goes over the network: blob transactions have their blobs with them (EIP-4844, EIP-7594).
pub type PooledTransaction = EthereumTxEnvelope<TxEip4844WithSidecar<BlobTransactionSidecarVariant>>;

/// Where a transaction came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a user of this node: it is written to the journal, and does not expire.
    Local,
    /// From somewhere else.
    External,
}

/// A transaction in the pool.
#[derive(Debug)]
pub struct PoolTransaction {
    transaction: Recovered<Transaction>,
    sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
    /// Who signed authorizations in it (EIP-7702).
    authorities: Vec<Address>,
    origin: Origin,
    received: SystemTime,
    /// The same on the clock that only goes forward.
    since: Instant,
    cost: U256,
    size: usize,
    max_fee: u128,
    max_tip: u128,
    /// The order in which transactions came.
    pub(super) number: u64,
}

impl PoolTransaction {
    /// Takes a transaction apart. Recovers who signed its authorizations.
    pub(super) fn new(transaction: Recovered<PooledTransaction>, origin: Origin) -> Self {
        let (transaction, sender) = transaction.into_parts();
        let (transaction, sidecar) = split(transaction);
        Self::from_parts(Recovered::new_unchecked(transaction, sender), sidecar.map(Arc::new), origin)
    }

    /// The same of a transaction and its sidecar.
    pub(super) fn from_parts(
        transaction: Recovered<Transaction>,
        sidecar: Option<Arc<BlobTransactionSidecarVariant>>,
        origin: Origin,
    ) -> Self {
        let authorities = transaction
            .authorization_list()
            .map(|list| list.iter().filter_map(|authorization| authorization.recover_authority().ok()).collect())
            .unwrap_or_default();
        let gas = U256::from(transaction.gas_limit()).saturating_mul(U256::from(transaction.max_fee_per_gas()));
        let blob_fee = U256::from(transaction.max_fee_per_blob_gas().unwrap_or_default());
        let blobs = U256::from(transaction.blob_gas_used().unwrap_or_default()).saturating_mul(blob_fee);
        let cost = gas.saturating_add(blobs).saturating_add(transaction.value());
        let max_fee = transaction.max_fee_per_gas();
        let max_tip = transaction.max_priority_fee_per_gas().unwrap_or(max_fee);
        let size = transaction.encode_2718_len();
        Self {
            transaction,
            sidecar,
            authorities,
            origin,
            received: SystemTime::now(),
            since: Instant::now(),
            cost,
            size,
            max_fee,
            max_tip,
            number: 0,
        }
    }

    /// Hash of the transaction.
    pub fn hash(&self) -> B256 {
        *self.transaction.tx_hash()
    }

    /// Who sent it.
    pub const fn sender(&self) -> Address {
        self.transaction.signer()
    }

    /// Its nonce.
    pub fn nonce(&self) -> u64 {
        self.transaction.nonce()
    }

    /// The transaction as it stands in a block.
    pub const fn transaction(&self) -> &Transaction {
        self.transaction.inner()
    }

    /// The transaction as it stands in a block, with its sender.
    pub const fn recovered(&self) -> &Recovered<Transaction> {
        &self.transaction
    }

    /// Blobs, commitments and proofs, if it is a blob transaction.
    pub const fn sidecar(&self) -> Option<&Arc<BlobTransactionSidecarVariant>> {
        self.sidecar.as_ref()
    }

    /// Where it came from.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// When it came.
    pub const fn received(&self) -> SystemTime {
        self.received
    }

    /// Most that it may cost with its value, in wei.
    pub const fn cost(&self) -> U256 {
        self.cost
    }

    /// Bytes of the transaction without its sidecar.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Bytes of the transaction with its sidecar.
    pub(super) fn full_size(&self) -> usize {
        self.size + self.sidecar.as_ref().map_or(0, |sidecar| sidecar.encode_7594_len())
    }

    /// Most that gas may cost, in wei per gas.
    pub const fn max_fee(&self) -> u128 {
        self.max_fee
    }

    /// Most that the beneficiary gets, in wei per gas.
    pub const fn max_tip(&self) -> u128 {
        self.max_tip
    }

    /// What the beneficiary gets at this base fee (both in wei per gas), `None` if the base fee is more than the transaction pays.
    pub fn effective_tip(&self, base_fee: u64) -> Option<u128> {
        self.max_fee.checked_sub(base_fee.into()).map(|left| left.min(self.max_tip))
    }

    /// Whether it is from outside and came longer ago than that.
    pub(super) fn is_older_than(&self, age: Duration) -> bool {
        self.origin == Origin::External && self.since.elapsed() > age
    }

    /// Whether it could be in a block with these rules, with the proofs that its blobs have.
    pub(super) fn is_valid(&self, rules: &TransactionRules) -> bool {
        let has_cells = rules.spec_id().is_enabled_in(SpecId::OSAKA);
        let proofs_fit = self.sidecar.as_deref().is_none_or(|sidecar| {
            matches!(
                (sidecar, has_cells),
                (BlobTransactionSidecarVariant::Eip4844(_), false) | (BlobTransactionSidecarVariant::Eip7594(_), true)
            )
        });
        proofs_fit && rules.check(self.transaction()).is_ok()
    }

    /// Who signed authorizations in it.
    pub(super) fn authorities(&self) -> &[Address] {
        &self.authorities
    }

    /// Whether the sender is only claimed.
    pub(super) fn is_impersonated(&self) -> bool {
        impersonated_sender(self.transaction.signature()).is_some()
    }

    pub(super) fn is_blob(&self) -> bool {
        self.transaction.is_eip4844()
    }

    /// The transaction as it goes over the network.
    pub fn pooled(&self) -> PooledTransaction {
        let sidecar = || self.sidecar.as_deref().cloned().unwrap_or_default();
        self.transaction().clone().map_eip4844(|transaction| transaction.with_sidecar(sidecar()))
    }
}

/// A transaction as it stands in a block, and its sidecar.
fn split(transaction: PooledTransaction) -> (Transaction, Option<BlobTransactionSidecarVariant>) {
    let mut sidecar = None;
    let transaction = transaction.map_eip4844(|transaction| {
        let (transaction, blobs) = transaction.into_parts();
        sidecar = Some(blobs);
        transaction
    });
    (transaction, sidecar)
}

/// Decodes a transaction in the network's form; nothing may follow it.
pub(super) fn decode(raw: &[u8]) -> Result<PooledTransaction, PoolError> {
    match raw {
        [] | [0..0x80] => return Err(PoolError::TooShort),
        // Types there are none of; from 0x80 on it is a legacy transaction, whose list begins there.
        [id @ (0 | 5..0x80), ..] => return Err(PoolError::Type(*id)),
        _ => {}
    }
    PooledTransaction::decode_2718_exact(raw).map_err(|error| {
        let is_without_sidecar = TxEnvelope::decode_2718_exact(raw).is_ok_and(|transaction| transaction.is_eip4844());
        if is_without_sidecar { PoolError::MissingSidecar } else { PoolError::Decode(Arc::new(error)) }
    })
}
