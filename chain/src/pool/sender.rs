//! The transactions of one sender, by their nonces: those that can be executed one after the other, and those that wait.
//!
//! Pending are the transactions from the account's nonce on, without a gap, as far as the account can pay for all of them and the limit of
//! one sender goes. Everything after that is queued.

use super::{PoolTransaction, context::SenderAccount, index::Rank};
use alloy_primitives::U256;
use std::{collections::BTreeMap, ops::Range, sync::Arc};

/// A transaction and, while it is pending, what is known of it together with those before it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) transaction: Arc<PoolTransaction>,
    /// What it and those before it may cost, in wei, counted from wherever counting began.
    total: U256,
    /// The lowest tip and fee of it and those before it: it is worth no more, since it cannot come before them.
    tip: u128,
    fee: u128,
}

impl Entry {
    fn new(transaction: Arc<PoolTransaction>) -> Self {
        Self { total: U256::ZERO, tip: 0, fee: 0, transaction }
    }

    /// Counts the entry after another one, or as the first.
    fn link(&mut self, before: Option<&Self>) {
        let (cost, tip, fee) = (self.transaction.cost(), self.transaction.max_tip(), self.transaction.max_fee());
        (self.total, self.tip, self.fee) = match before {
            Some(before) => (before.total.saturating_add(cost), before.tip.min(tip), before.fee.min(fee)),
            None => (cost, tip, fee),
        };
    }

    /// Whether it is counted as the first one, or as if it were.
    fn is_like_first(&self) -> bool {
        self.tip == self.transaction.max_tip() && self.fee == self.transaction.max_fee()
    }
}

/// What moved between pending and queued.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) promoted: Vec<Arc<PoolTransaction>>,
    pub(super) demoted: Vec<Arc<PoolTransaction>>,
}

/// One sender.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) account: SenderAccount,
    entries: BTreeMap<u64, Entry>,
    /// Nonces of the pending ones.
    pending: Range<u64>,
    pub(super) blobs: usize,
}

impl Sender {
    pub(super) const fn new(account: SenderAccount) -> Self {
        let nonce = account.nonce;
        Self { account, entries: BTreeMap::new(), pending: nonce..nonce, blobs: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) const fn pending_len(&self) -> usize {
        (self.pending.end - self.pending.start) as usize
    }

    pub(super) fn queued_len(&self) -> usize {
        self.entries.len() - self.pending_len()
    }

    pub(super) fn get(&self, nonce: u64) -> Option<&Arc<PoolTransaction>> {
        self.entries.get(&nonce).map(|entry| &entry.transaction)
    }

    pub(super) fn is_pending(&self, nonce: u64) -> bool {
        self.pending.contains(&nonce)
    }

    pub(super) fn pending_nonces(&self) -> Range<u64> {
        self.pending.clone()
    }

    /// The nonce after the pending ones.
    pub(super) const fn next_nonce(&self) -> u64 {
        self.pending.end
    }

    /// The first nonce from the account's on that no transaction here has.
    pub(super) fn first_gap(&self) -> u64 {
        let mut nonce = self.pending.end;
        while self.entries.contains_key(&nonce) {
            nonce += 1;
        }
        nonce
    }

    pub(super) fn pending(&self) -> impl DoubleEndedIterator<Item = &Arc<PoolTransaction>> {
        self.entries.range(self.pending.clone()).map(|(_, entry)| &entry.transaction)
    }

    pub(super) fn queued(&self) -> impl DoubleEndedIterator<Item = &Arc<PoolTransaction>> {
        let all = self.entries.iter();
        all.filter(|(nonce, _)| !self.pending.contains(*nonce)).map(|(_, entry)| &entry.transaction)
    }

    /// The highest nonce of the queued ones.
    pub(super) fn last_queued(&self) -> Option<u64> {
        self.queued().next_back().map(|transaction| transaction.nonce())
    }

    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<PoolTransaction>> {
        self.entries.values().map(|entry| &entry.transaction)
    }

    fn first(&self) -> Option<&Entry> {
        self.entries.range(self.pending.clone()).next().map(|(_, entry)| entry)
    }

    fn last(&self) -> Option<&Entry> {
        self.entries.range(self.pending.clone()).next_back().map(|(_, entry)| entry)
    }

    /// What all pending ones may cost, in wei.
    pub(super) fn pending_cost(&self) -> U256 {
        let Some((first, last)) = self.first().zip(self.last()) else { return U256::ZERO };
        last.total.saturating_sub(first.total.saturating_sub(first.transaction.cost()))
    }

    /// The first pending transaction, which is the next to be executed.
    pub(super) fn head(&self) -> Option<Rank> {
        self.first().map(|entry| Rank::new(&entry.transaction))
    }

    /// The last pending transaction, which is the one to give up first, with what it is worth.
    pub(super) fn tail(&self) -> Option<Rank> {
        self.last().map(|entry| Rank { tip: entry.tip, fee: entry.fee, ..Rank::new(&entry.transaction) })
    }

    /// Puts a transaction in, in place of the one that has its nonce. It is queued unless that one was pending; [`Sender::relink`] or
    /// [`Sender::append`] has to follow.
    pub(super) fn insert(&mut self, transaction: Arc<PoolTransaction>) -> Option<Arc<PoolTransaction>> {
        self.blobs += usize::from(transaction.is_blob());
        let old = self.entries.insert(transaction.nonce(), Entry::new(transaction)).map(|entry| entry.transaction);
        self.blobs -= usize::from(old.as_ref().is_some_and(|old| old.is_blob()));
        old
    }

    /// Makes the transaction with this nonce pending if that is all there is to do: it stands right after the pending ones, the account can pay
    /// for it, and no other waits for it.
    pub(super) fn append(&mut self, nonce: u64, limit: usize) -> bool {
        let is_next = nonce == self.pending.end && self.pending_len() < limit;
        if !is_next || self.entries.last_key_value().is_none_or(|(last, _)| *last != nonce) {
            return false;
        }
        let (cost, before) = (self.pending_cost(), self.last().cloned());
        let Some(entry) = self.entries.get_mut(&nonce) else { return false };
        if cost.saturating_add(entry.transaction.cost()) > self.account.balance {
            return false;
        }
        entry.link(before.as_ref());
        self.pending.end += 1;
        true
    }

    /// Takes a transaction out. What comes after it has to be linked again unless it was queued or the last pending one.
    pub(super) fn remove(&mut self, nonce: u64) -> Option<Arc<PoolTransaction>> {
        let transaction = self.entries.remove(&nonce)?.transaction;
        self.blobs -= usize::from(transaction.is_blob());
        if nonce + 1 == self.pending.end && self.pending.contains(&nonce) {
            self.pending.end = nonce;
        }
        Some(transaction)
    }

    /// Takes the account as it is now. Gives the transactions whose nonces were used. Afterwards either nothing else has to be
    /// done (`true`) or [`Sender::relink`] has to follow.
    pub(super) fn set_account(&mut self, account: SenderAccount) -> (Vec<Arc<PoolTransaction>>, bool) {
        self.account = account;
        let kept = self.entries.split_off(&account.nonce);
        let used: Vec<_> = std::mem::replace(&mut self.entries, kept).into_values().map(|e| e.transaction).collect();
        self.blobs -= used.iter().filter(|transaction| transaction.is_blob()).count();
        let is_same = self.pending.start == account.nonce;
        if !is_same && self.pending.contains(&account.nonce) {
            self.pending.start = account.nonce;
        } else if !is_same {
            if self.pending.end <= account.nonce {
                self.pending = account.nonce..account.nonce;
            } else {
                return (used, false);
            }
        }
        let waits = self.entries.contains_key(&self.pending.end);
        let is_linked = self.first().is_none_or(Entry::is_like_first);
        (used, !waits && is_linked && self.pending_cost() <= account.balance)
    }

    /// Finds out from the beginning which transactions are pending.
    pub(super) fn relink(&mut self, limit: usize) -> Moved {
        let mut moved = Moved::default();
        let old = self.pending.clone();
        let start = self.account.nonce;
        let mut end = start;
        let mut before: Option<&Entry> = None;
        for (nonce, entry) in self.entries.range_mut(start..) {
            if *nonce != end || end - start >= limit as u64 {
                break;
            }
            entry.link(before);
            if entry.total > self.account.balance {
                break;
            }
            if !old.contains(nonce) {
                moved.promoted.push(Arc::clone(&entry.transaction));
            }
            before = Some(entry);
            end += 1;
        }
        self.pending = start..end;
        let demoted = self.entries.range(old).filter(|(nonce, _)| !(start..end).contains(*nonce));
        moved.demoted.extend(demoted.map(|(_, entry)| Arc::clone(&entry.transaction)));
        moved
    }
}
