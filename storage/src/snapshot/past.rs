//! The state at a block below the head, from the history.

use super::{Layer, Snapshot, account_info, analysed};
use crate::{
    AccountRecord, StorageError,
    block::Head,
    database::{
        amend, history, read,
        shared::{Reader, Shared},
        unwind,
    },
    encoding::{self, key},
    error::at,
    state::proof::AccountProof,
    store::{ReadTransaction, Table},
};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::{
    database_interface::DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::sync::Arc;

/// The state after a stored block. It can be read as long as the block is canonical and its history is kept.
#[derive(Clone, Debug)]
pub struct PastState {
    shared: Arc<Shared>,
    block: Head,
}

impl PastState {
    pub(crate) fn new(shared: Arc<Shared>, number: u64) -> Result<Self, StorageError> {
        let block = shared.read(|reader| {
            if number > reader.head.number {
                return Err(StorageError::BeyondHead { number, head: reader.head.number });
            }
            let transaction = &*reader.transaction;
            let missing = |table| StorageError::MissingBlock { table, number };
            let hash = read::block_hash(transaction, number)?.ok_or_else(|| missing(Table::CanonicalHashes))?;
            let header = read::header(transaction, number)?.ok_or_else(|| missing(Table::Headers))?;
            let block = Head { number, hash, state_root: amend::state_root(transaction, &header)? };
            check(block, reader)?;
            Ok(block)
        })?;
        Ok(Self { shared, block })
    }

    /// The block after which this is the state.
    pub const fn block(&self) -> Head {
        self.block
    }

    /// The account with an address.
    pub fn account(&self, address: Address) -> Result<Option<AccountRecord>, StorageError> {
        self.read(|reader| {
            let transaction = &*reader.transaction;
            let number = self.block.number;
            match history::next_change(transaction, Table::AccountHistory, address.as_slice(), number)? {
                Some(changed) => account_before(transaction, changed, address),
                None => read::account(transaction, address),
            }
        })
    }

    /// Value of a storage slot; zero if it had none.
    pub fn slot(&self, address: Address, slot: U256) -> Result<U256, StorageError> {
        self.read(|reader| {
            let transaction = &*reader.transaction;
            let subject = key::slot(address, slot);
            match history::next_change(transaction, Table::StorageHistory, &subject, self.block.number)? {
                Some(changed) => slot_before(transaction, changed, address, slot),
                None => read::slot(transaction, address, slot),
            }
        })
    }

    /// Code by its hash.
    pub fn code(&self, hash: B256) -> Result<Bytecode, StorageError> {
        if hash == KECCAK256_EMPTY {
            return Ok(Bytecode::default());
        }
        if let Some(code) = self.shared.cache.code(&hash) {
            return Ok(code);
        }
        let raw = self.shared.read(|reader| read::code(&*reader.transaction, hash))?;
        let code = analysed(raw.ok_or(StorageError::MissingCode(hash))?);
        self.shared.cache.insert_code(hash, code.clone());
        Ok(code)
    }

    /// Proof of an account and of some of its slots. The tries of this block are made by taking back all that changed
    /// since, so this costs as much as computing the root of one block with all those changes.
    pub fn proof(&self, address: Address, slots: &[U256]) -> Result<AccountProof, StorageError> {
        self.rewound()?.proof(address, slots)
    }

    /// The same state as a snapshot, which has tries: a layer on the tables takes back all that changed since. That costs as much as the root
    /// of one block with all those changes. The snapshot says that its block is another one, and is outdated as soon as the tables move.
    pub fn rewound(&self) -> Result<Snapshot, StorageError> {
        let head = Snapshot::new(Arc::clone(&self.shared), Vec::new())?;
        let change = self.read(|reader| unwind::change_back_to(&*reader.transaction, self.block.number))?;
        let update = head.state_after(&change)?;
        if update.state_root() != self.block.state_root {
            return Err(StorageError::StateRoot {
                number: self.block.number,
                expected: self.block.state_root,
                actual: update.state_root(),
            });
        }
        let above = head.block();
        let layer = Layer::new(above.number + 1, B256::ZERO, above.hash, change, update);
        head.with_layer(Arc::new(layer))
    }

    fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, StorageError>) -> Result<T, StorageError> {
        self.shared.read(|reader| {
            check(self.block, reader)?;
            read(reader)
        })
    }
}

/// Whether the state after a block can be read in a transaction.
fn check(block: Head, reader: &Reader) -> Result<(), StorageError> {
    let transaction = &*reader.transaction;
    if read::block_hash(transaction, block.number)? != Some(block.hash) {
        return Err(StorageError::SnapshotOutdated {
            number: block.number,
            hash: block.hash,
            head: reader.head.number,
        });
    }
    let earliest = read::history_from(transaction)?;
    if block.number < earliest {
        return Err(StorageError::HistoryPruned { number: block.number, earliest });
    }
    Ok(())
}

/// The account before a block that changed it.
fn account_before(
    transaction: &dyn ReadTransaction,
    number: u64,
    address: Address,
) -> Result<Option<AccountRecord>, StorageError> {
    let key = key::account_change(number, address);
    let value = transaction
        .get(Table::AccountChanges, &key)?
        .ok_or(StorageError::MissingBlock { table: Table::AccountChanges, number })?;
    history::decode_account_before(&value).map_err(at(Table::AccountChanges, &key))
}

/// The value of a slot before a block that changed it.
fn slot_before(
    transaction: &dyn ReadTransaction,
    number: u64,
    address: Address,
    slot: U256,
) -> Result<U256, StorageError> {
    let key = key::slot_change(number, address, slot);
    read::get(transaction, Table::StorageChanges, &key, encoding::decode_word)?
        .ok_or(StorageError::MissingBlock { table: Table::StorageChanges, number })
}

impl DatabaseRef for PastState {
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
        if number > self.block.number {
            return Err(StorageError::BeyondHead { number, head: self.block.number });
        }
        self.read(|reader| {
            let missing = StorageError::MissingBlock { table: Table::CanonicalHashes, number };
            read::block_hash(&*reader.transaction, number)?.ok_or(missing)
        })
    }
}
