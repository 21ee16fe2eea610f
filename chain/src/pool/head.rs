//! The pool follows the chain.
//!
//! The layer of each new block has every account that it changed, so only senders that a block touched are looked at: transactions that were mined, or whose
//! nonces were used by others, go; what the account can no longer pay for is queued. Where blocks were taken back the accounts are read anew, and
//! the transactions of these blocks come back.

use super::{PoolTransaction, TransactionPool, book::Changes, context::HeadContext};
use crate::{Reorganisation, senders::impersonated_sender};
use alloy_consensus::transaction::Recovered;
use alloy_primitives::{
    Address,
    map::{AddressMap, B256Set},
};
use braid_runtime::Transaction;
use braid_storage::AccountRecord;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// How often expired transactions are looked for.
const SWEEP: Duration = Duration::from_secs(60);

impl TransactionPool {
    /// Reads accounts anew whose state was changed by hand, and the head with them: a nonce that was set back, or ether that was given.
    pub fn refresh(&self, addresses: &[Address]) {
        let mut changes = Changes::default();
        self.move_to_head(&mut changes, |_, _| addresses.to_vec());
        self.finish(changes);
    }

    /// Runs `f`; what it takes off the chain does not come back into the pool. For those who want to go back in time.
    pub fn without_reinjection<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Dropping<'a>(&'a TransactionPool);
        impl Drop for Dropping<'_> {
            fn drop(&mut self) {
                self.0.dropping.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.dropping.fetch_add(1, Ordering::SeqCst);
        let _dropping = Dropping(self);
        f()
    }

    /// Gives up queued transactions from outside that are older than the options allow. The pool does that by itself now and then.
    pub fn expire(&self) {
        let mut book = self.book.lock();
        *self.swept.lock() = Instant::now();
        let old: Vec<_> = {
            let queued = book.queued().iter();
            queued.filter(|(sender, nonce)| {
                let transaction = book.sender(sender).and_then(|sender| sender.get(*nonce));
                transaction.is_some_and(|transaction| transaction.is_older_than(self.options.lifetime))
            })
        }
        .collect();
        for (sender, nonce) in old {
            book.remove(sender, nonce, &mut Changes::default());
        }
    }

    /// Takes the head that the chain has now, whatever led there.
    pub(super) fn catch_up(&self) {
        self.move_to_head(&mut Changes::default(), |_, _| Vec::new());
    }

    /// The head has moved.
    pub(super) fn follow(&self, moved: &Reorganisation) {
        if moved.added.is_empty() && moved.removed.is_empty() {
            return;
        }
        let mut changes = Changes::default();
        self.move_to_head(&mut changes, |book, changes| book.apply(moved, changes));
        if !moved.removed.is_empty()
            && moved.removed.len() <= self.options.reorganisation_depth
            && self.dropping.load(Ordering::SeqCst) == 0
        {
            let returned = self.add_again(self.taken_back(moved));
            changes.pending.extend(returned.pending);
        }
        let is_due = self.swept.lock().elapsed() >= SWEEP.min(self.options.lifetime);
        if is_due {
            self.expire();
        }
        self.finish(changes);
    }

    /// Gives up what is too much after transactions were put back among the queued ones, and tells the watchers what is pending now.
    fn finish(&self, mut changes: Changes) {
        {
            let mut book = self.book.lock();
            self.make_room(&mut book, self.context().base_fee, &mut changes);
            changes.pending.retain(|transaction| book.is_pending(transaction));
        }
        self.announce(&changes);
    }

    /// Takes the head that the chain has now. `change` says, while nobody is admitted, whose accounts have to be read anew.
    fn move_to_head(&self, changes: &mut Changes, change: impl FnOnce(&mut super::Book, &mut Changes) -> Vec<Address>) {
        let (context, outdated) = {
            let mut book = self.book.lock();
            let (head, header) = self.chain.head_header();
            let context = Arc::new(HeadContext::new(head.hash, &header, self.chain.spec()));
            let before = std::mem::replace(&mut *self.context.write(), Arc::clone(&context));
            let mut outdated = change(&mut book, changes);
            outdated.retain(|address| book.sender(address).is_some());
            book.sweep();
            if before.rules != context.rules {
                remove_invalid(&mut book, &context, changes);
            }
            (context, outdated)
        };
        if outdated.is_empty() {
            return;
        }
        let accounts: Vec<_> =
            outdated.into_iter().map(|address| (address, context.account(&self.chain, address))).collect();
        let mut book = self.book.lock();
        for (address, account) in accounts {
            match account {
                Ok(account) => book.set_account(address, |_| Some(account), changes),
                // What the pool knows of the sender may be wrong now.
                Err(error) => {
                    tracing::warn!(%address, %error, "the account of a sender cannot be read; its transactions are dropped");
                    book.forget_sender(address);
                }
            }
        }
    }

    /// The transactions of blocks that were taken back, and not put into others.
    fn taken_back(&self, moved: &Reorganisation) -> Vec<PoolTransaction> {
        let mined: B256Set =
            moved.added.iter().flat_map(|block| &block.body.transactions).map(|tx| *tx.tx_hash()).collect();
        let removed = moved.removed.iter().rev().flat_map(|block| &block.body.transactions);
        let removed: Vec<&Transaction> = removed.filter(|transaction| !mined.contains(transaction.tx_hash())).collect();
        let rules = &self.context().rules;
        let taken = removed.into_iter().filter_map(|transaction| {
            let hash = transaction.tx_hash();
            // Blocks leave their senders with the chain, so hardly ever one is recovered here.
            let known = self.chain.senders().get(hash).or_else(|| impersonated_sender(transaction.signature()));
            let sender = known.or_else(|| rules.recover(transaction).ok())?;
            let sidecar = if transaction.is_eip4844() { Some(self.sidecar(hash)?) } else { None };
            let transaction = Recovered::new_unchecked(transaction.clone(), sender);
            Some(PoolTransaction::from_parts(transaction, sidecar, super::Origin::External))
        });
        taken.collect()
    }
}

impl super::Book {
    /// Takes the accounts after new blocks. Gives the senders whose accounts do not follow from that.
    fn apply(&mut self, moved: &Reorganisation, changes: &mut Changes) -> Vec<Address> {
        let mut outdated = Vec::new();
        let mut set = |book: &mut Self, address: Address, record: Option<AccountRecord>| {
            let change = |account: super::context::SenderAccount| {
                let changed = account.with(record);
                if changed.is_none() {
                    outdated.push(address);
                }
                changed
            };
            book.set_account(address, change, changes);
        };
        if let ([block], []) = (&*moved.added, &*moved.removed) {
            block.layer.accounts().for_each(|(address, record)| set(self, address, record));
            return outdated;
        }
        let changed: AddressMap<_> = moved.added.iter().flat_map(|block| block.layer.accounts()).collect();
        changed.iter().for_each(|(address, record)| set(self, *address, *record));
        let removed = moved.removed.iter().flat_map(|block| block.layer.accounts()).map(|(address, _)| address);
        outdated.extend(removed.filter(|address| !changed.contains_key(address)));
        outdated.sort_unstable();
        outdated.dedup();
        outdated
    }
}

/// Takes out what the rules of a new fork do not allow.
fn remove_invalid(book: &mut super::Book, context: &HeadContext, changes: &mut Changes) {
    let invalid = book.all().filter(|transaction| !transaction.is_valid(&context.rules));
    let invalid: Vec<_> = invalid.map(|transaction| (transaction.sender(), transaction.nonce())).collect();
    for (sender, nonce) in invalid {
        book.remove(sender, nonce, changes);
    }
}
