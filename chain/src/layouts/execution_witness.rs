//! A block with the answer of `debug_executionWitness`.
//!
//! ```text
//! {"block": RLP of [header, transactions, ommers, withdrawals],
//!  "witness": {"state": [node…], "codes": [code…], "keys": [address or slot…], "headers": [RLP of a header…]},
//!  "chainConfig": {…}?}
//! ```
//!
//! The source does not state the block's hash. What ties the header down is its parent hash, which the witness's headers
//! prove, and the body, which the header commits to.

use super::{LayoutErrorKind, json};
use crate::{Bundle, PreState, Witness};
use alloy_consensus::Header;
use alloy_genesis::ChainConfig;
use alloy_primitives::Bytes;
use alloy_rlp::Decodable;
use braid_runtime::Block;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockWithWitness {
    block: Bytes,
    witness: JsonWitness,
    chain_config: Option<ChainConfig>,
}

#[derive(Deserialize)]
struct JsonWitness {
    state: Vec<Bytes>,
    #[serde(default)]
    codes: Vec<Bytes>,
    #[serde(default)]
    keys: Vec<Bytes>,
    headers: Vec<Bytes>,
}

pub(super) fn decode(text: &[u8]) -> Result<Bundle, LayoutErrorKind> {
    let BlockWithWitness { block, witness, chain_config } = serde_json::from_slice(text)?;
    let block: Block = rlp("block", &block)?;
    let headers: Vec<Header> =
        witness.headers.iter().map(|header| rlp("witness header", header)).collect::<Result<_, _>>()?;
    let witness = with_parent(&block, witness.state, witness.codes, witness.keys, headers)?;
    let chain = json::chain_of(&block, chain_config)?;
    let senders = json::senders(&block, &chain, &[])?;
    let bundle = Bundle {
        chain,
        block,
        ommers_missing: false,
        senders: Some(senders),
        pre_state: PreState::Witness(witness),
        block_hashes: BTreeMap::new(),
        receipts: None,
        access_list: None,
    };
    bundle.check()?;
    Ok(bundle)
}

/// A witness that starts from the state root of the block's parent, whose header is among `headers`.
pub(super) fn with_parent(
    block: &Block,
    state: Vec<Bytes>,
    codes: Vec<Bytes>,
    keys: Vec<Bytes>,
    headers: Vec<Header>,
) -> Result<Witness, LayoutErrorKind> {
    let parent = headers.iter().max_by_key(|header| header.number).ok_or(LayoutErrorKind::NoParentHeader)?;
    if parent.hash_slow() != block.header.parent_hash {
        return Err(LayoutErrorKind::NoParentHeader);
    }
    Ok(Witness { state_root: parent.state_root, state, codes, keys, headers })
}

fn rlp<T: Decodable>(what: &'static str, bytes: &[u8]) -> Result<T, LayoutErrorKind> {
    alloy_rlp::decode_exact(bytes).map_err(|source| LayoutErrorKind::Rlp { what, source })
}
