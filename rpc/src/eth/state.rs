//! Accounts and their storage, at any block.

use super::json::Quantity;
use crate::{Backend, MethodSet, RpcError};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, hex};
use braid_chain::StateView;
use braid_storage::StorageError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most slots that one `eth_getStorageValues` or `eth_getProof` may ask for (geth's limit).
const MAX_SLOTS: usize = 1024;

pub(super) fn register(methods: &mut MethodSet) {
    methods.reading(
        "eth_getBalance(address: Address, block?: BlockId) -> Quantity",
        "Balance of an account, in wei.",
        |(_, block): &AtBlock| *block,
        balance,
    );
    methods.reading(
        "eth_getCode(address: Address, block?: BlockId) -> Bytes",
        "Code of an account.",
        |(_, block): &AtBlock| *block,
        code,
    );
    methods.quick(
        "eth_getTransactionCount(address: Address, block?: BlockId) -> Quantity",
        "Nonce of an account; with `pending`, the next one that is free in the pool.",
        transaction_count,
    );
    methods.reading(
        "eth_getStorageAt(address: Address, slot: Quantity, block?: BlockId) -> Hash",
        "Value of a storage slot.",
        |(_, _, block): &(Address, SlotKey, Option<BlockId>)| *block,
        storage_at,
    );
    methods.reading(
        "eth_getStorageValues(slots: SlotsByAddress, block?: BlockId) -> ValuesByAddress",
        "Values of storage slots of several accounts.",
        |(_, block): &(BTreeMap<Address, Vec<SlotKey>>, Option<BlockId>)| *block,
        storage_values,
    );
    methods.slow(
        "eth_getAccount(address: Address, block?: BlockId) -> Account?",
        "Nonce, balance, code hash and storage root of an account.",
        account,
    );
    methods.reading(
        "eth_getAccountInfo(address: Address, block?: BlockId) -> AccountInfo",
        "Balance, nonce and code of an account.",
        |(_, block): &AtBlock| *block,
        account_info,
    );
    methods.slow(
        "eth_getProof(address: Address, slots: Quantity[], block?: BlockId) -> AccountProof",
        "An account and some of its slots with Merkle proofs (EIP-1186).",
        proof,
    );
}

type AtBlock = (Address, Option<BlockId>);

impl Backend {
    /// Reads from the state after a block. A state may be overtaken by what is written meanwhile: then it is taken again.
    pub(crate) fn read_state<T>(
        &self,
        block: Option<BlockId>,
        read: impl Fn(&StateView) -> Result<T, StorageError>,
    ) -> Result<T, RpcError> {
        match read(&self.state(block)?) {
            Err(StorageError::SnapshotOutdated { .. }) => Ok(read(&self.state(block)?)?),
            result => Ok(result?),
        }
    }
}

fn balance(backend: &Backend, (address, block): AtBlock) -> Result<U256, RpcError> {
    let account = backend.read_state(block, |state| state.account(address))?;
    Ok(account.map_or(U256::ZERO, |account| account.balance))
}

fn code(backend: &Backend, (address, block): AtBlock) -> Result<Bytes, RpcError> {
    backend.read_state(block, |state| match state.account(address)? {
        Some(account) if account.code_hash != KECCAK256_EMPTY => Ok(state.code(account.code_hash)?.original_bytes()),
        _ => Ok(Bytes::new()),
    })
}

fn transaction_count(backend: &Backend, (address, block): AtBlock) -> Result<Quantity, RpcError> {
    if block.is_some_and(|id| id.is_pending()) {
        return backend.next_nonce(address).map(Quantity::from);
    }
    let account = backend.read_state(block, |state| state.account(address))?;
    Ok(account.map_or(0, |account| account.nonce).into())
}

/// A number of a slot as clients write it: hexadecimal with or without `0x`, of any length up to 32 bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum SlotKey {
    Number(u64),
    Text(String),
}

impl SlotKey {
    fn parse(&self) -> Result<U256, RpcError> {
        let text = match self {
            Self::Number(number) => return Ok(U256::from(*number)),
            Self::Text(text) => text,
        };
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        if digits.len() > 64 {
            let message = format!("storage key too long (want at most 32 bytes): {text:?}");
            return Err(RpcError::invalid_params(message));
        }
        let mut bytes = [0; 32];
        let padded = format!("{digits:0>64}");
        hex::decode_to_slice(&padded, &mut bytes)
            .map_err(|_| RpcError::invalid_params(format!("invalid hex in storage key: {text:?}")))?;
        Ok(U256::from_be_bytes(bytes))
    }

    /// As `eth_getProof` gives it back: 32 bytes as they came, anything shorter as a number.
    fn echoed(&self, slot: U256) -> String {
        match self {
            Self::Text(text) if text.trim_start_matches("0x").len() == 64 => B256::from(slot).to_string(),
            _ => format!("{slot:#x}"),
        }
    }
}

fn storage_at(backend: &Backend, (address, key, block): (Address, SlotKey, Option<BlockId>)) -> Result<B256, RpcError> {
    let slot = key.parse()?;
    Ok(backend.read_state(block, |state| state.slot(address, slot))?.into())
}

fn storage_values(
    backend: &Backend,
    (slots, block): (BTreeMap<Address, Vec<SlotKey>>, Option<BlockId>),
) -> Result<BTreeMap<Address, Vec<B256>>, RpcError> {
    let count: usize = slots.values().map(Vec::len).sum();
    if count == 0 {
        return Err(RpcError::invalid_params("empty request"));
    }
    check_slot_count(count)?;
    let parsed = slots.into_iter().map(|(address, keys)| {
        let keys = keys.iter().map(SlotKey::parse).collect::<Result<Vec<_>, _>>()?;
        Ok((address, keys))
    });
    let parsed: Vec<(Address, Vec<U256>)> = parsed.collect::<Result<_, RpcError>>()?;
    backend.read_state(block, |state| {
        let values = |address, keys: &[U256]| {
            keys.iter()
                .map(|slot| Ok(B256::from(state.slot(address, *slot)?)))
                .collect::<Result<Vec<_>, StorageError>>()
        };
        parsed.iter().map(|(address, keys)| Ok((*address, values(*address, keys)?))).collect()
    })
}

fn check_slot_count(count: usize) -> Result<(), RpcError> {
    if count > MAX_SLOTS {
        return Err(RpcError::invalid_params(format!("too many slots (max {MAX_SLOTS})")));
    }
    Ok(())
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountJson {
    code_hash: B256,
    storage_root: B256,
    balance: U256,
    nonce: Quantity,
}

fn account(backend: &Backend, (address, block): AtBlock) -> Result<Option<AccountJson>, RpcError> {
    let proof = backend.read_state(block, |state| state.proof(address, &[]))?;
    Ok(proof.account.map(|account| AccountJson {
        code_hash: account.code_hash,
        storage_root: proof.storage_root,
        balance: account.balance,
        nonce: account.nonce.into(),
    }))
}

#[derive(Debug, Serialize)]
struct AccountInfoJson {
    balance: U256,
    nonce: Quantity,
    code: Bytes,
}

fn account_info(backend: &Backend, (address, block): AtBlock) -> Result<AccountInfoJson, RpcError> {
    backend.read_state(block, |state| {
        let Some(account) = state.account(address)? else {
            return Ok(AccountInfoJson { balance: U256::ZERO, nonce: Quantity(0), code: Bytes::new() });
        };
        let has_code = account.code_hash != KECCAK256_EMPTY;
        let code = if has_code { state.code(account.code_hash)?.original_bytes() } else { Bytes::new() };
        Ok(AccountInfoJson { balance: account.balance, nonce: account.nonce.into(), code })
    })
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProofJson {
    address: Address,
    account_proof: Vec<Bytes>,
    balance: U256,
    code_hash: B256,
    nonce: Quantity,
    storage_hash: B256,
    storage_proof: Vec<SlotProofJson>,
}

#[derive(Debug, Serialize)]
struct SlotProofJson {
    key: String,
    value: U256,
    proof: Vec<Bytes>,
}

fn proof(
    backend: &Backend,
    (address, keys, block): (Address, Option<Vec<SlotKey>>, Option<BlockId>),
) -> Result<ProofJson, RpcError> {
    let keys = keys.unwrap_or_default();
    check_slot_count(keys.len())?;
    let slots = keys.iter().map(SlotKey::parse).collect::<Result<Vec<_>, _>>()?;
    let proof = backend.read_state(block, |state| state.proof(address, &slots))?;
    let account = proof.account;
    let storage_proof = keys.iter().zip(proof.slots).map(|(key, proved)| SlotProofJson {
        key: key.echoed(proved.slot),
        value: proved.value,
        proof: proved.nodes,
    });
    Ok(ProofJson {
        address,
        account_proof: proof.nodes,
        balance: account.map_or(U256::ZERO, |account| account.balance),
        code_hash: account.map_or(KECCAK256_EMPTY, |account| account.code_hash),
        nonce: account.map_or(0, |account| account.nonce).into(),
        storage_hash: proof.storage_root,
        storage_proof: storage_proof.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<U256, RpcError> {
        SlotKey::Text(text.to_owned()).parse()
    }

    #[test]
    fn slots_are_read_in_every_spelling() {
        let full = format!("0x{:0>64}", "10");
        for text in ["0x10", "10", "0X10", "0x0010", full.as_str()] {
            assert_eq!(parse(text).unwrap(), U256::from(16), "{text}");
        }
        assert_eq!(parse("0x").unwrap(), U256::ZERO);
        assert_eq!(parse("0x1").unwrap(), U256::from(1), "an odd number of digits");
        for (text, message) in [("0xasdf", "invalid hex in"), (&format!("{full}0"), "storage key too long")] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code, -32602);
            assert!(error.message.starts_with(message) || error.message.contains(message), "{error}");
        }
    }

    #[test]
    fn a_key_comes_back_as_it_was_meant() {
        let full = format!("0x{:0>64}", "a");
        assert_eq!(SlotKey::Text(full.clone()).echoed(U256::from(10)), full);
        assert_eq!(SlotKey::Text("0x0a".to_owned()).echoed(U256::from(10)), "0xa");
    }
}
