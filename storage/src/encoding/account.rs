//! Accounts.
//!
//! ```text
//! flags (1)  bits 0-3: length of the nonce; bit 4: a code hash follows; bit 5: a storage root follows
//! nonce      0-8 bytes
//! code hash  32 bytes, unless the account has no code
//! storage root  32 bytes, only in the table of hashed accounts and only if the account has storage
//! balance    the rest, 0-32 bytes
//! ```

use super::{DecodeError, decode_word, split};
use crate::AccountRecord;
use alloy_primitives::{B256, KECCAK256_EMPTY, U256};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};

const HAS_CODE: u8 = 1 << 4;
const HAS_STORAGE: u8 = 1 << 5;
const NONCE_LENGTH: u8 = 0xf;
const WHAT: &str = "account";

/// An account as a leaf of the account trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedAccount {
    /// Nonce, balance and code hash.
    pub record: AccountRecord,
    /// Root of the storage trie.
    pub storage_root: B256,
}

impl From<HashedAccount> for TrieAccount {
    fn from(account: HashedAccount) -> Self {
        let HashedAccount { record, storage_root } = account;
        Self::new(record.nonce, record.balance, storage_root, record.code_hash)
    }
}

/// Writes an account without its storage root.
pub(crate) fn encode_account(account: &AccountRecord) -> Vec<u8> {
    encode(account, EMPTY_ROOT_HASH)
}

/// Writes an account with its storage root.
pub(crate) fn encode_hashed_account(account: &HashedAccount) -> Vec<u8> {
    encode(&account.record, account.storage_root)
}

fn encode(account: &AccountRecord, storage_root: B256) -> Vec<u8> {
    let nonce = account.nonce.to_be_bytes();
    let nonce = &nonce[account.nonce.leading_zeros() as usize / 8..];
    let mut bytes = Vec::with_capacity(1 + nonce.len() + 64 + 32);
    bytes.push(nonce.len() as u8);
    bytes.extend_from_slice(nonce);
    if account.code_hash != KECCAK256_EMPTY {
        bytes[0] |= HAS_CODE;
        bytes.extend_from_slice(account.code_hash.as_slice());
    }
    if storage_root != EMPTY_ROOT_HASH {
        bytes[0] |= HAS_STORAGE;
        bytes.extend_from_slice(storage_root.as_slice());
    }
    let balance = account.balance.to_be_bytes::<32>();
    bytes.extend_from_slice(&balance[account.balance.leading_zeros() / 8..]);
    bytes
}

/// Reads what [`encode_account`] writes.
pub(crate) fn decode_account(bytes: &[u8]) -> Result<AccountRecord, DecodeError> {
    let account = decode_hashed_account(bytes)?;
    if account.storage_root != EMPTY_ROOT_HASH {
        return Err(DecodeError::Form(WHAT));
    }
    Ok(account.record)
}

/// Reads what [`encode_hashed_account`] writes.
pub(crate) fn decode_hashed_account(mut bytes: &[u8]) -> Result<HashedAccount, DecodeError> {
    let flags = split(&mut bytes, 1, WHAT)?[0];
    let nonce_length = flags & NONCE_LENGTH;
    if flags & !(NONCE_LENGTH | HAS_CODE | HAS_STORAGE) != 0 || nonce_length > 8 {
        return Err(DecodeError::Form(WHAT));
    }
    let nonce = decode_word(split(&mut bytes, usize::from(nonce_length), WHAT)?)?;
    let mut hash = |flag, default| match flags & flag {
        0 => Ok(default),
        _ => split(&mut bytes, 32, WHAT).map(B256::from_slice),
    };
    let code_hash = hash(HAS_CODE, KECCAK256_EMPTY)?;
    let storage_root = hash(HAS_STORAGE, EMPTY_ROOT_HASH)?;
    let balance: U256 = decode_word(bytes)?;
    Ok(HashedAccount { record: AccountRecord { nonce: nonce.to(), balance, code_hash }, storage_root })
}
