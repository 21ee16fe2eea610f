//! Opening: what the database says of itself, and its first block.

use super::{
    amend,
    options::ChainIdentity,
    read::{self, get},
    write,
};
use crate::{
    BlockChange, StorageError,
    block::{Body, Head},
    encoding::{self, key::metadata},
    snapshot::Layer,
    state::{root::state_after, tries::EmptyState},
    store::{ReadTransaction, Store, Table, WriteTransaction},
};
use alloy_consensus::Header;
use alloy_primitives::B256;

/// Version of the tables and their encodings. A database with another one is refused.
pub const SCHEMA_VERSION: u32 = 2;

/// The first block of a chain and the state after it.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// Header of the first block.
    pub header: Header,
    /// Its body, empty as a rule.
    pub body: Body,
    /// All accounts with their slots and codes, as a change to nothing.
    pub state: BlockChange,
}

impl Genesis {
    /// Chain id and hash of the first block.
    pub fn identity(&self) -> ChainIdentity {
        ChainIdentity { chain_id: self.chain_id, genesis_hash: self.header.hash_slow() }
    }
}

/// What a store says of itself; `None` if it is empty.
pub(super) fn identity(transaction: &dyn ReadTransaction) -> Result<Option<ChainIdentity>, StorageError> {
    let Some(stored) = get(transaction, Table::Metadata, metadata::SCHEMA, encoding::decode_u32)? else {
        return Ok(None);
    };
    if stored != SCHEMA_VERSION {
        return Err(StorageError::WrongSchema { stored, supported: SCHEMA_VERSION });
    }
    let chain_id = get(transaction, Table::Metadata, metadata::CHAIN_ID, encoding::decode_u64)?;
    let genesis_hash = get(transaction, Table::Metadata, metadata::GENESIS, encoding::decode_hash)?;
    match (chain_id, genesis_hash) {
        (Some(chain_id), Some(genesis_hash)) => Ok(Some(ChainIdentity { chain_id, genesis_hash })),
        _ => Err(StorageError::NotInitialised),
    }
}

/// Refuses a store that holds another chain; gives its head.
pub(super) fn check(
    transaction: &dyn ReadTransaction,
    stored: ChainIdentity,
    expected: Option<ChainIdentity>,
) -> Result<Head, StorageError> {
    if let Some(expected) = expected {
        if stored.chain_id != expected.chain_id {
            return Err(StorageError::WrongChain { stored: stored.chain_id, expected: expected.chain_id });
        }
        if stored.genesis_hash != expected.genesis_hash {
            return Err(StorageError::WrongGenesis { stored: stored.genesis_hash, expected: expected.genesis_hash });
        }
    }
    let head = read::head(transaction)?.ok_or(StorageError::NotInitialised)?;
    // The head is written in the same transaction as its block, so a difference is damage.
    let header = read::header(transaction, head.number)?;
    let header = header.ok_or(StorageError::MissingBlock { table: Table::Headers, number: head.number })?;
    if header.hash_slow() != head.hash || amend::state_root(transaction, &header)? != head.state_root {
        return Err(StorageError::TablesDisagree {
            table: Table::Headers,
            key: encoding::key::block(head.number).to_vec().into(),
        });
    }
    Ok(head)
}

/// Writes the first block into an empty store.
pub(super) fn initialise(store: &dyn Store, genesis: &Genesis) -> Result<Head, StorageError> {
    let number = genesis.header.number;
    let hash = genesis.header.hash_slow();
    let update = state_after(&EmptyState, &genesis.state)?;
    if update.state_root() != genesis.header.state_root {
        return Err(StorageError::StateRoot {
            number,
            expected: genesis.header.state_root,
            actual: update.state_root(),
        });
    }
    let layer = Layer::new(number, hash, B256::ZERO, genesis.state.clone(), update);
    let mut transaction = store.begin_write()?;
    if let Some(identity) = identity(&*transaction)? {
        return Err(StorageError::AlreadyInitialised(identity.genesis_hash));
    }
    for table in Table::ALL {
        // Without metadata there can be nothing else, unless what says whose it is was lost.
        if transaction.table_size(*table)?.entries != 0 {
            return Err(StorageError::TablesDisagree { table: *table, key: metadata::SCHEMA.into() });
        }
    }
    let transaction_mut: &mut dyn WriteTransaction = &mut *transaction;
    write::block(transaction_mut, &genesis.header, hash, &genesis.body, &[])?;
    write::codes(transaction_mut, &layer.codes)?;
    let mut accounts: Vec<_> = layer.accounts.iter().map(|(address, account)| (*address, *account)).collect();
    accounts.sort_unstable_by_key(|(address, _)| *address);
    write::accounts(transaction_mut, &accounts)?;
    let mut slots: Vec<_> = layer
        .slots
        .iter()
        .flat_map(|(address, slots)| slots.iter().map(|(slot, value)| ((*address, *slot), *value)))
        .collect();
    slots.sort_unstable_by_key(|(key, _)| *key);
    write::slots(transaction_mut, &slots)?;
    write::state_update(transaction_mut, &layer.update)?;
    transaction.put(Table::Metadata, metadata::SCHEMA, &SCHEMA_VERSION.to_be_bytes())?;
    transaction.put(Table::Metadata, metadata::CHAIN_ID, &genesis.chain_id.to_be_bytes())?;
    transaction.put(Table::Metadata, metadata::GENESIS, hash.as_slice())?;
    transaction.put(Table::Metadata, metadata::HISTORY_FROM, &number.to_be_bytes())?;
    let head = layer.block();
    write::head(&mut *transaction, &head, genesis.header.difficulty)?;
    transaction.commit()?;
    Ok(head)
}
