//! Keys of the tables.

use alloy_primitives::{Address, B256, U256};
use alloy_trie::Nibbles;

/// Names in the table of metadata.
pub(crate) mod metadata {
    pub(crate) const SCHEMA: &[u8] = b"schema";
    pub(crate) const CHAIN_ID: &[u8] = b"chain_id";
    pub(crate) const GENESIS: &[u8] = b"genesis_hash";
    pub(crate) const HEAD: &[u8] = b"head";
    pub(crate) const TOTAL_DIFFICULTY: &[u8] = b"total_difficulty";
    pub(crate) const HISTORY_FROM: &[u8] = b"history_from";
}

/// What the names of amended state roots begin with, in the table of metadata.
pub(crate) const AMENDED_ROOT: &[u8] = b"amended_root/";

/// Name of the amended state root of a block, in the table of metadata.
pub(crate) fn amended_root(number: u64) -> Vec<u8> {
    [AMENDED_ROOT, &number.to_be_bytes()].concat()
}

/// Block number: 8 bytes.
pub(crate) fn block(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Address and slot: 52 bytes.
pub(crate) fn slot(address: Address, slot: U256) -> [u8; 52] {
    let mut key = [0; 52];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}

/// Block number and address: 28 bytes.
pub(crate) fn account_change(number: u64, address: Address) -> [u8; 28] {
    let mut key = [0; 28];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(address.as_slice());
    key
}

/// Block number, address and slot: 60 bytes.
pub(crate) fn slot_change(number: u64, address: Address, slot: U256) -> [u8; 60] {
    let mut key = [0; 60];
    key[..8].copy_from_slice(&number.to_be_bytes());
    key[8..].copy_from_slice(&self::slot(address, slot));
    key
}

/// Address or address and slot, and the highest block of the shard: 28 or 60 bytes.
pub(crate) fn history(subject: &[u8], highest: u64) -> Vec<u8> {
    [subject, &highest.to_be_bytes()].concat()
}

/// Hashed address and hashed slot: 64 bytes.
pub(crate) fn hashed_slot(account: B256, slot: B256) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(account.as_slice());
    key[32..].copy_from_slice(slot.as_slice());
    key
}

/// Node of the account trie.
pub(crate) fn account_node(path: &Nibbles) -> Vec<u8> {
    let mut key = Vec::with_capacity(34);
    super::encode_path(path, &mut key);
    key
}

/// Node of a storage trie.
pub(crate) fn storage_node(account: B256, path: &Nibbles) -> Vec<u8> {
    let mut key = Vec::with_capacity(66);
    key.extend_from_slice(account.as_slice());
    super::encode_path(path, &mut key);
    key
}

/// Reads the key of a slot.
pub(crate) fn parse_slot(key: &[u8]) -> Result<(Address, U256), super::DecodeError> {
    if key.len() != 52 {
        return Err(super::DecodeError::Length { what: "key of a slot", length: key.len() });
    }
    Ok((Address::from_slice(&key[..20]), U256::from_be_slice(&key[20..])))
}

/// Reads a key that is an address.
pub(crate) fn parse_address(key: &[u8]) -> Result<Address, super::DecodeError> {
    Address::try_from(key).map_err(|_| super::DecodeError::Length { what: "address", length: key.len() })
}

/// Reads the key of a node of a storage trie: hashed address and path.
pub(crate) fn parse_storage_node(key: &[u8]) -> Result<(B256, Nibbles), super::DecodeError> {
    let error = super::DecodeError::Length { what: "key of a storage trie node", length: key.len() };
    let (account, path) = key.split_at_checked(32).ok_or(error)?;
    Ok((B256::from_slice(account), super::decode_path(path)?))
}
