//! How a transaction gets in: first what needs no lock, then what its sender's account and the other transactions say.

use super::{
    Origin, PoolError, PoolTransaction, PooledTransaction, TransactionPool,
    book::{Book, Changes},
    context::{HeadContext, SenderCode},
    sidecars, transaction,
};
use crate::senders::impersonated_sender;
use alloy_consensus::{Transaction as _, transaction::Recovered};
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, AddressSet},
};
use parking_lot::MutexGuard;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::sync::Arc;

/// Least fee for blob gas that there ever is, in wei per gas (EIP-4844).
const MIN_BLOB_FEE: u128 = 1;
/// From so many accounts on it pays to read them on several threads.
const PARALLEL: usize = 4;

/// When the limits of the pool are looked at.
#[derive(Clone, Copy, Debug)]
enum Limits {
    /// After each transaction: it may itself be what is given up.
    Now,
    /// Not here, since others wait for what comes now.
    Later,
}

impl TransactionPool {
    /// Decodes a transaction in the network's form (EIP-2718; blob transactions with their blobs, EIP-4844 and EIP-7594).
    ///
    /// # Errors
    /// [`PoolError::Decode`], [`PoolError::Type`], [`PoolError::MissingSidecar`].
    pub fn decode(&self, raw: &[u8]) -> Result<PooledTransaction, PoolError> {
        transaction::decode(raw)
    }

    /// Recovers the sender of a transaction, and tells the chain, so that it is not done again with the block.
    ///
    /// # Errors
    /// [`PoolError::Signature`].
    pub fn recover(&self, transaction: PooledTransaction) -> Result<Recovered<PooledTransaction>, PoolError> {
        // Known already where a batch was prepared. A claimed sender is never taken from outside, known or not, and an `s` in the upper half is left to the rules.
        let signature = transaction.signature();
        let is_usual = impersonated_sender(signature).is_none() && signature.normalize_s().is_none();
        if let Some(sender) = self.chain.senders().get(transaction.tx_hash()).filter(|_| is_usual) {
            return Ok(Recovered::new_unchecked(transaction, sender));
        }
        let rules = &self.context().rules;
        let sender = rules.recover(&transaction).map_err(|error| PoolError::from_rule(error, rules.chain_id()))?;
        Ok(Recovered::new_unchecked(transaction, sender))
    }

    /// Decodes a transaction, recovers its sender, and takes it.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub fn add_raw(&self, raw: &[u8], origin: Origin) -> Result<B256, PoolError> {
        let prepared = self.prepare_raw(raw, origin, &self.context());
        self.add_prepared(vec![prepared]).pop().unwrap_or(Err(PoolError::Full))
    }

    /// Takes a transaction whose sender is known, be it recovered or only claimed
    /// ([`impersonated_signature`](crate::senders::impersonated_signature)).
    ///
    /// # Errors
    /// See [`PoolError`].
    pub fn add(&self, transaction: Recovered<PooledTransaction>, origin: Origin) -> Result<B256, PoolError> {
        let context = self.context();
        let prepared = self
            .check_alone(transaction.inner(), origin, &context)
            .and_then(|()| self.prepare(transaction, origin, &context));
        self.add_prepared(vec![prepared]).pop().unwrap_or(Err(PoolError::Full))
    }

    /// Takes back transactions of blocks that are no longer canonical, without telling who was refused.
    pub(super) fn add_again(&self, transactions: Vec<PoolTransaction>) -> Changes {
        self.admit(transactions.into_iter().map(Ok).collect(), Limits::Later).1
    }

    fn prepare_raw(&self, raw: &[u8], origin: Origin, context: &HeadContext) -> Result<PoolTransaction, PoolError> {
        let transaction = transaction::decode(raw)?;
        if self.book.lock().get(transaction.tx_hash()).is_some() {
            return Err(PoolError::AlreadyKnown);
        }
        self.check_alone(&transaction, origin, context)?;
        self.prepare(self.recover(transaction)?, origin, context)
    }

    /// What the rules of the head and the options say about a transaction, but for its signature and blobs.
    pub(super) fn check_alone(
        &self,
        transaction: &PooledTransaction,
        origin: Origin,
        context: &HeadContext,
    ) -> Result<(), PoolError> {
        let rules = &context.rules;
        let settings = *self.settings.read();
        let blobs = transaction.blob_count().unwrap_or_default();
        if blobs > context.max_blobs && context.max_blobs > 0 {
            return Err(PoolError::TooManyBlobs { count: blobs as usize, limit: context.max_blobs });
        }
        if transaction.gas_limit() > settings.gas_limit.unwrap_or(context.gas_limit) {
            return Err(PoolError::BlockGasLimit);
        }
        rules.check(transaction).map_err(|error| PoolError::from_rule(error, rules.chain_id()))?;
        if transaction.chain_id().is_none() && !self.options.allow_unprotected {
            return Err(PoolError::Unprotected);
        }
        let fee = transaction.max_fee_per_gas();
        let tip = transaction.max_priority_fee_per_gas().unwrap_or(fee);
        if tip < settings.min_tip {
            return Err(PoolError::TipBelowMinimum { tip, minimum: settings.min_tip });
        }
        if fee < settings.min_fee {
            return Err(PoolError::FeeBelowMinimum { fee, minimum: settings.min_fee });
        }
        if let Some(fee) = transaction.max_fee_per_blob_gas().filter(|fee| *fee < MIN_BLOB_FEE) {
            return Err(PoolError::BlobFeeBelowMinimum { fee, minimum: MIN_BLOB_FEE });
        }
        if let Some(cap) = settings.fee_cap.filter(|_| origin == Origin::Local) {
            let fee = U256::from(fee).saturating_mul(U256::from(transaction.gas_limit()));
            if fee > cap {
                return Err(PoolError::FeeCap { fee, cap });
            }
        }
        Ok(())
    }

    /// Verifies the blobs and takes the transaction apart.
    pub(super) fn prepare(
        &self,
        transaction: Recovered<PooledTransaction>,
        origin: Origin,
        context: &HeadContext,
    ) -> Result<PoolTransaction, PoolError> {
        let fork = context.rules.spec_id();
        let transaction = if transaction.is_eip4844() {
            transaction.try_map(|transaction| sidecars::check(transaction, fork, origin))?
        } else {
            transaction
        };
        let transaction = PoolTransaction::new(transaction, origin);
        let (size, limit) = (transaction.size(), self.options.transaction_bytes);
        if size > limit { Err(PoolError::Oversized { size, limit }) } else { Ok(transaction) }
    }

    pub(super) fn add_prepared(
        &self,
        prepared: Vec<Result<PoolTransaction, PoolError>>,
    ) -> Vec<Result<B256, PoolError>> {
        let (results, changes) = self.admit(prepared, Limits::Now);
        self.write_journal(results.iter().flatten());
        self.announce(&changes);
        results.into_iter().map(|result| result.map(|transaction| transaction.hash())).collect()
    }

    /// Puts transactions into the book, in their order. Watchers are not told yet.
    fn admit(
        &self,
        prepared: Vec<Result<PoolTransaction, PoolError>>,
        limits: Limits,
    ) -> (Vec<Result<Arc<PoolTransaction>, PoolError>>, Changes) {
        let mut changes = Changes::default();
        let senders = prepared.iter().flatten().map(|transaction| (transaction.hash(), transaction.sender()));
        self.chain.senders().extend(senders);
        let mut book = self.book.lock();
        let unreadable = self.know_senders(&mut book, &prepared);
        let context = self.context();
        let mut has_evicted = false;
        let results = prepared.into_iter().map(|prepared| {
            let transaction = prepared?;
            if let Some(error) = unreadable.get(&transaction.sender()) {
                return Err(error.clone());
            }
            self.check_with_sender(&book, &transaction)?;
            match limits {
                Limits::Now => self.put(&mut book, transaction, &context, &mut has_evicted, &mut changes),
                Limits::Later => Ok(book.put(transaction, &mut changes)),
            }
        });
        let results = results.collect();
        if has_evicted {
            changes.pending.retain(|transaction| book.is_pending(transaction));
        }
        (results, changes)
    }

    /// Makes the book know the account of every sender. The lock is given up while accounts are read; gives the errors of those that cannot
    /// be.
    fn know_senders(
        &self,
        book: &mut MutexGuard<'_, Book>,
        prepared: &[Result<PoolTransaction, PoolError>],
    ) -> AddressMap<PoolError> {
        let mut errors = AddressMap::default();
        loop {
            let senders = prepared.iter().flatten().map(PoolTransaction::sender);
            let unknown: AddressSet =
                senders.filter(|sender| book.sender(sender).is_none() && !errors.contains_key(sender)).collect();
            if unknown.is_empty() {
                return errors;
            }
            let context = self.context();
            let read = |address: Address| (address, context.account(&self.chain, address));
            let accounts: Vec<_> = MutexGuard::unlocked(book, || {
                if unknown.len() < PARALLEL {
                    unknown.into_iter().map(read).collect()
                } else {
                    unknown.into_par_iter().map(read).collect()
                }
            });
            if !Arc::ptr_eq(&context, &self.context.read()) {
                continue;
            }
            for (address, account) in accounts {
                match account {
                    Ok(account) => book.know(address, account),
                    Err(error) => {
                        errors.insert(address, error);
                    }
                }
            }
        }
    }

    /// Puts a transaction in and makes room for it.
    fn put(
        &self,
        book: &mut Book,
        transaction: PoolTransaction,
        context: &HeadContext,
        has_evicted: &mut bool,
        changes: &mut Changes,
    ) -> Result<Arc<PoolTransaction>, PoolError> {
        let transaction = book.put(transaction, changes);
        let sender = transaction.sender();
        loop {
            let too_many = book.sender(&sender).filter(|sender| sender.queued_len() > self.options.sender_queued);
            let Some((last, pooled)) = too_many.and_then(|sender| Some((sender.last_queued()?, sender.len() - 1)))
            else {
                break;
            };
            *has_evicted = true;
            book.remove(sender, last, changes);
            if last == transaction.nonce() {
                return Err(PoolError::AccountLimit { pooled });
            }
        }
        let is_pending = book.is_pending(&transaction);
        *has_evicted |= self.make_room(book, context.base_fee, changes);
        if book.get(&transaction.hash()).is_some() {
            Ok(transaction)
        } else if is_pending {
            Err(PoolError::Underpriced)
        } else {
            Err(PoolError::Full)
        }
    }

    /// Gives up what offers least until the pool is within its limits. Tells whether anything was given up.
    pub(super) fn make_room(&self, book: &mut Book, base_fee: u64, changes: &mut Changes) -> bool {
        let mut has_evicted = false;
        loop {
            let is_large = book.bytes() > self.options.bytes;
            let worst = if book.queued_len() > self.options.queued || (is_large && book.queued_len() > 0) {
                book.queued().worst(base_fee)
            } else if book.pending_len() > self.options.pending || is_large {
                book.tails().worst(base_fee)
            } else {
                None
            };
            let Some((sender, nonce)) = worst else { return has_evicted };
            has_evicted = true;
            book.remove(sender, nonce, changes);
        }
    }

    /// What the account of the sender and its other transactions say.
    fn check_with_sender(&self, book: &Book, transaction: &PoolTransaction) -> Result<(), PoolError> {
        if book.get(&transaction.hash()).is_some() {
            return Err(PoolError::AlreadyKnown);
        }
        let Some(sender) = book.sender(&transaction.sender()) else {
            return Err(PoolError::Full);
        };
        let (account, nonce, cost) = (sender.account, transaction.nonce(), transaction.cost());
        if nonce < account.nonce {
            return Err(PoolError::NonceTooLow { next: account.nonce, nonce });
        }
        if account.code == SenderCode::Contract && !transaction.is_impersonated() {
            return Err(PoolError::SenderNotEoa { address: transaction.sender(), code_hash: account.code_hash });
        }
        if cost > account.balance {
            return Err(PoolError::InsufficientFunds { balance: account.balance, cost });
        }
        let old = sender.get(nonce);
        let replaced_cost = old.filter(|_| sender.is_pending(nonce)).map(|old| old.cost()).unwrap_or_default();
        let queued = sender.pending_cost().saturating_sub(replaced_cost);
        if queued.saturating_add(cost) > account.balance {
            return Err(PoolError::InsufficientFundsForAll { balance: account.balance, queued, cost });
        }
        self.check_delegation(book, transaction)?;
        self.check_blobs(book, transaction)?;
        match old {
            Some(old) if !self.outbids(transaction, old) => Err(PoolError::ReplacementUnderpriced),
            _ => Ok(()),
        }
    }

    /// Accounts with delegated code can be emptied by others, so they have few transactions in the pool (EIP-7702).
    fn check_delegation(&self, book: &Book, transaction: &PoolTransaction) -> Result<(), PoolError> {
        let (address, nonce) = (transaction.sender(), transaction.nonce());
        let Some(sender) = book.sender(&address) else { return Ok(()) };
        let is_delegated = sender.account.code == SenderCode::Delegated || book.authorizations(&address) > 0;
        if is_delegated && !transaction.is_impersonated() && !sender.is_pending(nonce) {
            if sender.pending_len() >= self.options.sender_delegated {
                return Err(PoolError::InFlightLimit);
            }
            if nonce != sender.next_nonce() {
                return Err(PoolError::DelegatedGap);
            }
        }
        let is_reserved = transaction.authorities().iter().any(|authority| {
            let Some(sender) = book.sender(authority) else { return false };
            sender.len() > self.options.sender_delegated || (self.options.separate_blob_senders && sender.blobs > 0)
        });
        if is_reserved { Err(PoolError::AuthorityReserved) } else { Ok(()) }
    }

    fn check_blobs(&self, book: &Book, transaction: &PoolTransaction) -> Result<(), PoolError> {
        let Some(sender) = book.sender(&transaction.sender()) else { return Ok(()) };
        let (is_blob, nonce) = (transaction.is_blob(), transaction.nonce());
        let old = sender.get(nonce);
        let is_mixed = if is_blob { sender.blobs < sender.len() } else { sender.blobs > 0 };
        let changes_kind = old.is_some_and(|old| old.is_blob() != is_blob);
        if changes_kind || (is_mixed && self.options.separate_blob_senders) {
            return Err(PoolError::AlreadyReserved);
        }
        if !is_blob || old.is_some() {
            return Ok(());
        }
        let gap = sender.first_gap();
        if nonce > gap {
            return Err(PoolError::NonceTooHigh { nonce, gap });
        }
        if sender.blobs >= self.options.sender_blobs {
            return Err(PoolError::AccountLimit { pooled: sender.blobs });
        }
        Ok(())
    }

    /// Whether a transaction offers enough more than the one that it is to replace.
    fn outbids(&self, new: &PoolTransaction, old: &PoolTransaction) -> bool {
        let bump = if new.is_blob() { self.options.blob_price_bump } else { self.options.price_bump };
        let is_more = |new: u128, old: u128| {
            let needed = U256::from(old) * U256::from(100 + bump) / U256::from(100);
            new > old && U256::from(new) >= needed
        };
        let blob_fee = |transaction: &PoolTransaction| transaction.transaction().max_fee_per_blob_gas();
        is_more(new.max_fee(), old.max_fee())
            && is_more(new.max_tip(), old.max_tip())
            && blob_fee(new).zip(blob_fee(old)).is_none_or(|(new, old)| is_more(new, old))
    }
}
