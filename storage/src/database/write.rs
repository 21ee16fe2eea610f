//! Writing one kind of entry each. Everything comes sorted, which is the order in which a B-tree is written best.

use crate::{
    AccountRecord, StorageError,
    block::{Body, Head, Receipt},
    encoding::{self, key},
    error::at,
    state::update::StateUpdate,
    store::{ReadTransaction, StoreError, Table, WriteTransaction, for_each_with_prefix},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256, map::B256Map};
use alloy_trie::Nibbles;
use revm::state::Bytecode;

/// A block without its state.
pub(super) fn block(
    transaction: &mut dyn WriteTransaction,
    header: &Header,
    hash: B256,
    body: &Body,
    receipts: &[Receipt],
) -> Result<(), StorageError> {
    let number = key::block(header.number);
    transaction.put(Table::Headers, &number, &encoding::encode_header(header))?;
    transaction.put(Table::CanonicalHashes, &number, hash.as_slice())?;
    transaction.put(Table::BlockNumbers, hash.as_slice(), &number)?;
    transaction.put(Table::Bodies, &number, &encoding::encode_body(body))?;
    transaction.put(Table::Receipts, &number, &encoding::encode_receipts(receipts))?;
    let mut places: Vec<(B256, u32)> = body.transactions.iter().map(|signed| *signed.tx_hash()).zip(0..).collect();
    places.sort_unstable();
    for (hash, index) in places {
        let place = encoding::encode_lookup(header.number, index);
        transaction.put(Table::TransactionLookup, hash.as_slice(), &place)?;
    }
    Ok(())
}

/// The head, and the sum of the difficulties of all blocks up to it.
pub(super) fn head(
    transaction: &mut dyn WriteTransaction,
    head: &Head,
    total_difficulty: U256,
) -> Result<(), StorageError> {
    transaction.put(Table::Metadata, key::metadata::HEAD, &encoding::encode_head(head))?;
    transaction.put(Table::Metadata, key::metadata::TOTAL_DIFFICULTY, &encoding::encode_word(total_difficulty))?;
    Ok(())
}

/// Codes that are not stored yet.
pub(super) fn codes(transaction: &mut dyn WriteTransaction, codes: &B256Map<Bytecode>) -> Result<(), StorageError> {
    for (hash, code) in codes {
        if transaction.get(Table::Bytecodes, hash.as_slice())?.is_none() {
            transaction.put(Table::Bytecodes, hash.as_slice(), code.original_byte_slice())?;
        }
    }
    Ok(())
}

pub(super) fn accounts(
    transaction: &mut dyn WriteTransaction,
    accounts: &[(Address, Option<AccountRecord>)],
) -> Result<(), StorageError> {
    for (address, account) in accounts {
        let value = account.as_ref().map(encoding::encode_account);
        put_or_delete(transaction, Table::Accounts, address.as_slice(), value.as_deref())?;
    }
    Ok(())
}

pub(super) fn slots(
    transaction: &mut dyn WriteTransaction,
    slots: &[((Address, U256), U256)],
) -> Result<(), StorageError> {
    for ((address, slot), value) in slots {
        put_word(transaction, Table::Storage, &key::slot(*address, *slot), *value)?;
    }
    Ok(())
}

/// Hashed state and trie nodes. Gives the nodes of the storage tries that were wiped.
pub(super) fn state_update(
    transaction: &mut dyn WriteTransaction,
    update: &StateUpdate,
) -> Result<Vec<(B256, Nibbles)>, StorageError> {
    let mut wiped = Vec::new();
    for (key, account) in &update.accounts {
        let value = account.as_ref().map(encoding::encode_hashed_account);
        put_or_delete(transaction, Table::HashedAccounts, key.as_slice(), value.as_deref())?;
    }
    let mut nodes: Vec<_> =
        update.account_nodes.iter().map(|(path, node)| (key::account_node(path), node.as_deref())).collect();
    nodes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (key, node) in nodes {
        put_or_delete(transaction, Table::AccountTrie, &key, node)?;
    }
    let mut storages: Vec<_> = update.storages.iter().collect();
    storages.sort_unstable_by_key(|(account, _)| **account);
    for (account, storage) in storages {
        if storage.wiped {
            delete_prefix(transaction, Table::HashedStorage, account.as_slice())?;
            for key in delete_prefix(transaction, Table::StorageTrie, account.as_slice())? {
                wiped.push(key::parse_storage_node(&key).map_err(at(Table::StorageTrie, &key))?);
            }
        }
        for (slot, value) in &storage.slots {
            put_word(transaction, Table::HashedStorage, &key::hashed_slot(*account, *slot), *value)?;
        }
        let mut nodes: Vec<_> =
            storage.nodes.iter().map(|(path, node)| (key::storage_node(*account, path), node.as_deref())).collect();
        nodes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (key, node) in nodes {
            put_or_delete(transaction, Table::StorageTrie, &key, node)?;
        }
    }
    Ok(wiped)
}

/// Keys under a prefix.
pub(super) fn keys_with_prefix(
    transaction: &dyn ReadTransaction,
    table: Table,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut keys = Vec::new();
    for_each_with_prefix(transaction, table, prefix, |key, _| keys.push(key.to_vec()))?;
    Ok(keys)
}

/// Removes the keys under a prefix, and gives them.
fn delete_prefix(
    transaction: &mut dyn WriteTransaction,
    table: Table,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, StorageError> {
    let keys = keys_with_prefix(&*transaction, table, prefix)?;
    for key in &keys {
        transaction.delete(table, key)?;
    }
    Ok(keys)
}

fn put_word(transaction: &mut dyn WriteTransaction, table: Table, key: &[u8], value: U256) -> Result<(), StorageError> {
    if value.is_zero() {
        transaction.delete(table, key)?;
        return Ok(());
    }
    Ok(transaction.put(table, key, &encoding::encode_word(value))?)
}

fn put_or_delete(
    transaction: &mut dyn WriteTransaction,
    table: Table,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), StorageError> {
    match value {
        Some(value) => transaction.put(table, key, value)?,
        None => drop(transaction.delete(table, key)?),
    }
    Ok(())
}
