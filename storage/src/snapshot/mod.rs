//! The state after one block, for many threads at once.
//!
//! A [`Snapshot`] reads through the layers of unfinished blocks down to the tables ([`layer`]), with a cache between
//! ([`cache`]); [`tries`] reads hashed state and trie nodes the same way; [`task`] computes a root beside the execution;
//! [`past`] reads the state at blocks below the head.
//!
//! **Why a snapshot needs no transaction of its own.** Let its block be N and let its layers begin above block B. Whatever
//! the blocks after B changed stands in the layers, which are read first; whatever they did not change is the same in the
//! tables at B, at N and at any block between. So every read may use the newest transaction as long as the tables stand at
//! one of the blocks from B to N of the same branch. This is checked with every read; when the tables move on to another
//! block the read fails with [`StorageError::SnapshotOutdated`].
//!
//! The lowest layer may lead back to an earlier block of the tables instead ([`Database::rewind`](crate::Database::rewind)), for
//! branches that leave the stored one. Then the tables must not move at all.

pub(crate) mod cache;
mod layer;
mod past;
mod task;
mod tries;

pub use layer::Layer;
pub use past::PastState;
pub use task::StateRootTask;

use crate::{
    AccountRecord, BlockChange, StorageError,
    block::Head,
    database::{
        read,
        shared::{Reader, Shared},
    },
    encoding::HashedAccount,
    state::{
        proof::{self, AccountProof, StateWitness},
        root,
        update::StateUpdate,
    },
};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use revm::{
    database_interface::DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The state after one block. Clones are cheap, and all methods can be called from any thread.
#[derive(Debug)]
pub struct Snapshot {
    shared: Arc<Shared>,
    /// The block on which the lowest layer stands.
    base: Head,
    /// Layers from the lowest to the highest.
    layers: Arc<[Arc<Layer>]>,
    /// The generation of the cache that was last found to be in range, plus one.
    validated: AtomicU64,
}

impl Clone for Snapshot {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            base: self.base,
            layers: Arc::clone(&self.layers),
            validated: AtomicU64::new(0),
        }
    }
}

impl Snapshot {
    pub(crate) fn new(shared: Arc<Shared>, layers: Vec<Arc<Layer>>) -> Result<Self, StorageError> {
        let head = shared.head()?;
        // Layers that were written meanwhile are below the tables now.
        let written = layers.iter().position(|layer| layer.block().hash == head.hash).map_or(0, |index| index + 1);
        let layers: Arc<[_]> = layers[written..].into();
        let mut below = head;
        for (index, layer) in layers.iter().enumerate() {
            let block = layer.block();
            if !layer.stands_on(below, index == 0) {
                return Err(StorageError::LayerGap { number: block.number, below: below.number });
            }
            below = block;
        }
        Ok(Self { shared, base: head, layers, validated: AtomicU64::new(0) })
    }

    /// The snapshot after one more block.
    pub fn with_layer(&self, layer: Arc<Layer>) -> Result<Self, StorageError> {
        let below = self.block();
        let block = layer.block();
        if !layer.stands_on(below, self.layers.is_empty()) {
            return Err(StorageError::LayerGap { number: block.number, below: below.number });
        }
        let layers = self.layers.iter().cloned().chain([layer]).collect();
        Ok(Self { shared: Arc::clone(&self.shared), base: self.base, layers, validated: AtomicU64::new(0) })
    }

    /// The block after which this is the state.
    pub fn block(&self) -> Head {
        self.layers.last().map_or(self.base, |layer| layer.block())
    }

    /// The account with an address.
    pub fn account(&self, address: Address) -> Result<Option<AccountRecord>, StorageError> {
        for layer in self.layers.iter().rev() {
            if let Some(account) = layer.accounts.get(&address) {
                return Ok(*account);
            }
        }
        if let Some(account) = self.shared.cache.account(&address) {
            self.check_cache()?;
            return Ok(account);
        }
        self.read(|reader| {
            let account = read::account(&*reader.transaction, address)?;
            self.shared.cache.insert_account(reader.generation, address, account);
            Ok(account)
        })
    }

    /// Value of a storage slot; zero if it was never written.
    pub fn slot(&self, address: Address, slot: U256) -> Result<U256, StorageError> {
        for layer in self.layers.iter().rev() {
            if let Some(value) = layer.slot(address, slot) {
                return Ok(value);
            }
        }
        if let Some(value) = self.shared.cache.slot(&(address, slot)) {
            self.check_cache()?;
            return Ok(value);
        }
        self.read(|reader| {
            let value = read::slot(&*reader.transaction, address, slot)?;
            self.shared.cache.insert_slot(reader.generation, (address, slot), value);
            Ok(value)
        })
    }

    /// Code by its hash, analysed and shared.
    pub fn code(&self, hash: B256) -> Result<Bytecode, StorageError> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        for layer in self.layers.iter().rev() {
            if let Some(code) = layer.codes.get(&hash) {
                return Ok(code.clone());
            }
        }
        if let Some(code) = self.shared.cache.code(&hash) {
            return Ok(code);
        }
        let raw = self.shared.read(|reader| read::code(&*reader.transaction, hash))?;
        let code = analysed(raw.ok_or(StorageError::MissingCode(hash))?);
        self.shared.cache.insert_code(hash, code.clone());
        Ok(code)
    }

    /// Hash of the block with a number, on the branch of this snapshot.
    pub fn block_hash(&self, number: u64) -> Result<B256, StorageError> {
        let block = self.block();
        if number > block.number {
            return Err(StorageError::BeyondHead { number, head: block.number });
        }
        // The blocks of the layers follow each other, also those above one that rewinds.
        if let Some(lowest) = self.layers.first().map(|layer| layer.block().number)
            && let Some(above) = number.checked_sub(lowest)
        {
            return Ok(self.layers[above as usize].block().hash);
        }
        self.read(|reader| {
            let missing = StorageError::MissingBlock { table: crate::store::Table::CanonicalHashes, number };
            read::block_hash(&*reader.transaction, number)?.ok_or(missing)
        })
    }

    /// Root of the storage trie of an account; `None` if there is no such account.
    pub fn storage_root(&self, address: Address) -> Result<Option<B256>, StorageError> {
        use crate::state::tries::StateTries;
        let account: Option<HashedAccount> = self.hashed_account(keccak256(address))?;
        Ok(account.map(|account| account.storage_root))
    }

    /// The state after a change to this one: its root, and all that has to be written for it.
    pub fn state_after(&self, change: &BlockChange) -> Result<StateUpdate, StorageError> {
        root::state_after(self, change)
    }

    /// Begins to compute the state after a change of which not everything is known yet.
    pub fn state_root_task(&self) -> StateRootTask {
        StateRootTask::new(self.clone())
    }

    /// Proof of an account and of some of its slots, for `eth_getProof`.
    pub fn proof(&self, address: Address, slots: &[U256]) -> Result<AccountProof, StorageError> {
        proof::prove(self, address, slots)
    }

    /// The trie nodes that are needed to read these accounts and slots and to compute the root after the change.
    pub fn witness(&self, read: &[(Address, Vec<U256>)], change: &BlockChange) -> Result<StateWitness, StorageError> {
        proof::witness(self, read, change)
    }

    /// Reads from the tables, if they stand where they may.
    fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, StorageError>) -> Result<T, StorageError> {
        self.shared.read(|reader| {
            self.check(reader.head)?;
            read(reader)
        })
    }

    /// Whether the tables stand where this snapshot can be read. Others may move them at any time, so reads say it again.
    pub fn is_current(&self) -> bool {
        self.check_cache().is_ok()
    }

    /// After something was taken from the cache: whether the tables stood where they may.
    fn check_cache(&self) -> Result<(), StorageError> {
        let generation = self.shared.cache.generation();
        let mark = generation.mark();
        if self.validated.load(Ordering::Relaxed) == mark {
            return Ok(());
        }
        self.check(self.shared.head()?)?;
        // If a commit ended between the two looks, the older generation is marked, which never comes again.
        self.validated.store(mark, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn check(&self, head: Head) -> Result<(), StorageError> {
        let expected = match head.number.checked_sub(self.base.number) {
            Some(0) => Some(self.base.hash),
            Some(above) => {
                self.layers.get(above as usize - 1).filter(|layer| !layer.rewinds()).map(|layer| layer.block().hash)
            }
            None => None,
        };
        if expected == Some(head.hash) {
            return Ok(());
        }
        let block = self.block();
        Err(StorageError::SnapshotOutdated { number: block.number, hash: block.hash, head: head.number })
    }
}

/// Code as it is run. Bytes that only look like a delegation (EIP-7702) are code that stops at its first byte.
pub(crate) fn analysed(raw: Bytes) -> Bytecode {
    Bytecode::new_raw_checked(raw.clone()).unwrap_or_else(|_| Bytecode::new_legacy(raw))
}

impl DatabaseRef for Snapshot {
    type Error = StorageError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StorageError> {
        Ok(self.account(address)?.map(account_info))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, StorageError> {
        self.code(code_hash)
    }

    fn storage_ref(&self, address: Address, index: U256) -> Result<U256, StorageError> {
        self.slot(address, index)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StorageError> {
        self.block_hash(number)
    }
}

fn account_info(record: AccountRecord) -> AccountInfo {
    AccountInfo {
        balance: record.balance,
        nonce: record.nonce,
        code_hash: record.code_hash,
        code: None,
        ..Default::default()
    }
}
