//! What a store says of itself: fixed names in the table of metadata, each with a number (4 or 8 bytes), a hash
//! (32 bytes), a word without its leading zero bytes (the total difficulty) or the head (number, hash, state root: 72 bytes).

use super::{DecodeError, split};
use crate::block::Head;
use alloy_primitives::B256;

pub(crate) fn decode_u32(bytes: &[u8]) -> Result<u32, DecodeError> {
    bytes.try_into().map(u32::from_be_bytes).map_err(|_| DecodeError::Length { what: "number", length: bytes.len() })
}

pub(crate) fn decode_u64(bytes: &[u8]) -> Result<u64, DecodeError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| DecodeError::Length { what: "number", length: bytes.len() })
}

pub(crate) fn encode_head(head: &Head) -> [u8; 72] {
    let mut bytes = [0; 72];
    bytes[..8].copy_from_slice(&head.number.to_be_bytes());
    bytes[8..40].copy_from_slice(head.hash.as_slice());
    bytes[40..].copy_from_slice(head.state_root.as_slice());
    bytes
}

pub(crate) fn decode_head(mut bytes: &[u8]) -> Result<Head, DecodeError> {
    const WHAT: &str = "head";
    if bytes.len() != 72 {
        return Err(DecodeError::Length { what: WHAT, length: bytes.len() });
    }
    let number = decode_u64(split(&mut bytes, 8, WHAT)?)?;
    let hash = B256::from_slice(split(&mut bytes, 32, WHAT)?);
    Ok(Head { number, hash, state_root: B256::from_slice(bytes) })
}
