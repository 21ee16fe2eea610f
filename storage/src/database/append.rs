//! Appending: several blocks in one transaction.
//!
//! What several blocks write to one place is written once. Only change sets are written for each block; the values they
//! record are read from the tables the first time a key comes up, and from then on known.

use super::{
    Database, history,
    options::{Durability, HistoryLimit},
    prune, read, write,
};
use crate::{
    AccountRecord, StorageError,
    block::{Body, Head, Receipt},
    encoding::{self, key},
    snapshot::{Layer, cache::Cache},
    state::update::StateUpdate,
    store::{Table, WriteTransaction, for_each_with_prefix},
};
use alloy_consensus::Header;
use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, B256Map, HashMap},
};
use alloy_trie::Nibbles;
use revm::state::Bytecode;
use std::{borrow::Borrow, collections::BTreeMap, sync::Arc};

/// A block that was executed, with the layer of its changes.
#[derive(Clone, Debug)]
pub struct ExecutedBlock {
    /// Its header.
    pub header: Header,
    /// Transactions, ommers and withdrawals.
    pub body: Body,
    /// One receipt for each transaction.
    pub receipts: Vec<Receipt>,
    /// What it changed.
    pub layer: Arc<Layer>,
}

impl Database {
    /// Writes blocks, of which each follows the one before and the first follows the head, in one transaction: after a
    /// crash either all of them are there or none.
    ///
    /// Blocks whose layers do not fit their headers are refused, and nothing is written.
    pub fn append<B: Borrow<ExecutedBlock>>(&self, blocks: &[B]) -> Result<Head, StorageError> {
        let blocks: Vec<&ExecutedBlock> = blocks.iter().map(Borrow::borrow).collect();
        let _turn = self.writer.turn();
        let mut head = self.shared.head()?;
        if blocks.is_empty() {
            return Ok(head);
        }
        for block in &blocks {
            head = check(head, block)?;
        }

        let mut transaction = self.shared.store.begin_write()?;
        let mut fold = Fold::default();
        for block in &blocks {
            fold.block(&mut *transaction, block)?;
        }
        let fold = fold.finish(&mut *transaction)?;
        let difficulty = blocks.iter().fold(U256::ZERO, |sum, block| sum.saturating_add(block.header.difficulty));
        let total_difficulty = read::total_difficulty(&*transaction)?.saturating_add(difficulty);
        write::head(&mut *transaction, &head, total_difficulty)?;
        if let HistoryLimit::Blocks(distance) = self.options.history {
            prune::prune(&mut *transaction, head.number.saturating_sub(distance), blocks.len() as u64 + 1)?;
        }
        self.shared.commit(head, || Ok(transaction.commit()?), |cache| fold.update_cache(cache))?;

        match self.options.durability {
            Durability::EveryBlock => self.writer.durable.advance(head),
            Durability::Interval(interval) => self.writer.sync_after(interval, head)?,
            Durability::None => {}
        }
        Ok(head)
    }
}

/// Whether a block follows the head and its layer is that of its header; gives the head after it.
fn check(head: Head, block: &ExecutedBlock) -> Result<Head, StorageError> {
    let header = &block.header;
    let hash = header.hash_slow();
    let next = block.layer.block();
    if header.number != head.number + 1
        || header.parent_hash != head.hash
        || next.hash != hash
        || next.number != header.number
    {
        return Err(StorageError::NotChild {
            number: header.number,
            parent: header.parent_hash,
            head_number: head.number,
            head: head.hash,
        });
    }
    if header.state_root != next.state_root {
        return Err(StorageError::StateRoot {
            number: header.number,
            expected: header.state_root,
            actual: next.state_root,
        });
    }
    Ok(next)
}

/// What is gathered while blocks are written.
#[derive(Default)]
struct Fold {
    /// Accounts as they are after the blocks so far.
    accounts: AddressMap<Option<AccountRecord>>,
    /// Slots as they are after the blocks so far.
    slots: AddressMap<HashMap<U256, U256>>,
    codes: B256Map<Bytecode>,
    account_history: BTreeMap<Address, Vec<u64>>,
    slot_history: BTreeMap<(Address, U256), Vec<u64>>,
    update: Option<StateUpdate>,
}

/// What was written, for the cache.
struct Written {
    accounts: Vec<(Address, Option<AccountRecord>)>,
    slots: Vec<((Address, U256), U256)>,
    update: StateUpdate,
    /// Nodes of storage tries that were removed as a whole.
    wiped_nodes: Vec<(B256, Nibbles)>,
}

impl Fold {
    fn block(&mut self, transaction: &mut dyn WriteTransaction, block: &ExecutedBlock) -> Result<(), StorageError> {
        let layer = &*block.layer;
        let Head { number, hash, .. } = layer.block();
        write::block(transaction, &block.header, hash, &block.body, &block.receipts)?;
        self.codes.extend(layer.codes.iter().map(|(hash, code)| (*hash, code.clone())));

        let mut changed: Vec<_> = layer.accounts.iter().map(|(address, account)| (*address, *account)).collect();
        changed.sort_unstable_by_key(|(address, _)| *address);
        for (address, present) in changed {
            let before = match self.accounts.get(&address) {
                Some(account) => *account,
                None => read::account(&*transaction, address)?,
            };
            self.accounts.insert(address, present);
            if before != present {
                let value = history::encode_account_before(before);
                transaction.put(Table::AccountChanges, &key::account_change(number, address), &value)?;
                self.account_history.entry(address).or_default().push(number);
            }
        }

        for (address, slot, present) in self.slots_of(transaction, layer)? {
            let known = self.slots.get(&address).and_then(|slots| slots.get(&slot)).copied();
            let before = match known {
                Some(value) => value,
                None => read::slot(&*transaction, address, slot)?,
            };
            self.slots.entry(address).or_default().insert(slot, present);
            if before != present {
                let value = encoding::encode_word(before);
                transaction.put(Table::StorageChanges, &key::slot_change(number, address, slot), &value)?;
                self.slot_history.entry((address, slot)).or_default().push(number);
            }
        }

        match &mut self.update {
            Some(update) => update.extend(&layer.update),
            None => self.update = Some(layer.update.clone()),
        }
        Ok(())
    }

    /// Every slot that a block sets, those that a wipe sets to zero among them, sorted.
    fn slots_of(
        &self,
        transaction: &dyn WriteTransaction,
        layer: &Layer,
    ) -> Result<Vec<(Address, U256, U256)>, StorageError> {
        let mut slots = Vec::new();
        for address in &layer.wiped {
            let mut wiped: BTreeMap<U256, U256> = BTreeMap::new();
            let mut malformed = None;
            for_each_with_prefix(transaction, Table::Storage, address.as_slice(), |key, _| {
                match key::parse_slot(key) {
                    Ok((_, slot)) => drop(wiped.insert(slot, U256::ZERO)),
                    Err(source) => malformed = Some(crate::error::at(Table::Storage, key)(source)),
                }
            })?;
            if let Some(error) = malformed {
                return Err(error);
            }
            // Slots that earlier blocks of this transaction wrote are not in the table yet.
            wiped.extend(self.slots.get(address).into_iter().flatten().map(|(slot, _)| (*slot, U256::ZERO)));
            let written = layer.slots.get(address).into_iter().flatten();
            wiped.extend(written.map(|(slot, value)| (*slot, *value)));
            slots.extend(wiped.into_iter().map(|(slot, value)| (*address, slot, value)));
        }
        for (address, written) in &layer.slots {
            if !layer.wiped.contains(address) {
                slots.extend(written.iter().map(|(slot, value)| (*address, *slot, *value)));
            }
        }
        slots.sort_unstable_by_key(|(address, slot, _)| (*address, *slot));
        Ok(slots)
    }

    /// Writes what was gathered.
    fn finish(self, transaction: &mut dyn WriteTransaction) -> Result<Written, StorageError> {
        let mut accounts: Vec<_> = self.accounts.into_iter().collect();
        accounts.sort_unstable_by_key(|(address, _)| *address);
        write::accounts(transaction, &accounts)?;
        let mut slots: Vec<_> = self
            .slots
            .into_iter()
            .flat_map(|(address, slots)| slots.into_iter().map(move |(slot, value)| ((address, slot), value)))
            .collect();
        slots.sort_unstable_by_key(|(key, _)| *key);
        write::slots(transaction, &slots)?;
        write::codes(transaction, &self.codes)?;
        for (address, numbers) in &self.account_history {
            history::append(transaction, Table::AccountHistory, address.as_slice(), numbers)?;
        }
        for ((address, slot), numbers) in &self.slot_history {
            history::append(transaction, Table::StorageHistory, &key::slot(*address, *slot), numbers)?;
        }
        let update = self.update.unwrap_or_default();
        let wiped_nodes = write::state_update(transaction, &update)?;
        Ok(Written { accounts, slots, update, wiped_nodes })
    }
}

impl Written {
    fn update_cache(&self, cache: &Cache) {
        for (account, path) in &self.wiped_nodes {
            cache.replace_node(&(Some(*account), *path), None);
        }
        for (address, account) in &self.accounts {
            cache.replace_account(address, *account);
        }
        for (key, value) in &self.slots {
            cache.replace_slot(key, *value);
        }
        for (key, account) in &self.update.accounts {
            cache.replace_hashed_account(key, *account);
        }
        for (path, node) in &self.update.account_nodes {
            cache.replace_node(&(None, *path), node.clone());
        }
        for (account, storage) in &self.update.storages {
            for (path, node) in &storage.nodes {
                cache.replace_node(&(Some(*account), *path), node.clone());
            }
        }
    }
}
