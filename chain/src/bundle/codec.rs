//! The payload of a bundle file: one RLP list.
//!
//! ```text
//! [chain, block, ommers_missing, [senders]?, pre_state, [[number, hash]…], [receipts]?, [access list]?]
//! chain      = [0, chain id] | [1, JSON of the geth configuration]
//! pre_state  = [0, complete, [code…], [[address, balance, nonce, code hash, [[slot, value]…]]…]]
//!            | [1, state root, [node…], [code…], [key…], [header…]]
//! x?         = [] | [x]
//! ```
//!
//! The block stands in it as every client encodes it, so a tool in another language can cut it out.

use super::{Bundle, BundleError, ChainReference, PlainAccount, PlainState, PreState, Witness};
use alloy_consensus::{Header, ReceiptWithBloom};
use alloy_eip7928::BlockAccessList;
use alloy_genesis::ChainConfig;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{BufMut, Decodable, Encodable, RlpDecodable, RlpEncodable};
use braid_runtime::{Block, Receipt};

pub(super) fn encode(bundle: &Bundle) -> Result<Vec<u8>, BundleError> {
    let chain = match &bundle.chain {
        ChainReference::Known(id) => Tagged::new(KNOWN, &Chain { id: *id }),
        ChainReference::Config(config) => {
            let json = config_json(config).map_err(BundleError::ChainConfig)?;
            Tagged::new(CONFIG, &Config { json: json.into() })
        }
    };
    let pre_state = match &bundle.pre_state {
        PreState::Plain(state) => Tagged::new(PLAIN, &Plain::from(state)),
        PreState::Witness(witness) => Tagged::new(WITNESS, &Trie::from(witness)),
    };
    let receipts = bundle.receipts.as_ref().map(|receipts| {
        let with_bloom = |receipt: &Receipt| ReceiptWithBloom::from(receipt.clone());
        receipts.iter().map(with_bloom).collect()
    });
    Ok(alloy_rlp::encode(Payload {
        chain,
        block: bundle.block.clone(),
        ommers_missing: bundle.ommers_missing,
        senders: Maybe(bundle.senders.clone()),
        pre_state,
        block_hashes: bundle.block_hashes.iter().map(|(number, hash)| Hash { number: *number, hash: *hash }).collect(),
        receipts: Maybe(receipts),
        access_list: Maybe(bundle.access_list.clone()),
    }))
}

pub(super) fn decode(payload: &[u8]) -> Result<Bundle, BundleError> {
    let payload: Payload = alloy_rlp::decode_exact(payload)?;
    let chain = match payload.chain.tag {
        KNOWN => ChainReference::Known(payload.chain.open::<Chain>()?.id),
        CONFIG => {
            let json = payload.chain.open::<Config>()?.json;
            ChainReference::Config(serde_json::from_slice(&json).map_err(BundleError::ChainConfig)?)
        }
        _ => return Err(alloy_rlp::Error::Custom("unknown kind of chain reference").into()),
    };
    let pre_state = match payload.pre_state.tag {
        PLAIN => PreState::Plain(payload.pre_state.open::<Plain>()?.into()),
        WITNESS => PreState::Witness(payload.pre_state.open::<Trie>()?.into()),
        _ => return Err(alloy_rlp::Error::Custom("unknown kind of pre-state").into()),
    };
    let receipts = payload.receipts.0;
    Ok(Bundle {
        chain,
        block: payload.block,
        ommers_missing: payload.ommers_missing,
        senders: payload.senders.0,
        pre_state,
        block_hashes: payload.block_hashes.into_iter().map(|entry| (entry.number, entry.hash)).collect(),
        receipts: receipts.map(|receipts| receipts.into_iter().map(|receipt| receipt.receipt).collect()),
        access_list: payload.access_list.0,
    })
}

/// A number beyond 64 bits does not survive JSON as a number; as a string it does.
fn config_json(config: &ChainConfig) -> serde_json::Result<Vec<u8>> {
    let mut json = serde_json::to_value(ChainConfig { terminal_total_difficulty: None, ..config.clone() })?;
    if let Some(difficulty) = config.terminal_total_difficulty {
        json["terminalTotalDifficulty"] = difficulty.to_string().into();
    }
    serde_json::to_vec(&json)
}

const KNOWN: u8 = 0;
const CONFIG: u8 = 1;
const PLAIN: u8 = 0;
const WITNESS: u8 = 1;

#[derive(RlpEncodable, RlpDecodable)]
struct Payload {
    chain: Tagged,
    block: Block,
    ommers_missing: bool,
    senders: Maybe<Vec<Address>>,
    pre_state: Tagged,
    block_hashes: Vec<Hash>,
    receipts: Maybe<Vec<ReceiptWithBloom<Receipt>>>,
    access_list: Maybe<BlockAccessList>,
}

/// One of several structures, with the number that tells which.
#[derive(RlpEncodable, RlpDecodable)]
struct Tagged {
    tag: u8,
    content: Bytes,
}

impl Tagged {
    fn new(tag: u8, content: &impl Encodable) -> Self {
        Self { tag, content: alloy_rlp::encode(content).into() }
    }

    fn open<T: Decodable>(&self) -> alloy_rlp::Result<T> {
        alloy_rlp::decode_exact(&self.content)
    }
}

#[derive(RlpEncodable, RlpDecodable)]
struct Chain {
    id: u64,
}

#[derive(RlpEncodable, RlpDecodable)]
struct Config {
    json: Bytes,
}

#[derive(RlpEncodable, RlpDecodable)]
struct Hash {
    number: u64,
    hash: B256,
}

#[derive(RlpEncodable, RlpDecodable)]
struct Plain {
    complete: bool,
    codes: Vec<Bytes>,
    accounts: Vec<Account>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct Account {
    address: Address,
    balance: U256,
    nonce: u64,
    code_hash: B256,
    storage: Vec<Slot>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct Slot {
    slot: U256,
    value: U256,
}

#[derive(RlpEncodable, RlpDecodable)]
struct Trie {
    state_root: B256,
    state: Vec<Bytes>,
    codes: Vec<Bytes>,
    keys: Vec<Bytes>,
    headers: Vec<Header>,
}

impl From<&PlainState> for Plain {
    fn from(state: &PlainState) -> Self {
        let slots = |account: &PlainAccount| {
            account.storage.iter().map(|(slot, value)| Slot { slot: *slot, value: *value }).collect()
        };
        let accounts = state.accounts.iter().map(|(address, account)| Account {
            address: *address,
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            storage: slots(account),
        });
        Self { complete: state.complete, codes: state.codes.clone(), accounts: accounts.collect() }
    }
}

impl From<Plain> for PlainState {
    fn from(plain: Plain) -> Self {
        let accounts = plain.accounts.into_iter().map(|account| {
            let storage = account.storage.into_iter().map(|slot| (slot.slot, slot.value)).collect();
            let Account { address, balance, nonce, code_hash, .. } = account;
            (address, PlainAccount { balance, nonce, code_hash, storage })
        });
        Self { complete: plain.complete, accounts: accounts.collect(), codes: plain.codes }
    }
}

impl From<&Witness> for Trie {
    fn from(witness: &Witness) -> Self {
        let Witness { state_root, state, codes, keys, headers } = witness.clone();
        Self { state_root, state, codes, keys, headers }
    }
}

impl From<Trie> for Witness {
    fn from(trie: Trie) -> Self {
        let Trie { state_root, state, codes, keys, headers } = trie;
        Self { state_root, state, codes, keys, headers }
    }
}

/// An optional part: a list of one or of none.
struct Maybe<T>(Option<T>);

impl<T: Encodable> Encodable for Maybe<T> {
    fn encode(&self, out: &mut dyn BufMut) {
        let payload_length = self.0.as_ref().map_or(0, Encodable::length);
        alloy_rlp::Header { list: true, payload_length }.encode(out);
        if let Some(part) = &self.0 {
            part.encode(out);
        }
    }

    fn length(&self) -> usize {
        let payload_length = self.0.as_ref().map_or(0, Encodable::length);
        alloy_rlp::Header { list: true, payload_length }.length_with_payload()
    }
}

impl<T: Decodable> Decodable for Maybe<T> {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let mut payload = alloy_rlp::Header::decode_bytes(buf, true)?;
        if payload.is_empty() {
            return Ok(Self(None));
        }
        let part = T::decode(&mut payload)?;
        if payload.is_empty() { Ok(Self(Some(part))) } else { Err(alloy_rlp::Error::UnexpectedLength) }
    }
}
