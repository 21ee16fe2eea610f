//! A chain of which every block can be told from its number, so that whoever finds a database of any length knows what
//! must be in it.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256};
use braid_storage::{
    AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, ExecutedBlock, Genesis, Layer,
    SlotChange, Snapshot, state_root, store::MdbxOptions,
};
use std::sync::Arc;

/// Accounts of the chain. Block N sets account N % ACCOUNTS and some of its slots.
pub(super) const ACCOUNTS: u64 = 40;
/// Every so many blocks an account is wiped before it is set.
const WIPE: u64 = 7;
const SLOTS: u64 = 9;

pub(super) fn options() -> DatabaseOptions {
    let mdbx = MdbxOptions { size_limit: 1 << 30, growth_step: 1 << 18, ..Default::default() };
    DatabaseOptions { mdbx, ..Default::default() }
}

pub(super) fn genesis() -> Genesis {
    let header = Header { state_root: state_root::<[(U256, U256); 0]>([]), ..Default::default() };
    Genesis { chain_id: 1, header, body: Body::default(), state: BlockChange::default() }
}

pub(super) fn address(index: u64) -> Address {
    Address::left_padding_from(&(index + 1).to_be_bytes())
}

/// The last block up to `number` that set an account.
pub(super) fn last_change(number: u64, index: u64) -> Option<u64> {
    (number.saturating_sub(ACCOUNTS - 1).max(1)..=number).rev().find(|block| block % ACCOUNTS == index)
}

fn change(number: u64) -> BlockChange {
    let address = address(number % ACCOUNTS);
    let present = AccountRecord { nonce: number, balance: U256::from(number) << 64, code_hash: KECCAK256_EMPTY };
    let wiped = number > ACCOUNTS && number.is_multiple_of(WIPE);
    let account = AccountChange { address, present: Some(present), storage_wiped: wiped };
    let slots = (0..SLOTS).filter(|slot| !(number + slot).is_multiple_of(4)).map(|slot| SlotChange {
        address,
        slot: U256::from(slot),
        present: U256::from((number + slot) % 5),
    });
    BlockChange { accounts: vec![account], slots: slots.collect(), contracts: Vec::new() }
}

/// The block after the one of a snapshot.
pub(super) fn next(snapshot: &Snapshot) -> ExecutedBlock {
    let parent = snapshot.block();
    let number = parent.number + 1;
    let change = change(number);
    let update = snapshot.state_after(&change).unwrap();
    let header = Header { number, parent_hash: parent.hash, state_root: update.state_root(), ..Default::default() };
    let layer = Layer::new(number, header.hash_slow(), parent.hash, change, update);
    ExecutedBlock { header, body: Body::default(), receipts: Vec::new(), layer: Arc::new(layer) }
}

/// Appends blocks in one transaction and gives the number of the head.
pub(super) fn extend(database: &Database, blocks: usize) -> Result<u64, braid_storage::StorageError> {
    let mut snapshot = database.snapshot()?;
    let mut executed = Vec::new();
    for _ in 0..blocks {
        let block = next(&snapshot);
        snapshot = snapshot.with_layer(Arc::clone(&block.layer))?;
        executed.push(block);
    }
    Ok(database.append(&executed)?.number)
}

/// Hash of block `number`, from a chain that is made anew in memory.
pub(super) fn expected_hash(number: u64) -> B256 {
    let database = Database::in_memory(&genesis(), options()).unwrap();
    while database.head().unwrap().number < number {
        let left = number - database.head().unwrap().number;
        extend(&database, left.min(32) as usize).unwrap();
    }
    database.head().unwrap().hash
}

/// Checks a database against itself and against the chain.
pub(super) fn assert_sound(database: &Database) -> u64 {
    let head = database.head().unwrap();
    let report = database.verify(|_| {}).unwrap();
    assert_eq!(report.blocks, head.number + 1);
    assert_eq!(head.hash, expected_hash(head.number), "block {}", head.number);
    head.number
}
