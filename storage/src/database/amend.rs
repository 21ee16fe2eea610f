//! Changing the state after the head without a block, as development tools do: a balance is set, code is put somewhere.
//!
//! What is changed belongs to the state after the head, as if the head had left it so: its change set says what was there before the block, and states
//! and proofs of the block have it. The header stays as it is, so its state root is no longer that of the state; the real one is kept beside it.

use super::{Database, history, read, write};
use crate::{
    AccountChange, AccountRecord, BlockChange, SlotChange, StorageError,
    block::Head,
    encoding::{self, key},
    snapshot::Snapshot,
    store::{ReadTransaction, Table, WriteTransaction},
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

impl Database {
    /// Changes the state after the head. Gives the change that takes it back, but for storage that was wiped as a whole: changes here must not
    /// wipe any, nor remove accounts that have some.
    pub fn amend(&self, change: &BlockChange) -> Result<BlockChange, StorageError> {
        let _turn = self.writer.turn();
        let head = self.shared.head()?;
        let snapshot = Snapshot::new(Arc::clone(&self.shared), Vec::new())?;
        let update = snapshot.state_after(change)?;
        let amended = Head { state_root: update.state_root(), ..head };
        let mut transaction = self.shared.store.begin_write()?;
        let writing: &mut dyn WriteTransaction = &mut *transaction;
        let accounts: BTreeMap<Address, Option<AccountRecord>> =
            change.accounts.iter().map(|account| (account.address, account.present)).collect();
        let slots: BTreeMap<(Address, U256), U256> =
            change.slots.iter().map(|slot| ((slot.address, slot.slot), slot.present)).collect();
        let mut back = BlockChange::default();
        for address in accounts.keys() {
            let before = read::account(&*writing, *address)?;
            back.accounts.push(AccountChange { address: *address, present: before, storage_wiped: false });
            let place = key::account_change(head.number, *address);
            if !is_there(writing, Table::AccountChanges, &place)? {
                writing.put(Table::AccountChanges, &place, &history::encode_account_before(before))?;
                history::append(writing, Table::AccountHistory, address.as_slice(), &[head.number])?;
            }
        }
        for (address, slot) in slots.keys() {
            let before = read::slot(&*writing, *address, *slot)?;
            back.slots.push(SlotChange { address: *address, slot: *slot, present: before });
            let place = key::slot_change(head.number, *address, *slot);
            if !is_there(writing, Table::StorageChanges, &place)? {
                writing.put(Table::StorageChanges, &place, &encoding::encode_word(before))?;
                history::append(writing, Table::StorageHistory, &key::slot(*address, *slot), &[head.number])?;
            }
        }
        write::accounts(writing, &accounts.into_iter().collect::<Vec<_>>())?;
        write::slots(writing, &slots.into_iter().collect::<Vec<_>>())?;
        write::codes(writing, &change.contracts.iter().cloned().collect())?;
        write::state_update(writing, &update)?;
        writing.put(Table::Metadata, &key::amended_root(head.number), amended.state_root.as_slice())?;
        let total_difficulty = read::total_difficulty(&*writing)?;
        write::head(writing, &amended, total_difficulty)?;
        self.shared.commit(amended, || Ok(transaction.commit()?), |cache| cache.clear())?;
        Ok(back)
    }

    /// Root of the state after a stored block: that of its header, unless the state was [amended](Self::amend).
    pub fn state_root(&self, header: &Header) -> Result<B256, StorageError> {
        self.shared.read(|reader| state_root(&*reader.transaction, header))
    }

    /// The blocks whose states were amended, which nobody can therefore get by executing blocks.
    pub fn amended(&self) -> Result<BTreeSet<u64>, StorageError> {
        self.shared.read(|reader| {
            let mut numbers = BTreeSet::new();
            crate::store::for_each_with_prefix(&*reader.transaction, Table::Metadata, key::AMENDED_ROOT, |key, _| {
                if let Some(number) = key.strip_prefix(key::AMENDED_ROOT).and_then(|number| number.try_into().ok()) {
                    numbers.insert(u64::from_be_bytes(number));
                }
            })?;
            Ok(numbers)
        })
    }
}

fn is_there(transaction: &dyn WriteTransaction, table: Table, key: &[u8]) -> Result<bool, StorageError> {
    Ok(transaction.get(table, key)?.is_some())
}

/// Root of the state after a block.
pub(crate) fn state_root(transaction: &dyn ReadTransaction, header: &Header) -> Result<B256, StorageError> {
    let amended = read::get(transaction, Table::Metadata, &key::amended_root(header.number), encoding::decode_hash)?;
    Ok(amended.unwrap_or(header.state_root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Body, DatabaseOptions, ExecutedBlock, Genesis, Layer};
    use alloy_primitives::KECCAK256_EMPTY;

    const RICH: Address = Address::repeat_byte(1);

    fn balance(value: u64) -> BlockChange {
        let present = Some(AccountRecord { nonce: 0, balance: U256::from(value), code_hash: KECCAK256_EMPTY });
        let account = AccountChange { address: RICH, present, storage_wiped: false };
        BlockChange { accounts: vec![account], ..BlockChange::default() }
    }

    fn block(database: &Database, change: BlockChange) -> ExecutedBlock {
        let snapshot = database.snapshot().unwrap();
        let update = snapshot.state_after(&change).unwrap();
        let parent = snapshot.block();
        let header = Header {
            number: parent.number + 1,
            parent_hash: parent.hash,
            state_root: update.state_root(),
            ..Header::default()
        };
        let layer = Arc::new(Layer::new(header.number, header.hash_slow(), parent.hash, change, update));
        ExecutedBlock { header, body: Body::default(), receipts: Vec::new(), layer }
    }

    fn balance_at(database: &Database, number: u64) -> Option<U256> {
        let state = database.state_at(number).unwrap();
        state.proof(RICH, &[U256::ZERO]).unwrap();
        state.account(RICH).unwrap().map(|account| account.balance)
    }

    #[test]
    fn what_is_amended_belongs_to_the_state_after_the_head() {
        let folder = tempfile::tempdir().unwrap();
        let header = Header { state_root: alloy_trie::EMPTY_ROOT_HASH, ..Header::default() };
        let genesis = Genesis { chain_id: 1, header, body: Body::default(), state: BlockChange::default() };
        let options = DatabaseOptions::default();
        let database = Database::create(folder.path(), &genesis, options).unwrap();
        let first = database.amend(&balance(5)).unwrap();
        assert_eq!(first.accounts[0].present, None);
        let change = BlockChange {
            slots: vec![SlotChange { address: RICH, slot: U256::ZERO, present: U256::from(7) }],
            ..balance(6)
        };
        database.append(&[block(&database, change)]).unwrap();
        let back = database.amend(&balance(8)).unwrap();
        assert_eq!(back.accounts[0].present.unwrap().balance, U256::from(6));
        database.append(&[block(&database, balance(9))]).unwrap();

        assert_eq!(
            [0, 1, 2].map(|number| balance_at(&database, number)),
            [5, 8, 9].map(|value| Some(U256::from(value)))
        );
        assert_eq!(database.amended().unwrap(), BTreeSet::from([0, 1]));
        database.verify(|_| ()).unwrap();
        drop(database);

        let database = Database::open(folder.path(), None, options).unwrap();
        assert_eq!(database.blocks_above(0).unwrap().len(), 2);
        database.unwind(1).unwrap();
        assert_eq!(balance_at(&database, 1), Some(U256::from(8)));
        database.amend(&back).unwrap();
        assert_eq!(balance_at(&database, 1), Some(U256::from(6)));
        database.unwind(0).unwrap();
        assert_eq!(balance_at(&database, 0), Some(U256::from(5)));
        assert_eq!(database.amended().unwrap(), BTreeSet::from([0]));
    }
}
