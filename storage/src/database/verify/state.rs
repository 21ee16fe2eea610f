//! Tries, plain state and codes.
//!
//! The state root is computed anew from the leaves: a walk over the stored branches in the order of the leaves hashes every
//! leaf and every branch, compares each with the reference above it, and ends at the root in the header. Since both tables
//! must be used up exactly, this is a full rebuild, and it also finds nodes that lie about.

use super::{Verifier, disagree};
use crate::{
    StorageError,
    database::{amend, read},
    encoding::key,
    store::{Cursor, Entry, ReadTransaction, Table},
    trie::check::check_trie,
    witness::Trie,
};
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;

impl Verifier<'_> {
    /// The root of the state at the head.
    pub(super) fn tries(&mut self) -> Result<(), StorageError> {
        let number = self.work.head.number;
        let header = read::header(self.transaction, number)?;
        let missing = StorageError::MissingBlock { table: Table::Headers, number };
        let root = amend::state_root(self.transaction, &header.ok_or(missing)?)?;
        let transaction = self.transaction;
        let mut slots = Leaves::start(transaction, Table::HashedStorage)?;
        let mut leaves = Leaves::start(transaction, Table::HashedAccounts)?;
        let mut storage_nodes = 0;
        let account_node = |path: &_| read::account_node(transaction, path);
        let account_nodes = check_trie(Trie::Accounts, root, &account_node, &mut || {
            if !self.count() {
                return Ok(None);
            }
            let Some((key, value)) = leaves.next()? else { return Ok(None) };
            let (key, account) = read::parse_hashed_account(&key, &value)?;
            if account.storage_root != EMPTY_ROOT_HASH {
                let node = |path: &_| read::storage_node(transaction, key, path);
                storage_nodes += check_trie(Trie::Storage(key), account.storage_root, &node, &mut || {
                    if !self.count() {
                        return Ok(None);
                    }
                    let Some((entry, value)) = slots.next()? else { return Ok(None) };
                    let (owner, slot, value) = read::parse_hashed_slot(&entry, &value)?;
                    if owner != key {
                        slots.back(entry.to_vec());
                        return Ok(None);
                    }
                    Ok(Some((slot, value)))
                })?;
            }
            Ok(Some((key, account)))
        })?;
        if let Some((key, _)) = leaves.next()? {
            return disagree(Table::HashedAccounts, &key);
        }
        if let Some((key, _)) = slots.next()? {
            return disagree(Table::HashedStorage, &key);
        }
        for (table, nodes) in [(Table::AccountTrie, account_nodes), (Table::StorageTrie, storage_nodes)] {
            if self.transaction.table_size(table)?.entries != nodes {
                return disagree(table, &[]);
            }
        }
        let entries = |table| Ok::<_, StorageError>(transaction.table_size(table)?.entries);
        let (accounts, slots) = (entries(Table::HashedAccounts)?, entries(Table::HashedStorage)?);
        let report = &mut self.work.found.lock().report;
        (report.accounts, report.slots, report.nodes) = (accounts, slots, account_nodes + storage_nodes);
        Ok(())
    }

    /// Every account has its hashed entry and its code.
    pub(super) fn plain_accounts(&mut self) -> Result<(), StorageError> {
        let mut plain = 0;
        let mut cursor = self.transaction.cursor(Table::Accounts)?;
        let mut entry = cursor.first()?;
        while let Some((key, value)) = entry {
            if !self.count() {
                return Ok(());
            }
            plain += 1;
            let account = crate::encoding::decode_account(&value).map_err(crate::error::at(Table::Accounts, &key))?;
            let stored = read::hashed_account(self.transaction, keccak256(&key))?;
            if stored.map(|stored| stored.record) != Some(account) {
                return disagree(Table::Accounts, &key);
            }
            let code = account.code_hash;
            if code != KECCAK256_EMPTY && self.transaction.get(Table::Bytecodes, code.as_slice())?.is_none() {
                return Err(StorageError::MissingCode(code));
            }
            entry = cursor.next()?;
        }
        self.work.found.lock().plain_accounts = plain;
        Ok(())
    }

    /// Every slot has its hashed entry.
    pub(super) fn plain_slots(&mut self) -> Result<(), StorageError> {
        let mut plain = 0;
        let mut owner = (Bytes::new(), B256::ZERO);
        let mut cursor = self.transaction.cursor(Table::Storage)?;
        let mut entry = cursor.first()?;
        while let Some((key, value)) = entry {
            if !self.count() {
                return Ok(());
            }
            plain += 1;
            let Some((address, slot)) = key.split_at_checked(20) else { return disagree(Table::Storage, &key) };
            if *owner.0 != *address {
                owner = (Bytes::copy_from_slice(address), keccak256(address));
            }
            let hashed = key::hashed_slot(owner.1, keccak256(slot));
            if self.transaction.get(Table::HashedStorage, &hashed)? != Some(value) {
                return disagree(Table::Storage, &key);
            }
            entry = cursor.next()?;
        }
        self.work.found.lock().plain_slots = plain;
        Ok(())
    }

    /// Every code has its hash.
    pub(super) fn codes(&mut self) -> Result<(), StorageError> {
        let mut codes = 0;
        let mut cursor = self.transaction.cursor(Table::Bytecodes)?;
        let mut entry = cursor.first()?;
        while let Some((key, code)) = entry {
            if !self.count() {
                return Ok(());
            }
            codes += 1;
            if key != keccak256(&code).as_slice() {
                return disagree(Table::Bytecodes, &key);
            }
            entry = cursor.next()?;
        }
        self.work.found.lock().report.codes = codes;
        Ok(())
    }
}

/// Entries of a table one after the other, with one step back.
struct Leaves<'a> {
    cursor: Box<dyn Cursor<'a> + 'a>,
    started: bool,
    /// Key to which to go back.
    again: Option<Vec<u8>>,
}

impl<'a> Leaves<'a> {
    fn start(transaction: &'a dyn ReadTransaction, table: Table) -> Result<Self, StorageError> {
        Ok(Self { cursor: transaction.cursor(table)?, started: false, again: None })
    }

    fn next(&mut self) -> Result<Option<Entry<'a>>, StorageError> {
        if let Some(key) = self.again.take() {
            return Ok(self.cursor.seek(&key)?);
        }
        if std::mem::replace(&mut self.started, true) { Ok(self.cursor.next()?) } else { Ok(self.cursor.first()?) }
    }

    fn back(&mut self, key: Vec<u8>) {
        self.again = Some(key);
    }
}
