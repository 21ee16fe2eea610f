//! Typed reads of the tables.

use crate::{
    AccountRecord, StorageError,
    block::{Body, Head, Receipt},
    encoding::{self, DecodeError, HashedAccount, key},
    error::at,
    store::{ReadTransaction, Table},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_trie::Nibbles;

/// Reads and decodes one entry.
pub(crate) fn get<T>(
    transaction: &dyn ReadTransaction,
    table: Table,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, StorageError> {
    transaction.get(table, key)?.map(|value| decode(&value).map_err(at(table, key))).transpose()
}

/// The same for an entry that must be there.
fn get_block<T>(
    transaction: &dyn ReadTransaction,
    table: Table,
    number: u64,
    decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
) -> Result<Option<T>, StorageError> {
    get(transaction, table, &key::block(number), decode)
}

pub(crate) fn head(transaction: &dyn ReadTransaction) -> Result<Option<Head>, StorageError> {
    get(transaction, Table::Metadata, key::metadata::HEAD, encoding::decode_head)
}

/// Sum of the difficulties of all blocks up to the head.
pub(crate) fn total_difficulty(transaction: &dyn ReadTransaction) -> Result<U256, StorageError> {
    let stored = get(transaction, Table::Metadata, key::metadata::TOTAL_DIFFICULTY, encoding::decode_word)?;
    stored.ok_or_else(|| StorageError::TablesDisagree {
        table: Table::Metadata,
        key: Bytes::from_static(key::metadata::TOTAL_DIFFICULTY),
    })
}

pub(crate) fn history_from(transaction: &dyn ReadTransaction) -> Result<u64, StorageError> {
    let stored = get(transaction, Table::Metadata, key::metadata::HISTORY_FROM, encoding::decode_u64)?;
    Ok(stored.unwrap_or_default())
}

pub(crate) fn header(transaction: &dyn ReadTransaction, number: u64) -> Result<Option<Header>, StorageError> {
    get_block(transaction, Table::Headers, number, encoding::decode_header)
}

pub(crate) fn body(transaction: &dyn ReadTransaction, number: u64) -> Result<Option<Body>, StorageError> {
    get_block(transaction, Table::Bodies, number, encoding::decode_body)
}

pub(crate) fn receipts(transaction: &dyn ReadTransaction, number: u64) -> Result<Option<Vec<Receipt>>, StorageError> {
    get_block(transaction, Table::Receipts, number, encoding::decode_receipts)
}

pub(crate) fn block_hash(transaction: &dyn ReadTransaction, number: u64) -> Result<Option<B256>, StorageError> {
    get_block(transaction, Table::CanonicalHashes, number, encoding::decode_hash)
}

pub(crate) fn block_number(transaction: &dyn ReadTransaction, hash: B256) -> Result<Option<u64>, StorageError> {
    get(transaction, Table::BlockNumbers, hash.as_slice(), encoding::decode_block_number)
}

pub(crate) fn lookup(transaction: &dyn ReadTransaction, hash: B256) -> Result<Option<(u64, u32)>, StorageError> {
    get(transaction, Table::TransactionLookup, hash.as_slice(), encoding::decode_lookup)
}

pub(crate) fn account(
    transaction: &dyn ReadTransaction,
    address: Address,
) -> Result<Option<AccountRecord>, StorageError> {
    get(transaction, Table::Accounts, address.as_slice(), encoding::decode_account)
}

pub(crate) fn slot(transaction: &dyn ReadTransaction, address: Address, slot: U256) -> Result<U256, StorageError> {
    let value = get(transaction, Table::Storage, &key::slot(address, slot), encoding::decode_word)?;
    Ok(value.unwrap_or_default())
}

pub(crate) fn code(transaction: &dyn ReadTransaction, hash: B256) -> Result<Option<Bytes>, StorageError> {
    let code = transaction.get(Table::Bytecodes, hash.as_slice())?;
    Ok(code.map(|code| Bytes::copy_from_slice(&code)))
}

pub(crate) fn hashed_account(
    transaction: &dyn ReadTransaction,
    key: B256,
) -> Result<Option<HashedAccount>, StorageError> {
    get(transaction, Table::HashedAccounts, key.as_slice(), encoding::decode_hashed_account)
}

/// The first account that is not before a hashed address.
pub(crate) fn hashed_account_from(
    transaction: &dyn ReadTransaction,
    from: B256,
) -> Result<Option<(B256, HashedAccount)>, StorageError> {
    let mut cursor = transaction.cursor(Table::HashedAccounts)?;
    cursor.seek(from.as_slice())?.map(|(key, value)| parse_hashed_account(&key, &value)).transpose()
}

/// Reads an entry of the table of hashed accounts.
pub(crate) fn parse_hashed_account(key: &[u8], value: &[u8]) -> Result<(B256, HashedAccount), StorageError> {
    let hash = encoding::decode_hash(key).map_err(at(Table::HashedAccounts, key))?;
    let account = encoding::decode_hashed_account(value).map_err(at(Table::HashedAccounts, key))?;
    Ok((hash, account))
}

/// The first slot of an account that is not before a hashed slot.
pub(crate) fn hashed_slot_from(
    transaction: &dyn ReadTransaction,
    account: B256,
    from: B256,
) -> Result<Option<(B256, U256)>, StorageError> {
    let mut cursor = transaction.cursor(Table::HashedStorage)?;
    let Some((key, value)) = cursor.seek(&key::hashed_slot(account, from))? else { return Ok(None) };
    if !key.starts_with(account.as_slice()) {
        return Ok(None);
    }
    parse_hashed_slot(&key, &value).map(|(_, slot, value)| Some((slot, value)))
}

/// Reads an entry of the table of hashed storage: hashed address, hashed slot, value.
pub(crate) fn parse_hashed_slot(key: &[u8], value: &[u8]) -> Result<(B256, B256, U256), StorageError> {
    let hash = |bytes| encoding::decode_hash(bytes).map_err(at(Table::HashedStorage, key));
    let (account, slot) = key.split_at_checked(32).unwrap_or((key, &[]));
    let word = encoding::decode_word(value).map_err(at(Table::HashedStorage, key))?;
    Ok((hash(account)?, hash(slot)?, word))
}

pub(crate) fn account_node(transaction: &dyn ReadTransaction, path: &Nibbles) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(transaction.get(Table::AccountTrie, &key::account_node(path))?.map(|node| node.into_owned()))
}

pub(crate) fn storage_node(
    transaction: &dyn ReadTransaction,
    account: B256,
    path: &Nibbles,
) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(transaction.get(Table::StorageTrie, &key::storage_node(account, path))?.map(|node| node.into_owned()))
}
