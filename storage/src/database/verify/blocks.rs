//! Blocks: each follows the one before, and everything it has is what its header commits to.

use super::{Verifier, disagree};
use crate::{StorageError, block::Body, database::read, encoding::key, store::Table};
use alloy_consensus::{
    Header, TxReceipt,
    proofs::{calculate_ommers_root, calculate_receipt_root, calculate_transaction_root, calculate_withdrawals_root},
};
use alloy_primitives::{B256, U256};

impl Verifier<'_> {
    /// Checks the blocks from `first` to `last`.
    pub(super) fn blocks(&mut self, first: u64, last: u64) -> Result<(), StorageError> {
        let mut transactions = 0;
        let mut difficulty = U256::ZERO;
        // The hash of the block before is compared with its header by whoever checks that block.
        let mut parent = match first.checked_sub(1).filter(|_| first > self.work.first) {
            Some(number) => Some(self.stored_hash(number)?),
            None => None,
        };
        for number in first..=last {
            if !self.count() {
                return Ok(());
            }
            let header = self.there(Table::Headers, number, read::header(self.transaction, number)?)?;
            let body = self.there(Table::Bodies, number, read::body(self.transaction, number)?)?;
            let hash = header.hash_slow();
            self.header(number, hash, &header, parent)?;
            self.body(&header, &body)?;
            self.receipts(&header, &body)?;
            for (index, signed) in (0u32..).zip(&body.transactions) {
                self.count();
                if read::lookup(self.transaction, *signed.tx_hash())? != Some((number, index)) {
                    return disagree(Table::TransactionLookup, signed.tx_hash().as_slice());
                }
            }
            transactions += body.transactions.len() as u64;
            difficulty = difficulty.saturating_add(header.difficulty);
            parent = Some(hash);
        }
        if last == self.work.head.number && parent != Some(self.work.head.hash) {
            return disagree(Table::Metadata, key::metadata::HEAD);
        }
        let mut found = self.work.found.lock();
        found.report.blocks += last - first + 1;
        found.transactions += transactions;
        found.difficulty = found.difficulty.saturating_add(difficulty);
        Ok(())
    }

    fn there<T>(&self, table: Table, number: u64, entry: Option<T>) -> Result<T, StorageError> {
        entry.ok_or(StorageError::MissingBlock { table, number })
    }

    fn stored_hash(&self, number: u64) -> Result<B256, StorageError> {
        self.there(Table::CanonicalHashes, number, read::block_hash(self.transaction, number)?)
    }

    fn header(&self, number: u64, hash: B256, header: &Header, parent: Option<B256>) -> Result<(), StorageError> {
        if header.number != number || parent.is_some_and(|parent| parent != header.parent_hash) {
            return disagree(Table::Headers, &key::block(number));
        }
        if self.stored_hash(number)? != hash {
            return disagree(Table::CanonicalHashes, &key::block(number));
        }
        if read::block_number(self.transaction, hash)? != Some(number) {
            return disagree(Table::BlockNumbers, hash.as_slice());
        }
        Ok(())
    }

    fn body(&self, header: &Header, body: &Body) -> Result<(), StorageError> {
        let withdrawals = body.withdrawals.as_ref().map(|withdrawals| calculate_withdrawals_root(withdrawals));
        if calculate_transaction_root(&body.transactions) != header.transactions_root
            || calculate_ommers_root(&body.ommers) != header.ommers_hash
            || withdrawals != header.withdrawals_root
        {
            return disagree(Table::Bodies, &key::block(header.number));
        }
        Ok(())
    }

    fn receipts(&self, header: &Header, body: &Body) -> Result<(), StorageError> {
        let number = header.number;
        let receipts = self.there(Table::Receipts, number, read::receipts(self.transaction, number)?)?;
        let is_first = number == self.work.first;
        if !is_first && receipts.len() != body.transactions.len() {
            return disagree(Table::Receipts, &key::block(number));
        }
        if !is_first && self.work.receipts_from.is_some_and(|from| from <= number) {
            let receipts: Vec<_> = receipts.into_iter().map(TxReceipt::into_with_bloom).collect();
            if calculate_receipt_root(&receipts) != header.receipts_root {
                return disagree(Table::Receipts, &key::block(number));
            }
        }
        Ok(())
    }
}
