//! How keys and values are written.
//!
//! One file per kind of value; each states its layout and fails to decode what it could not have written. Numbers are
//! big-endian, so that the order of the bytes is the order of the numbers. Numbers of variable length have no leading
//! zero bytes.

mod account;
mod block;
mod history;
pub(crate) mod key;
mod metadata;
mod path;

pub(crate) use account::{HashedAccount, decode_account, decode_hashed_account, encode_account, encode_hashed_account};
pub(crate) use block::{
    decode_block_number, decode_body, decode_hash, decode_header, decode_lookup, decode_receipts, encode_body,
    encode_header, encode_lookup, encode_receipts,
};
pub(crate) use history::{MAX_SHARD, decode_shard, encode_shard};
pub(crate) use metadata::{decode_head, decode_u32, decode_u64, encode_head};
pub(crate) use path::{decode_path, encode_path};

use alloy_primitives::U256;

/// Bytes that cannot have been written by this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The value has the wrong length.
    #[error("{length} bytes are no {what}")]
    Length {
        /// What it should have been.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// The value is not in the one form that is written.
    #[error("not in the form in which a {0} is written")]
    Form(&'static str),
    /// The RLP inside does not decode.
    #[error("a {what} does not decode: {source}")]
    Rlp {
        /// What it should have been.
        what: &'static str,
        /// Why.
        source: alloy_rlp::Error,
    },
}

/// A word without its leading zero bytes; zero is empty.
pub(crate) fn encode_word(value: U256) -> Vec<u8> {
    value.to_be_bytes_trimmed_vec()
}

/// Reads what [`encode_word`] writes.
pub(crate) fn decode_word(bytes: &[u8]) -> Result<U256, DecodeError> {
    if bytes.len() > 32 {
        return Err(DecodeError::Length { what: "word", length: bytes.len() });
    }
    if bytes.first() == Some(&0) {
        return Err(DecodeError::Form("word"));
    }
    Ok(U256::from_be_slice(bytes))
}

/// Takes the first bytes off a value.
fn split<'a>(bytes: &mut &'a [u8], length: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
    let (front, rest) = bytes.split_at_checked(length).ok_or(DecodeError::Length { what, length: bytes.len() })?;
    *bytes = rest;
    Ok(front)
}

#[cfg(test)]
mod tests;
