//! The input of a zero-knowledge prover (`*.zkpi.json`).
//!
//! ```text
//! {"blocks": [{"header": {…}, "transaction": [{…}…], "uncles": [{…}…], "withdrawals": [{…}…]}],
//!  "witness": {"state": [node…], "codes": [code…], "ancestors": [header…]},
//!  "chainConfig": {geth's},
//!  "extra": {"preState": {address: {"storage": {slot: value}…}…}…}?}
//! ```
//!
//! Of `extra` only the names are used, so that reading is quicker; the values come from the trie.

use super::{
    LayoutErrorKind, execution_witness,
    json::{self, JsonHeader},
};
use crate::{Bundle, PreState};
use alloy_consensus::{BlockBody, Header};
use alloy_eips::eip4895::Withdrawals;
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, B256, Bytes};
use braid_runtime::Block;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProverInput {
    blocks: Vec<JsonBlock>,
    witness: JsonWitness,
    chain_config: Option<ChainConfig>,
    #[serde(default)]
    extra: Extra,
}

#[derive(Deserialize)]
struct JsonBlock {
    header: JsonHeader,
    #[serde(alias = "transactions")]
    transaction: Vec<Box<RawValue>>,
    #[serde(default)]
    uncles: Vec<JsonHeader>,
    withdrawals: Option<Withdrawals>,
}

#[derive(Deserialize)]
struct JsonWitness {
    state: Vec<Bytes>,
    #[serde(default)]
    codes: Vec<Bytes>,
    ancestors: Vec<JsonHeader>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Extra {
    /// `null` for an account that does not exist.
    pre_state: BTreeMap<Address, Option<Named>>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    storage: BTreeMap<B256, IgnoredAny>,
}

pub(super) fn decode(text: &[u8]) -> Result<Bundle, LayoutErrorKind> {
    let ProverInput { blocks, witness, chain_config, extra } = serde_json::from_slice(text)?;
    let [block] = <[JsonBlock; 1]>::try_from(blocks).map_err(|blocks| LayoutErrorKind::BlockCount(blocks.len()))?;

    let header = block.header.proved()?;
    let transactions = json::transactions(&block.transaction)?;
    let ommers = block.uncles.into_iter().map(JsonHeader::proved).collect::<Result<_, _>>()?;
    let withdrawals = json::withdrawals(&header, block.withdrawals);
    let body = BlockBody { transactions: transactions.transactions, ommers, withdrawals };
    let block = Block { header, body };

    let headers: Vec<Header> = witness.ancestors.into_iter().map(JsonHeader::proved).collect::<Result<_, _>>()?;
    let mut keys = Vec::new();
    for (address, named) in extra.pre_state {
        keys.push(Bytes::copy_from_slice(address.as_slice()));
        let slots = named.into_iter().flat_map(|named| named.storage.into_keys());
        keys.extend(slots.map(|slot| Bytes::copy_from_slice(slot.as_slice())));
    }
    let witness = execution_witness::with_parent(&block, witness.state, witness.codes, keys, headers)?;

    let chain = json::chain_of(&block, chain_config)?;
    let senders = json::senders(&block, &chain, &transactions.stated_senders)?;
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
