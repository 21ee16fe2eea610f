//! The state before a block while the block is executed for the first time: what the node's answer left out is asked for, and everything that is used is noted.
//!
//! Tracers see transactions only. What system calls, withdrawals and rewards touch, and the hashes that BLOCKHASH asks for, show when the block runs.

use super::{
    block::{self, quantity},
    client::Client,
    error::CaptureError,
    source::TracedAccount,
};
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256, map::AddressMap};
use braid_chain::{PlainAccount, PlainState, Snapshot, SnapshotError};
use revm::{
    DatabaseRef,
    context_interface::DBErrorMarker,
    primitives::KECCAK_EMPTY,
    state::{AccountInfo, Bytecode},
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::runtime::Handle;

/// A state that can ask the node. Reads block: it belongs on a thread of its own.
#[derive(Debug)]
pub(super) struct CaptureState {
    client: Client,
    handle: Handle,
    /// Number of the parent block.
    parent: u64,
    base: Base,
    notes: Mutex<Notes>,
}

#[derive(Debug)]
pub(super) enum Base {
    /// Everything but block hashes is there.
    Witness(Box<Snapshot>),
    /// What transactions touched is in the notes, the rest the node knows.
    Trace,
}

#[derive(Debug, Default)]
struct Notes {
    accounts: AddressMap<TracedAccount>,
    hashes: BTreeMap<u64, B256>,
    /// Addresses and slots that were read.
    names: BTreeMap<Address, BTreeSet<U256>>,
}

/// A read that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("{0}")]
    Remote(Box<CaptureError>),
    #[error("code {0} was asked for before its account")]
    Code(B256),
}

impl DBErrorMarker for ReadError {}

impl CaptureState {
    pub(super) fn new(
        client: Client,
        handle: Handle,
        parent: u64,
        base: Base,
        accounts: AddressMap<TracedAccount>,
    ) -> Self {
        Self { client, handle, parent, base, notes: Mutex::new(Notes { accounts, ..Notes::default() }) }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&self, call: impl Future<Output = Result<T, CaptureError>>) -> Result<T, ReadError> {
        self.handle.block_on(call).map_err(|error| ReadError::Remote(Box::new(error)))
    }

    fn account(&self, address: Address) -> Result<TracedAccount, ReadError> {
        if let Some(account) = self.notes().accounts.get(&address) {
            return Ok(account.clone());
        }
        let params = json!([address, quantity(self.parent)]);
        let account = self.wait(async {
            let balance: U256 = self.client.call("eth_getBalance", params.clone()).await?;
            let nonce: U64 = self.client.call("eth_getTransactionCount", params.clone()).await?;
            let code: Bytes = self.client.call("eth_getCode", params).await?;
            Ok(TracedAccount { balance, nonce: nonce.to(), code, storage: BTreeMap::new() })
        })?;
        self.notes().accounts.insert(address, account.clone());
        Ok(account)
    }

    fn slot(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        if let Some(value) = self.notes().accounts.get(&address).and_then(|account| account.storage.get(&slot)) {
            return Ok(*value);
        }
        let params = json!([address, B256::from(slot), quantity(self.parent)]);
        let value = self.wait(async {
            let word: Bytes = self.client.call("eth_getStorageAt", params).await?;
            match word.len() {
                0..=32 => Ok(U256::from_be_slice(&word)),
                length => Err(CaptureError::answer("eth_getStorageAt", format!("{length} bytes"))),
            }
        })?;
        self.notes().accounts.entry(address).or_default().storage.insert(slot, value);
        Ok(value)
    }

    /// The block hashes that were asked for and that the base did not have.
    pub(super) fn block_hashes(&self) -> BTreeMap<u64, B256> {
        self.notes().hashes.clone()
    }

    /// The addresses and slots that were read, each address before its slots.
    pub(super) fn names(&self) -> Vec<Bytes> {
        let mut keys = Vec::new();
        for (address, slots) in &self.notes().names {
            keys.push(Bytes::copy_from_slice(address.as_slice()));
            keys.extend(slots.iter().map(|slot| Bytes::from(slot.to_be_bytes::<32>())));
        }
        keys
    }

    /// All accounts that are known, but for those that do not exist.
    pub(super) fn plain_state(&self) -> PlainState {
        let mut codes = BTreeMap::new();
        let mut accounts = BTreeMap::new();
        for (address, account) in &self.notes().accounts {
            let TracedAccount { balance, nonce, code, storage } = account.clone();
            let storage: BTreeMap<_, _> = storage.into_iter().filter(|(_, value)| !value.is_zero()).collect();
            if balance.is_zero() && nonce == 0 && code.is_empty() && storage.is_empty() {
                continue;
            }
            let code_hash = if code.is_empty() { KECCAK_EMPTY } else { keccak256(&code) };
            if code_hash != KECCAK_EMPTY {
                codes.insert(code_hash, code);
            }
            accounts.insert(*address, PlainAccount { balance, nonce, code_hash, storage });
        }
        PlainState { accounts, codes: codes.into_values().collect(), complete: false }
    }
}

impl DatabaseRef for CaptureState {
    type Error = ReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        self.notes().names.entry(address).or_default();
        if let Base::Witness(snapshot) = &self.base {
            return Ok(snapshot.basic_ref(address)?);
        }
        let TracedAccount { balance, nonce, code, .. } = self.account(address)?;
        if balance.is_zero() && nonce == 0 && code.is_empty() {
            return Ok(None);
        }
        let code = Bytecode::new_raw_checked(code.clone()).unwrap_or_else(|_| Bytecode::new_legacy(code));
        let code_hash = if code.is_empty() { KECCAK_EMPTY } else { code.hash_slow() };
        Ok(Some(AccountInfo { balance, nonce, code_hash, code: Some(code), account_id: None }))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, ReadError> {
        match &self.base {
            Base::Witness(snapshot) => Ok(snapshot.code_by_hash_ref(code_hash)?),
            Base::Trace => Err(ReadError::Code(code_hash)),
        }
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        self.notes().names.entry(address).or_default().insert(slot);
        match &self.base {
            Base::Witness(snapshot) => Ok(snapshot.storage_ref(address, slot)?),
            Base::Trace => self.slot(address, slot),
        }
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadError> {
        if let Base::Witness(snapshot) = &self.base
            && let Ok(hash) = snapshot.block_hash_ref(number)
        {
            return Ok(hash);
        }
        if let Some(hash) = self.notes().hashes.get(&number) {
            return Ok(*hash);
        }
        let header = self.wait(block::header(&self.client, number))?;
        let hash = header.hash_slow();
        self.notes().hashes.insert(number, hash);
        Ok(hash)
    }
}
