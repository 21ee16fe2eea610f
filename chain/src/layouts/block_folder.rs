//! A folder per block, and code and block hashes for all of them above.
//!
//! ```text
//! blocks/N/block.json      the block as RPC gives it
//! blocks/N/pre_state.json  {address: {balance, nonce, code_hash?, storage: {slot: value}}}
//! codes.json               {code hash: code}
//! block_hashes.json        {number: hash}
//! ```
//!
//! The pre-state has what the transactions touch; what else the block touches counts as empty.

use super::{LayoutErrorKind, rpc_block};
use crate::{Bundle, PlainAccount, PlainState, PreState};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::B256Map};
use revm::primitives::KECCAK_EMPTY;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const BLOCK: &str = "block.json";
pub(super) const PRE_STATE: &str = "pre_state.json";
pub(super) const CODES: &str = "codes.json";
pub(super) const BLOCK_HASHES: &str = "block_hashes.json";

#[derive(Deserialize)]
struct JsonAccount {
    balance: U256,
    nonce: u64,
    code_hash: Option<B256>,
    #[serde(default)]
    storage: BTreeMap<U256, U256>,
}

/// What the blocks of one folder share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    codes: B256Map<Bytes>,
    block_hashes: BTreeMap<u64, B256>,
}

impl Shared {
    /// Takes the content of `codes.json` and of `block_hashes.json`; a missing file lists nothing.
    pub(super) fn decode(codes: Option<&[u8]>, block_hashes: Option<&[u8]>) -> Result<Self, LayoutErrorKind> {
        let parse_error =
            |file| move |error: serde_json::Error| LayoutErrorKind::CompanionFile { file, reason: error.to_string() };
        Ok(Self {
            codes: codes.map(serde_json::from_slice).transpose().map_err(parse_error(CODES))?.unwrap_or_default(),
            block_hashes: block_hashes
                .map(serde_json::from_slice)
                .transpose()
                .map_err(parse_error(BLOCK_HASHES))?
                .unwrap_or_default(),
        })
    }

    fn code(&self, address: Address, code_hash: B256) -> Result<Bytes, LayoutErrorKind> {
        let code = self.codes.get(&code_hash).ok_or(LayoutErrorKind::MissingCode { address, code_hash })?;
        let computed = keccak256(code);
        if computed == code_hash {
            Ok(code.clone())
        } else {
            Err(LayoutErrorKind::CodeHash { stated: code_hash, computed })
        }
    }
}

/// Puts a bundle together from the content of a block's two files.
pub(super) fn decode(block: &[u8], pre_state: &[u8], shared: &Shared) -> Result<Bundle, LayoutErrorKind> {
    let fetched = rpc_block::decode(block)?;
    let listed: BTreeMap<Address, JsonAccount> = serde_json::from_slice(pre_state)
        .map_err(|error| LayoutErrorKind::CompanionFile { file: PRE_STATE, reason: error.to_string() })?;

    let mut state = PlainState::default();
    let mut hashes = BTreeSet::new();
    for (address, account) in listed {
        let code_hash = account.code_hash.unwrap_or(KECCAK_EMPTY);
        if code_hash != KECCAK_EMPTY && hashes.insert(code_hash) {
            state.codes.push(shared.code(address, code_hash)?);
        }
        let JsonAccount { balance, nonce, storage, .. } = account;
        state.accounts.insert(address, PlainAccount { balance, nonce, code_hash, storage });
    }

    // BLOCKHASH reaches back 256 blocks.
    let number = fetched.block.header.number;
    let block_hashes = shared.block_hashes.range(number.saturating_sub(256)..number);
    let bundle = Bundle {
        chain: fetched.chain,
        block: fetched.block,
        ommers_missing: fetched.ommers_missing,
        senders: Some(fetched.senders),
        pre_state: PreState::Plain(state),
        block_hashes: block_hashes.map(|(number, hash)| (*number, *hash)).collect(),
        receipts: None,
        access_list: None,
    };
    bundle.check()?;
    Ok(bundle)
}
