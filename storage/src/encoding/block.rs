//! Blocks: header and body as RLP, receipts as the RLP list of `[type, success, cumulative gas, logs]` (blooms are made
//! anew when asked for), a looked-up transaction as block number (8 bytes) and index (4 bytes).

use super::{DecodeError, split};
use crate::block::{Body, Receipt};
use alloy_consensus::Header;
use alloy_primitives::B256;
use alloy_rlp::Decodable;

pub(crate) fn encode_header(header: &Header) -> Vec<u8> {
    alloy_rlp::encode(header)
}

pub(crate) fn decode_header(bytes: &[u8]) -> Result<Header, DecodeError> {
    decode(bytes, "header")
}

pub(crate) fn encode_body(body: &Body) -> Vec<u8> {
    alloy_rlp::encode(body)
}

pub(crate) fn decode_body(bytes: &[u8]) -> Result<Body, DecodeError> {
    decode(bytes, "body")
}

pub(crate) fn encode_receipts(receipts: &[Receipt]) -> Vec<u8> {
    let mut bytes = Vec::new();
    alloy_rlp::encode_list(receipts, &mut bytes);
    bytes
}

pub(crate) fn decode_receipts(bytes: &[u8]) -> Result<Vec<Receipt>, DecodeError> {
    decode(bytes, "list of receipts")
}

pub(crate) fn encode_lookup(number: u64, index: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes[8..].copy_from_slice(&index.to_be_bytes());
    bytes
}

pub(crate) fn decode_lookup(mut bytes: &[u8]) -> Result<(u64, u32), DecodeError> {
    const WHAT: &str = "place of a transaction";
    let number = super::decode_u64(split(&mut bytes, 8, WHAT)?)?;
    Ok((number, super::decode_u32(bytes)?))
}

pub(crate) fn decode_block_number(bytes: &[u8]) -> Result<u64, DecodeError> {
    super::decode_u64(bytes)
}

pub(crate) fn decode_hash(bytes: &[u8]) -> Result<B256, DecodeError> {
    B256::try_from(bytes).map_err(|_| DecodeError::Length { what: "hash", length: bytes.len() })
}

fn decode<T: Decodable>(bytes: &[u8], what: &'static str) -> Result<T, DecodeError> {
    alloy_rlp::decode_exact(bytes).map_err(|source| DecodeError::Rlp { what, source })
}
