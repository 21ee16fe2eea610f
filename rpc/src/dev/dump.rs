//! The whole state, out and in: a hex string of gzipped JSON, in the layout that anvil has.

use crate::{Backend, MethodSet, RpcError};
use alloy_primitives::{Address, Bytes, U256, map::HashMap};
use braid_chain::StateEdit;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
};

/// Largest state that is taken in, unpacked, in bytes: a bomb of zeros must not fill the memory.
const MOST_BYTES: u64 = 1 << 30;

#[derive(Debug, Serialize, Deserialize)]
struct DumpedState {
    /// Number, timestamp, … of the last block; only told.
    #[serde(default)]
    block: Value,
    accounts: BTreeMap<Address, DumpedAccount>,
    #[serde(default)]
    best_block_number: Value,
}

#[derive(Debug, Serialize, Deserialize)]
struct DumpedAccount {
    #[serde(default, deserialize_with = "number")]
    nonce: u64,
    balance: U256,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: HashMap<U256, U256>,
}

fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(crate::methods::Number::deserialize(deserializer)?.saturating_u64())
}

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "anvil_dumpState() -> Data",
        "The state after the last block, for anvil_loadState.",
        |backend, (): ()| dump(backend),
    );
    methods.alias("hardhat_dumpState", "anvil_dumpState");
    methods.slow(
        "anvil_loadState(state: Data) -> Bool",
        "Puts the accounts of a dumped state into this one.",
        |backend, (state,): (Bytes,)| load(backend, &state),
    );
    methods.alias("hardhat_loadState", "anvil_loadState");
}

fn dump(backend: &Backend) -> Result<Bytes, RpcError> {
    let chain = backend.chain();
    chain.flush()?;
    let head = chain.head_block()?;
    let mut accounts = BTreeMap::new();
    chain.database().for_each_account(|account| {
        let dumped = DumpedAccount {
            nonce: account.record.nonce,
            balance: account.record.balance,
            code: account.code,
            storage: account.slots.into_iter().collect(),
        };
        accounts.insert(account.address, dumped);
        true
    })?;
    let header = head.header();
    let block = json!({
        "number": header.number,
        "beneficiary": header.beneficiary,
        "timestamp": header.timestamp,
        "gas_limit": header.gas_limit,
        "basefee": header.base_fee_per_gas.unwrap_or_default(),
        "difficulty": header.difficulty,
        "prevrandao": header.mix_hash,
    });
    let state = DumpedState { block, accounts, best_block_number: json!(header.number) };
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&serde_json::to_vec(&state).map_err(RpcError::internal)?).map_err(RpcError::internal)?;
    Ok(packed.finish().map_err(RpcError::internal)?.into())
}

fn load(backend: &Backend, state: &[u8]) -> Result<bool, RpcError> {
    let bad = |error: &dyn std::fmt::Display| {
        RpcError::invalid_params(format!("invalid argument 0: not a dumped state: {error}"))
    };
    let mut json = Vec::new();
    if state.starts_with(b"{") {
        json.extend_from_slice(state);
    } else {
        GzDecoder::new(state).take(MOST_BYTES).read_to_end(&mut json).map_err(|error| bad(&error))?;
    }
    let state: DumpedState = serde_json::from_slice(&json).map_err(|error| bad(&error))?;
    let mut edits = Vec::new();
    for (address, account) in state.accounts {
        edits.push(StateEdit::Balance(address, account.balance));
        edits.push(StateEdit::Nonce(address, account.nonce));
        if !account.code.is_empty() {
            edits.push(StateEdit::Code(address, account.code));
        }
        edits.extend(account.storage.into_iter().map(|(slot, value)| StateEdit::Slot(address, slot, value)));
    }
    backend.required_producer()?.edit(&edits)?;
    Ok(true)
}
