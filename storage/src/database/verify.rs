//! Checking everything that is stored against everything else.
//!
//! The state root is computed anew from the leaves: a walk over the stored branches in the order of the leaves hashes every
//! leaf and every branch, compares each with the reference above it, and ends at the root in the header. Since both tables
//! must be used up exactly, this is a full rebuild, and it also finds nodes that lie about.

use super::{Database, read};
use crate::{
    StorageError,
    block::Head,
    encoding::key,
    store::{Cursor, Entry, ReadTransaction, Table},
    trie::check::check_trie,
    witness::Trie,
};
use alloy_consensus::proofs::calculate_transaction_root;
use alloy_primitives::{B256, Bytes, KECCAK256_EMPTY, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;

/// What a verification went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// The head whose state root was computed anew.
    pub head: Head,
    /// Number of blocks.
    pub blocks: u64,
    /// Number of accounts.
    pub accounts: u64,
    /// Number of storage slots.
    pub slots: u64,
    /// Number of stored trie nodes.
    pub nodes: u64,
    /// Number of codes.
    pub codes: u64,
}

impl Database {
    /// Checks that the blocks form a chain with the right transactions, that change sets and their index agree, that the state has the root in the header of the head, that hashed and plain
    /// state agree, and that every code is there. `progress` is called now and then with the number of entries so far.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<VerifyReport, StorageError> {
        let reader = self.shared.begin()?;
        let mut verifier = Verifier { transaction: &*reader.transaction, progress, entries: 0 };
        let mut report = VerifyReport { head: reader.head, ..Default::default() };
        report.blocks = verifier.blocks(reader.head)?;
        (report.accounts, report.slots, report.nodes) = verifier.tries(reader.head)?;
        verifier.plain_accounts(report.accounts)?;
        verifier.plain_slots(report.slots)?;
        report.codes = verifier.codes()?;
        verifier.history(Table::AccountHistory, Table::AccountChanges)?;
        verifier.history(Table::StorageHistory, Table::StorageChanges)?;
        Ok(report)
    }
}

struct Verifier<'a, P> {
    transaction: &'a dyn ReadTransaction,
    progress: P,
    entries: u64,
}

impl<'a, P: FnMut(u64)> Verifier<'a, P> {
    fn count(&mut self) {
        self.entries += 1;
        if self.entries.is_multiple_of(1 << 14) {
            (self.progress)(self.entries);
        }
    }

    fn disagree<T>(table: Table, key: &[u8]) -> Result<T, StorageError> {
        Err(StorageError::TablesDisagree { table, key: Bytes::copy_from_slice(key) })
    }

    fn blocks(&mut self, head: Head) -> Result<u64, StorageError> {
        let mut blocks = 0;
        let mut parent: Option<(u64, B256)> = None;
        let mut cursor = self.transaction.cursor(Table::Headers)?;
        let mut entry = cursor.first()?;
        while let Some((key, _)) = entry {
            self.count();
            let number = crate::encoding::decode_block_number(&key).map_err(crate::error::at(Table::Headers, &key))?;
            let header = read::header(self.transaction, number)?;
            let header = header.ok_or(StorageError::MissingBlock { table: Table::Headers, number })?;
            let hash = header.hash_slow();
            let follows = parent.is_none_or(|parent| parent == (number.wrapping_sub(1), header.parent_hash));
            if header.number != number || !follows {
                return Self::disagree(Table::Headers, &key);
            }
            if read::block_hash(self.transaction, number)? != Some(hash) {
                return Self::disagree(Table::CanonicalHashes, &key);
            }
            if read::block_number(self.transaction, hash)? != Some(number) {
                return Self::disagree(Table::BlockNumbers, hash.as_slice());
            }
            let body = read::body(self.transaction, number)?;
            let body = body.ok_or(StorageError::MissingBlock { table: Table::Bodies, number })?;
            if calculate_transaction_root(&body.transactions) != header.transactions_root {
                return Self::disagree(Table::Bodies, &key);
            }
            let receipts = read::receipts(self.transaction, number)?;
            let receipts = receipts.ok_or(StorageError::MissingBlock { table: Table::Receipts, number })?;
            // The receipts root is not of a form that can be computed before Byzantium; the number always is.
            if number != 0 && receipts.len() != body.transactions.len() {
                return Self::disagree(Table::Receipts, &key);
            }
            for (index, signed) in (0u32..).zip(&body.transactions) {
                if read::lookup(self.transaction, *signed.tx_hash())? != Some((number, index)) {
                    return Self::disagree(Table::TransactionLookup, signed.tx_hash().as_slice());
                }
            }
            parent = Some((number, hash));
            blocks += 1;
            entry = cursor.next()?;
        }
        if parent != Some((head.number, head.hash)) {
            return Self::disagree(Table::Metadata, key::metadata::HEAD);
        }
        Ok(blocks)
    }

    /// Number of accounts, slots and nodes.
    fn tries(&mut self, head: Head) -> Result<(u64, u64, u64), StorageError> {
        let header = read::header(self.transaction, head.number)?;
        let missing = StorageError::MissingBlock { table: Table::Headers, number: head.number };
        let root = header.ok_or(missing)?.state_root;
        let transaction = self.transaction;
        let mut slots = Leaves::start(transaction, Table::HashedStorage)?;
        let mut leaves = Leaves::start(transaction, Table::HashedAccounts)?;
        let mut storage_nodes = 0;
        let account_node = |path: &_| read::account_node(transaction, path);
        let account_nodes = check_trie(Trie::Accounts, root, &account_node, &mut || {
            self.count();
            let Some((key, value)) = leaves.next()? else { return Ok(None) };
            let (key, account) = read::parse_hashed_account(&key, &value)?;
            if account.storage_root != EMPTY_ROOT_HASH {
                let node = |path: &_| read::storage_node(transaction, key, path);
                storage_nodes += check_trie(Trie::Storage(key), account.storage_root, &node, &mut || {
                    self.count();
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
            return Self::disagree(Table::HashedAccounts, &key);
        }
        if let Some((key, _)) = slots.next()? {
            return Self::disagree(Table::HashedStorage, &key);
        }
        for (table, nodes) in [(Table::AccountTrie, account_nodes), (Table::StorageTrie, storage_nodes)] {
            if self.transaction.table_size(table)?.entries != nodes {
                return Self::disagree(table, &[]);
            }
        }
        let entries = |table| Ok::<_, StorageError>(transaction.table_size(table)?.entries);
        let (accounts, slots) = (entries(Table::HashedAccounts)?, entries(Table::HashedStorage)?);
        Ok((accounts, slots, account_nodes + storage_nodes))
    }

    fn plain_accounts(&mut self, hashed: u64) -> Result<(), StorageError> {
        let mut plain = 0;
        let mut cursor = self.transaction.cursor(Table::Accounts)?;
        let mut entry = cursor.first()?;
        while let Some((key, value)) = entry {
            self.count();
            plain += 1;
            let account = crate::encoding::decode_account(&value).map_err(crate::error::at(Table::Accounts, &key))?;
            let stored = read::hashed_account(self.transaction, keccak256(&key))?;
            if stored.map(|stored| stored.record) != Some(account) {
                return Self::disagree(Table::Accounts, &key);
            }
            let code = account.code_hash;
            if code != KECCAK256_EMPTY && self.transaction.get(Table::Bytecodes, code.as_slice())?.is_none() {
                return Err(StorageError::MissingCode(code));
            }
            entry = cursor.next()?;
        }
        if plain == hashed { Ok(()) } else { Self::disagree(Table::Accounts, &[]) }
    }

    fn plain_slots(&mut self, hashed: u64) -> Result<(), StorageError> {
        let mut plain = 0;
        let mut owner = (Bytes::new(), B256::ZERO);
        let mut cursor = self.transaction.cursor(Table::Storage)?;
        let mut entry = cursor.first()?;
        while let Some((key, value)) = entry {
            self.count();
            plain += 1;
            let Some((address, slot)) = key.split_at_checked(20) else { return Self::disagree(Table::Storage, &key) };
            if *owner.0 != *address {
                owner = (Bytes::copy_from_slice(address), keccak256(address));
            }
            let hashed = key::hashed_slot(owner.1, keccak256(slot));
            if self.transaction.get(Table::HashedStorage, &hashed)? != Some(value) {
                return Self::disagree(Table::Storage, &key);
            }
            entry = cursor.next()?;
        }
        if plain == hashed { Ok(()) } else { Self::disagree(Table::Storage, &[]) }
    }

    fn codes(&mut self) -> Result<u64, StorageError> {
        let mut codes = 0;
        let mut cursor = self.transaction.cursor(Table::Bytecodes)?;
        let mut entry = cursor.first()?;
        while let Some((key, code)) = entry {
            self.count();
            codes += 1;
            if key != keccak256(&code).as_slice() {
                return Self::disagree(Table::Bytecodes, &key);
            }
            entry = cursor.next()?;
        }
        Ok(codes)
    }
}

impl<P: FnMut(u64)> Verifier<'_, P> {
    /// Every block in the index has its change set entry, and the other way round.
    fn history(&mut self, index: Table, changes: Table) -> Result<(), StorageError> {
        let mut indexed = 0;
        let mut cursor = self.transaction.cursor(index)?;
        let mut entry = cursor.first()?;
        while let Some((key, value)) = entry {
            let Some(subject) = key.len().checked_sub(8).map(|length| &key[..length]) else {
                return Self::disagree(index, &key);
            };
            for number in crate::encoding::decode_shard(&value).map_err(crate::error::at(index, &key))? {
                self.count();
                indexed += 1;
                let change = [&key::block(number), subject].concat();
                match self.transaction.get(changes, &change)? {
                    Some(before) if self.is_well_formed(changes, &before) => {}
                    _ => return Self::disagree(changes, &change),
                }
            }
            entry = cursor.next()?;
        }
        if self.transaction.table_size(changes)?.entries == indexed { Ok(()) } else { Self::disagree(changes, &[]) }
    }

    fn is_well_formed(&self, changes: Table, before: &[u8]) -> bool {
        match changes {
            Table::AccountChanges => super::history::decode_account_before(before).is_ok(),
            _ => crate::encoding::decode_word(before).is_ok(),
        }
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
