//! Going back to a past block.
//!
//! The change sets above the block say what everything was; taken together they are a change like that of any block, from
//! the head back. Its root is computed before anything is written, and it must be the one in the header.

use super::{Database, ExecutedBlock, amend, history, read, write};
use crate::{
    AccountChange, BlockChange, SlotChange, StorageError,
    block::Head,
    encoding::{self, DecodeError, key},
    error::at,
    snapshot::{Layer, Snapshot},
    state::update::StateUpdate,
    store::{ReadTransaction, Table, WriteTransaction},
};
use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

impl Database {
    /// Takes back all blocks above `number`. Snapshots of what was above fail from then on.
    ///
    /// The block must be stored and its state be kept; if the root does not come out as its header states, nothing is
    /// changed.
    pub fn unwind(&self, number: u64) -> Result<Head, StorageError> {
        let _turn = self.writer.turn();
        let head = self.shared.head()?;
        if number > head.number {
            return Err(StorageError::BeyondHead { number, head: head.number });
        }
        if number == head.number {
            return Ok(head);
        }
        let snapshot = Snapshot::new(Arc::clone(&self.shared), Vec::new())?;
        let Rewound { target, change, update, .. } = self.back_to(&snapshot, number)?;
        let mut transaction = self.shared.store.begin_write()?;
        let writing: &mut dyn WriteTransaction = &mut *transaction;
        let accounts: Vec<_> = change.accounts.iter().map(|account| (account.address, account.present)).collect();
        write::accounts(writing, &accounts)?;
        let slots: Vec<_> = change.slots.iter().map(|slot| ((slot.address, slot.slot), slot.present)).collect();
        write::slots(writing, &slots)?;
        write::state_update(writing, &update)?;
        for (address, _) in &accounts {
            history::remove_after(writing, Table::AccountHistory, address.as_slice(), number)?;
        }
        for ((address, slot), _) in &slots {
            history::remove_after(writing, Table::StorageHistory, &key::slot(*address, *slot), number)?;
        }
        let mut total_difficulty = read::total_difficulty(&*writing)?;
        for above in number + 1..=head.number {
            let header = read::header(&*writing, above)?;
            let header = header.ok_or(StorageError::MissingBlock { table: Table::Headers, number: above })?;
            total_difficulty = total_difficulty.saturating_sub(header.difficulty);
            remove_block(writing, above)?;
        }
        write::head(writing, &target, total_difficulty)?;
        self.shared.commit(target, || Ok(transaction.commit()?), |cache| cache.clear())?;
        // What was durable above the block must not come back after a crash.
        self.shared.store.sync()?;
        self.writer.durable.set(target);
        Ok(target)
    }
}

/// How the state goes back to a past block.
struct Rewound {
    /// The past block.
    target: Head,
    change: BlockChange,
    update: StateUpdate,
}

impl Database {
    /// A layer that leads from the head back to a stored block, so that branches which leave the chain there can stand on it:
    /// `snapshot_above(vec![layer])` is the state after that block, with roots and proofs. It can be used until the next block
    /// is appended or taken back. For reading alone [`state_at`](Self::state_at) is cheaper.
    pub fn rewind(&self, number: u64) -> Result<Arc<Layer>, StorageError> {
        let snapshot = Snapshot::new(Arc::clone(&self.shared), Vec::new())?;
        let Rewound { target, change, update } = self.back_to(&snapshot, number)?;
        Ok(Arc::new(Layer::rewinding(target, snapshot.block().hash, change, update)))
    }

    /// The stored blocks above `number` from the lowest to the highest, with the layers that they were written from or equal ones.
    /// What is unwound can so be kept, as a branch of its own.
    pub fn blocks_above(&self, number: u64) -> Result<Vec<ExecutedBlock>, StorageError> {
        let snapshot = Snapshot::new(Arc::clone(&self.shared), Vec::new())?;
        let head = snapshot.block();
        if number >= head.number {
            return Ok(Vec::new());
        }
        let mut above = snapshot.with_layer(self.rewind(number)?)?;
        let changes = self.shared.read(|reader| {
            snapshot.check(reader.head)?;
            changes_above(&*reader.transaction, number, head.number)
        })?;
        let mut blocks = Vec::with_capacity(changes.len());
        for change in changes {
            let number = above.block().number + 1;
            let missing = |table| StorageError::MissingBlock { table, number };
            let header = self.header(number)?.ok_or_else(|| missing(Table::Headers))?;
            let body = self.body(number)?.ok_or_else(|| missing(Table::Bodies))?;
            let receipts = self.receipts(number)?.ok_or_else(|| missing(Table::Receipts))?;
            let update = above.state_after(&change)?;
            let expected = self.state_root(&header)?;
            if update.state_root() != expected {
                let actual = update.state_root();
                return Err(StorageError::StateRoot { number, expected, actual });
            }
            let layer = Arc::new(Layer::new(number, header.hash_slow(), header.parent_hash, change, update));
            above = above.with_layer(Arc::clone(&layer))?;
            blocks.push(ExecutedBlock { header, body, receipts, layer });
        }
        Ok(blocks)
    }

    /// What leads from the state of a snapshot of the head back to a block, checked against the root of its header.
    fn back_to(&self, snapshot: &Snapshot, number: u64) -> Result<Rewound, StorageError> {
        let (change, target) = self.shared.read(|reader| {
            snapshot.check(reader.head)?;
            let transaction = &*reader.transaction;
            let earliest = read::history_from(transaction)?;
            if number < earliest {
                return Err(StorageError::HistoryPruned { number, earliest });
            }
            let missing = StorageError::MissingBlock { table: Table::Headers, number };
            let header = read::header(transaction, number)?.ok_or(missing)?;
            let state_root = amend::state_root(transaction, &header)?;
            let target = Head { number, hash: header.hash_slow(), state_root };
            Ok((change_back_to(transaction, number)?, target))
        })?;
        let update = snapshot.state_after(&change)?;
        if update.state_root() != target.state_root {
            return Err(StorageError::StateRoot { number, expected: target.state_root, actual: update.state_root() });
        }
        Ok(Rewound { target, change, update })
    }
}

/// What the blocks from `number` to the head of a transaction changed, from the lowest to the highest. A change set says what a
/// block found; what it left is what the next one that changed the same found, or what the tables hold.
fn changes_above(transaction: &dyn ReadTransaction, number: u64, head: u64) -> Result<Vec<BlockChange>, StorageError> {
    let mut accounts = BTreeMap::new();
    let mut slots = BTreeMap::new();
    let mut changes = Vec::new();
    for block in (number + 1..=head).rev() {
        let mut change = BlockChange::default();
        let prefix = key::block(block);
        let mut cursor = transaction.cursor(Table::AccountChanges)?;
        let mut entry = cursor.seek(&prefix)?.filter(|(key, _)| key.starts_with(&prefix));
        while let Some((key, value)) = entry {
            let address = account_change_address(&key).map_err(at(Table::AccountChanges, &key))?;
            let before = history::decode_account_before(&value).map_err(at(Table::AccountChanges, &key))?;
            let present = match accounts.insert(address, before) {
                Some(later) => later,
                None => read::account(transaction, address)?,
            };
            if let Some(record) = present
                && record.code_hash != KECCAK256_EMPTY
                && before.is_none_or(|before| before.code_hash != record.code_hash)
                && let Some(code) = read::code(transaction, record.code_hash)?
            {
                change.contracts.push((record.code_hash, crate::snapshot::analysed(code)));
            }
            change.accounts.push(AccountChange { address, present, storage_wiped: false });
            entry = cursor.next()?.filter(|(key, _)| key.starts_with(&prefix));
        }
        let mut cursor = transaction.cursor(Table::StorageChanges)?;
        let mut entry = cursor.seek(&prefix)?.filter(|(key, _)| key.starts_with(&prefix));
        while let Some((key, value)) = entry {
            let (address, slot) = slot_change_slot(&key).map_err(at(Table::StorageChanges, &key))?;
            let before = encoding::decode_word(&value).map_err(at(Table::StorageChanges, &key))?;
            let present = match slots.insert((address, slot), before) {
                Some(later) => later,
                None => read::slot(transaction, address, slot)?,
            };
            change.slots.push(SlotChange { address, slot, present });
            entry = cursor.next()?.filter(|(key, _)| key.starts_with(&prefix));
        }
        changes.push(change);
    }
    changes.reverse();
    Ok(changes)
}

/// The change that leads from the head of a transaction back to a block, sorted.
pub(crate) fn change_back_to(transaction: &dyn ReadTransaction, number: u64) -> Result<BlockChange, StorageError> {
    let first = key::block(number.saturating_add(1));
    // The first change after the block has the value at the block.
    let mut accounts = BTreeMap::new();
    let mut cursor = transaction.cursor(Table::AccountChanges)?;
    let mut entry = cursor.seek(&first)?;
    while let Some((key, value)) = entry {
        let address = account_change_address(&key).map_err(at(Table::AccountChanges, &key))?;
        if let Entry::Vacant(vacant) = accounts.entry(address) {
            vacant.insert(history::decode_account_before(&value).map_err(at(Table::AccountChanges, &key))?);
        }
        entry = cursor.next()?;
    }
    let mut slots = BTreeMap::new();
    let mut cursor = transaction.cursor(Table::StorageChanges)?;
    let mut entry = cursor.seek(&first)?;
    while let Some((key, value)) = entry {
        let slot = slot_change_slot(&key).map_err(at(Table::StorageChanges, &key))?;
        if let Entry::Vacant(vacant) = slots.entry(slot) {
            vacant.insert(encoding::decode_word(&value).map_err(at(Table::StorageChanges, &key))?);
        }
        entry = cursor.next()?;
    }
    let accounts = accounts
        .into_iter()
        .map(|(address, present)| AccountChange { address, present, storage_wiped: false })
        .collect();
    let slots = slots.into_iter().map(|((address, slot), present)| SlotChange { address, slot, present }).collect();
    Ok(BlockChange { accounts, slots, contracts: Vec::new() })
}

/// The address in the key of an account change.
pub(super) fn account_change_address(key: &[u8]) -> Result<Address, DecodeError> {
    key::parse_address(key.get(8..).unwrap_or_default())
}

/// The slot in the key of a storage change.
pub(super) fn slot_change_slot(key: &[u8]) -> Result<(Address, U256), DecodeError> {
    key::parse_slot(key.get(8..).unwrap_or_default())
}

/// Removes a block with its change sets; the code it brought stays, since it is found by its hash alone.
fn remove_block(transaction: &mut dyn WriteTransaction, number: u64) -> Result<(), StorageError> {
    let key = key::block(number);
    if let Some(body) = read::body(&*transaction, number)? {
        for signed in &body.transactions {
            transaction.delete(Table::TransactionLookup, signed.tx_hash().as_slice())?;
        }
    }
    if let Some(hash) = read::block_hash(&*transaction, number)? {
        transaction.delete(Table::BlockNumbers, hash.as_slice())?;
    }
    transaction.delete(Table::Metadata, &key::amended_root(number))?;
    for table in [Table::Headers, Table::CanonicalHashes, Table::Bodies, Table::Receipts] {
        transaction.delete(table, &key)?;
    }
    for table in [Table::AccountChanges, Table::StorageChanges] {
        for key in write::keys_with_prefix(&*transaction, table, &key)? {
            transaction.delete(table, &key)?;
        }
    }
    Ok(())
}
