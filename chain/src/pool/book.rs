//! Everything that is in the pool, under one lock.
//!
//! Each transaction stands with its sender and under its hash, and is in one more index by what it offers: the queued ones in `queued`, and of the
//! pending ones of each sender the first in `heads` (what can be executed next) and the last in `tails` (what is given up first). Every change looks at a
//! sender's [`Ends`] before and lets `update` bring these two indexes in line after.

use super::{
    PoolOptions, PoolTransaction, PooledBlob,
    context::SenderAccount,
    index::{FeeIndex, Rank},
    sender::{Moved, Sender},
    sidecars::KeptSidecars,
};
use alloy_consensus::Transaction as _;
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_primitives::{
    Address, B256,
    map::{AddressMap, B256Map, hash_map::Entry},
};
use std::sync::Arc;

/// Accounts that are kept of senders without transactions: they will likely send again.
const IDLE_SENDERS: usize = 8192;

/// What a change to the book did beyond what was asked for.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Transactions that can be executed now and could not before.
    pub(super) pending: Vec<Arc<PoolTransaction>>,
}

/// The first and the last pending transaction of a sender.
type Ends = (Option<Rank>, Option<Rank>);

#[derive(Debug)]
pub(super) struct Book {
    by_hash: B256Map<Arc<PoolTransaction>>,
    senders: AddressMap<Sender>,
    /// Senders without transactions.
    idle: usize,
    heads: FeeIndex,
    tails: FeeIndex,
    queued: FeeIndex,
    pending: usize,
    bytes: usize,
    /// How many transactions have an authorization of an account.
    authorities: AddressMap<usize>,
    /// Transactions with a blob, by its versioned hash.
    blobs: B256Map<B256>,
    kept: KeptSidecars,
    /// Number of the next transaction.
    next: u64,
    version: u64,
    sender_pending: usize,
}

impl Book {
    pub(super) fn new(options: &PoolOptions) -> Self {
        Self {
            by_hash: B256Map::default(),
            senders: AddressMap::default(),
            idle: 0,
            heads: FeeIndex::default(),
            tails: FeeIndex::default(),
            queued: FeeIndex::default(),
            pending: 0,
            bytes: 0,
            authorities: AddressMap::default(),
            blobs: B256Map::default(),
            kept: KeptSidecars::new(options.kept_sidecar_bytes),
            next: 0,
            version: 0,
            sender_pending: options.sender_pending,
        }
    }

    pub(super) fn get(&self, hash: &B256) -> Option<&Arc<PoolTransaction>> {
        self.by_hash.get(hash)
    }

    pub(super) fn is_pending(&self, transaction: &PoolTransaction) -> bool {
        let sender = self.senders.get(&transaction.sender());
        sender.is_some_and(|sender| sender.is_pending(transaction.nonce()))
            && self.by_hash.contains_key(&transaction.hash())
    }

    pub(super) fn sender(&self, address: &Address) -> Option<&Sender> {
        self.senders.get(address)
    }

    pub(super) fn senders(&self) -> impl Iterator<Item = (&Address, &Sender)> {
        self.senders.iter().filter(|(_, sender)| !sender.is_empty())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<PoolTransaction>> {
        self.by_hash.values()
    }

    pub(super) fn pending_len(&self) -> usize {
        self.pending
    }

    pub(super) fn queued_len(&self) -> usize {
        self.queued.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn heads(&self) -> &FeeIndex {
        &self.heads
    }

    pub(super) const fn tails(&self) -> &FeeIndex {
        &self.tails
    }

    pub(super) const fn queued(&self) -> &FeeIndex {
        &self.queued
    }

    /// How many transactions have an authorization of this account.
    pub(super) fn authorizations(&self, authority: &Address) -> usize {
        self.authorities.get(authority).copied().unwrap_or_default()
    }

    pub(super) fn blob(&self, versioned_hash: &B256) -> Option<PooledBlob> {
        let find = |sidecar: &Arc<BlobTransactionSidecarVariant>| {
            let index = sidecar.versioned_hash_index(versioned_hash)?;
            Some(PooledBlob { sidecar: Arc::clone(sidecar), index })
        };
        if let Some(hash) = self.blobs.get(versioned_hash) {
            return find(self.by_hash.get(hash)?.sidecar()?);
        }
        self.kept.with_blob(versioned_hash).and_then(find)
    }

    pub(super) fn sidecar(&self, transaction: &B256) -> Option<Arc<BlobTransactionSidecarVariant>> {
        let pooled = self.by_hash.get(transaction).and_then(|transaction| transaction.sidecar().cloned());
        pooled.or_else(|| self.kept.get(transaction))
    }

    /// A number that grows whenever a transaction comes or goes.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Remembers the account of a sender that is not known yet.
    pub(super) fn know(&mut self, address: Address, account: SenderAccount) {
        if let Entry::Vacant(vacant) = self.senders.entry(address) {
            vacant.insert(Sender::new(account));
            self.idle += 1;
        }
    }

    /// Takes an account as it is now, if it is that of a sender. `change` gives it from the one that was known; `None` leaves it.
    pub(super) fn set_account(
        &mut self,
        address: Address,
        change: impl FnOnce(SenderAccount) -> Option<SenderAccount>,
        changes: &mut Changes,
    ) {
        let Some(sender) = self.senders.get_mut(&address) else { return };
        let Some(account) = change(sender.account) else { return };
        if sender.is_empty() {
            *sender = Sender::new(account);
            return;
        }
        let before = (sender.head(), sender.tail());
        let was_pending = sender.pending_nonces();
        let (used, is_settled) = sender.set_account(account);
        let becomes_idle = !used.is_empty() && sender.is_empty();
        for transaction in used {
            if was_pending.contains(&transaction.nonce()) {
                self.pending -= 1;
            } else {
                self.queued.remove(Rank::new(&transaction));
            }
            self.forget(&transaction);
        }
        self.idle += usize::from(becomes_idle);
        if !is_settled {
            self.relink(address, changes);
        }
        self.update(address, before);
    }

    /// Takes every transaction of a sender out, and what is known of it.
    pub(super) fn forget_sender(&mut self, address: Address) {
        let nonces: Vec<u64> =
            self.senders.get(&address).map(|sender| sender.all().map(|tx| tx.nonce()).collect()).unwrap_or_default();
        for nonce in nonces.into_iter().rev() {
            self.remove(address, nonce, &mut Changes::default());
        }
        if self.senders.remove(&address).is_some() {
            self.idle -= 1;
        }
    }

    /// Puts a new transaction in, which has passed every check.
    pub(super) fn put(&mut self, mut transaction: PoolTransaction, changes: &mut Changes) -> Arc<PoolTransaction> {
        self.next += 1;
        transaction.number = self.next;
        let transaction = Arc::new(transaction);
        self.insert(Arc::clone(&transaction), changes);
        transaction
    }

    /// Puts a transaction in, which has passed every check, in place of the one of its sender that has its nonce.
    fn insert(&mut self, transaction: Arc<PoolTransaction>, changes: &mut Changes) {
        let (address, nonce) = (transaction.sender(), transaction.nonce());
        let sender_pending = self.sender_pending;
        let Some(sender) = self.senders.get_mut(&address) else { return };
        let before = (sender.head(), sender.tail());
        self.idle -= usize::from(sender.is_empty());
        let was_pending = sender.is_pending(nonce);
        let old = sender.insert(Arc::clone(&transaction));
        let is_appended = sender.append(nonce, sender_pending);
        self.remember(&transaction);
        if let Some(old) = old {
            if !was_pending {
                self.queued.remove(Rank::new(&old));
            }
            self.forget(&old);
        }
        if was_pending {
            changes.pending.push(transaction);
            self.relink(address, changes);
        } else if is_appended {
            self.pending += 1;
            changes.pending.push(transaction);
        } else {
            self.queued.insert(Rank::new(&transaction));
            if self.senders.get(&address).is_some_and(|sender| nonce == sender.next_nonce()) {
                self.relink(address, changes);
            }
        }
        self.update(address, before);
    }

    /// Takes a transaction out. What came after it is queued.
    pub(super) fn remove(
        &mut self,
        address: Address,
        nonce: u64,
        changes: &mut Changes,
    ) -> Option<Arc<PoolTransaction>> {
        let sender = self.senders.get_mut(&address)?;
        let before = (sender.head(), sender.tail());
        let was_pending = sender.is_pending(nonce);
        let is_last = nonce + 1 == sender.next_nonce();
        let transaction = sender.remove(nonce)?;
        let becomes_idle = sender.is_empty();
        if !was_pending {
            self.queued.remove(Rank::new(&transaction));
        } else if is_last {
            self.pending -= 1;
        } else {
            self.pending -= 1;
            self.relink(address, changes);
        }
        self.idle += usize::from(becomes_idle);
        self.forget(&transaction);
        self.update(address, before);
        Some(transaction)
    }

    /// Empties the book. What is remembered of accounts and sidecars stays.
    pub(super) fn clear(&mut self) {
        let accounts: Vec<_> = self.senders.iter().map(|(address, sender)| (*address, sender.account)).collect();
        for transaction in std::mem::take(&mut self.by_hash).into_values() {
            self.forget(&transaction);
        }
        self.senders = accounts.into_iter().map(|(address, account)| (address, Sender::new(account))).collect();
        self.idle = self.senders.len();
        self.heads.clear();
        self.tails.clear();
        self.queued.clear();
        self.pending = 0;
        self.bytes = 0;
    }

    /// Forgets the accounts of senders that have no transactions, when there are many.
    pub(super) fn sweep(&mut self) {
        if self.idle > IDLE_SENDERS {
            self.senders.retain(|_, sender| !sender.is_empty());
            self.idle = 0;
        }
    }

    /// Brings the indexes of heads and tails in line with a sender that changed.
    fn update(&mut self, address: Address, before: Ends) {
        let Some(sender) = self.senders.get(&address) else { return };
        let after = (sender.head(), sender.tail());
        for (index, old, new) in [(&mut self.heads, before.0, after.0), (&mut self.tails, before.1, after.1)] {
            if old != new {
                old.into_iter().for_each(|rank| index.remove(rank));
                new.into_iter().for_each(|rank| index.insert(rank));
            }
        }
    }

    fn relink(&mut self, address: Address, changes: &mut Changes) {
        let Some(sender) = self.senders.get_mut(&address) else { return };
        let Moved { promoted, demoted } = sender.relink(self.sender_pending);
        self.version += 1;
        self.pending = self.pending + promoted.len() - demoted.len();
        promoted.iter().for_each(|transaction| self.queued.remove(Rank::new(transaction)));
        demoted.iter().for_each(|transaction| self.queued.insert(Rank::new(transaction)));
        changes.pending.extend(promoted);
    }

    fn remember(&mut self, transaction: &Arc<PoolTransaction>) {
        let hash = transaction.hash();
        self.by_hash.insert(hash, Arc::clone(transaction));
        self.bytes += transaction.full_size();
        self.version += 1;
        for authority in transaction.authorities() {
            *self.authorities.entry(*authority).or_default() += 1;
        }
        for versioned_hash in transaction.transaction().blob_versioned_hashes().unwrap_or_default() {
            self.blobs.insert(*versioned_hash, hash);
        }
    }

    fn forget(&mut self, transaction: &PoolTransaction) {
        let hash = transaction.hash();
        self.by_hash.remove(&hash);
        self.version += 1;
        self.bytes = self.bytes.saturating_sub(transaction.full_size());
        for authority in transaction.authorities() {
            if let Entry::Occupied(mut count) = self.authorities.entry(*authority) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        for versioned_hash in transaction.transaction().blob_versioned_hashes().unwrap_or_default() {
            if let Entry::Occupied(place) = self.blobs.entry(*versioned_hash)
                && *place.get() == hash
            {
                place.remove();
            }
        }
        if let Some(sidecar) = transaction.sidecar() {
            self.kept.insert(hash, Arc::clone(sidecar));
        }
    }
}

#[cfg(test)]
impl Book {
    pub(super) fn check_idle(&self) {
        assert_eq!(self.idle, self.senders.values().filter(|sender| sender.is_empty()).count());
        let authorities = self.by_hash.values().map(|transaction| transaction.authorities().len()).sum::<usize>();
        assert_eq!(authorities, self.authorities.values().sum::<usize>());
    }

    pub(super) const fn sender_limit(&self) -> usize {
        self.sender_pending
    }
}
