//! State roots over a large state: the database's, a serial trie in memory, and a full rebuild.

use crate::serial_trie::SerialTrie;
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256, map::AddressMap};
use alloy_rlp::Encodable;
use braid_storage::{
    AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, Genesis, SlotChange, Snapshot,
    StorageError, state_root,
};
use revm::state::Bytecode;
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Contracts among which the slots are shared: each has twice as many as the next two together.
const CONTRACTS: u64 = 64;
const CODE: &[u8] = &[0x60, 0x01];

/// How large the state is.
#[derive(Clone, Copy, Debug)]
pub struct StateSize {
    /// Accounts.
    pub accounts: u64,
    /// Slots of all contracts together.
    pub slots: u64,
}

/// What a block changes.
#[derive(Clone, Copy, Debug)]
pub struct ChangeSize {
    /// Accounts.
    pub accounts: u64,
    /// Slots.
    pub slots: u64,
}

/// Times for the root after one block, in one run.
#[derive(Clone, Debug, Default)]
pub struct RootFigures {
    /// On all threads, with what it needs in the cache.
    pub parallel: Vec<Duration>,
    /// The same on one thread.
    pub one_thread: Vec<Duration>,
    /// With an empty cache, on all threads.
    pub cold: Vec<Duration>,
    /// A serial trie in memory.
    pub serial: Vec<Duration>,
}

/// A state in a database, and the same in serial tries.
pub struct RootBench {
    size: StateSize,
    genesis: Genesis,
    database: Option<Database>,
    folder: std::path::PathBuf,
    accounts: SerialTrie,
    storages: AddressMap<SerialTrie>,
    /// Time of the full rebuild.
    pub rebuild: Duration,
    round: u64,
}

impl std::fmt::Debug for RootBench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootBench").field("size", &self.size).finish_non_exhaustive()
    }
}

impl RootBench {
    /// Makes the state.
    pub fn new(size: StateSize, folder: &Path) -> Result<Self, StorageError> {
        let state = whole_state(size);
        let begin = Instant::now();
        let root = rebuild(&state);
        let rebuild = begin.elapsed();
        let header = Header { state_root: root, ..Header::default() };
        let genesis = Genesis { chain_id: 1, header, body: Body::default(), state };
        let database = Database::create(folder, &genesis, DatabaseOptions::default())?;
        let mut storages: AddressMap<SerialTrie> = AddressMap::default();
        for slot in &genesis.state.slots {
            let trie = storages.entry(slot.address).or_default();
            trie.insert(keccak256(slot.slot.to_be_bytes::<32>()), alloy_rlp::encode(slot.present));
        }
        let mut accounts = SerialTrie::default();
        for account in &genesis.state.accounts {
            let storage = storages.get_mut(&account.address).map_or(alloy_consensus::EMPTY_ROOT_HASH, SerialTrie::root);
            if let Some(record) = account.present {
                accounts.insert(keccak256(account.address), leaf(record, storage));
            }
        }
        assert_eq!(accounts.root(), root);
        let folder = folder.to_path_buf();
        Ok(Self { size, genesis, database: Some(database), folder, accounts, storages, rebuild, round: 0 })
    }

    /// Measures the root after a block of this size, `rounds` times, each for another block. All sides must agree.
    pub fn measure(&mut self, change: ChangeSize, rounds: usize) -> Result<RootFigures, StorageError> {
        let mut figures = RootFigures::default();
        let one = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .thread_name(|_| "one-thread".to_owned())
            .build()
            .expect("a thread can be started");
        for _ in 0..rounds {
            self.round += 1;
            // A database that was just opened has an empty cache.
            self.database = None;
            let opened = Database::open(&self.folder, Some(self.genesis.identity()), DatabaseOptions::default())?;
            let snapshot = self.database.insert(opened).snapshot()?;
            let block = block(&snapshot, self.size, change, self.round)?;
            figures.cold.push(time(|| snapshot.state_after(&block))?.1);
            let task = snapshot.state_root_task();
            let slots = block.slots.iter().map(|slot| (slot.address, slot.slot));
            task.touch(block.accounts.iter().map(|account| account.address), slots)?;
            let (update, taken) = time(|| snapshot.state_after(&block))?;
            figures.parallel.push(taken);
            figures.one_thread.push(one.install(|| time(|| snapshot.state_after(&block)))?.1);
            let (root, taken) = time(|| Ok::<_, StorageError>(self.serial_root(&block)))?;
            figures.serial.push(taken);
            assert_eq!(update.state_root(), root, "the serial trie has another root");
            // Back again, so that the next block finds the same state.
            let undo = undo(&snapshot, &block)?;
            assert_eq!(self.serial_root(&undo), snapshot.block().state_root);
        }
        Ok(figures)
    }

    fn serial_root(&mut self, block: &BlockChange) -> B256 {
        for slot in &block.slots {
            let trie = self.storages.entry(slot.address).or_default();
            trie.insert(keccak256(slot.slot.to_be_bytes::<32>()), alloy_rlp::encode(slot.present));
        }
        for account in &block.accounts {
            let storage =
                self.storages.get_mut(&account.address).map_or(alloy_consensus::EMPTY_ROOT_HASH, SerialTrie::root);
            if let Some(record) = account.present {
                self.accounts.insert(keccak256(account.address), leaf(record, storage));
            }
        }
        self.accounts.root()
    }
}

fn time<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), E> {
    let begin = Instant::now();
    let result = work()?;
    Ok((result, begin.elapsed()))
}

fn leaf(record: AccountRecord, storage_root: B256) -> Vec<u8> {
    let mut out = Vec::new();
    alloy_trie::TrieAccount { nonce: record.nonce, balance: record.balance, storage_root, code_hash: record.code_hash }
        .encode(&mut out);
    out
}

fn address(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

fn slot(index: u64) -> U256 {
    U256::from_be_bytes(keccak256((index ^ 1 << 63).to_be_bytes()).0)
}

/// The contract of a slot: a few have most of the slots, as on mainnet.
fn contract(index: u64) -> u64 {
    let spread = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let share = spread % 1000;
    // The square makes low numbers frequent.
    share * share * CONTRACTS / 1_000_000
}

fn record(index: u64) -> AccountRecord {
    let code_hash = if index < CONTRACTS { keccak256(CODE) } else { KECCAK256_EMPTY };
    AccountRecord { nonce: index % 100, balance: U256::from(index) << 50, code_hash }
}

fn whole_state(size: StateSize) -> BlockChange {
    let account = |index| AccountChange { address: address(index), present: Some(record(index)), storage_wiped: false };
    let slot =
        |index| SlotChange { address: address(contract(index)), slot: slot(index), present: U256::from(index + 1) };
    BlockChange {
        accounts: (0..size.accounts).map(account).collect(),
        slots: (0..size.slots).map(slot).collect(),
        contracts: vec![(keccak256(CODE), Bytecode::new_legacy(CODE.into()))],
    }
}

fn rebuild(state: &BlockChange) -> B256 {
    let mut slots: AddressMap<Vec<(U256, U256)>> = AddressMap::default();
    for slot in &state.slots {
        slots.entry(slot.address).or_default().push((slot.slot, slot.present));
    }
    state_root(state.accounts.iter().filter_map(|account| {
        Some((account.address, account.present?, slots.remove(&account.address).unwrap_or_default()))
    }))
}

/// A block that changes accounts and slots all over the state, read through the snapshot as an execution would.
fn block(snapshot: &Snapshot, size: StateSize, change: ChangeSize, round: u64) -> Result<BlockChange, StorageError> {
    let pick = |index: u64, of: u64| (index * 7919 + round * 104_729 + 31) % of;
    let mut block = BlockChange::default();
    let mut touched = std::collections::BTreeSet::new();
    for index in 0..change.slots {
        let index = pick(index, size.slots);
        let (address, slot) = (address(contract(index)), slot(index));
        touched.insert(contract(index));
        let present = snapshot.slot(address, slot)? + U256::from(1);
        block.slots.push(SlotChange { address, slot, present });
    }
    for index in (0..change.accounts).map(|index| CONTRACTS + pick(index, size.accounts - CONTRACTS)).chain(touched) {
        let address = address(index);
        let mut record = snapshot.account(address)?.unwrap_or_else(|| record(index));
        record.balance += U256::from(1);
        block.accounts.push(AccountChange { address, present: Some(record), storage_wiped: false });
    }
    Ok(block)
}

/// What takes a block back.
fn undo(snapshot: &Snapshot, block: &BlockChange) -> Result<BlockChange, StorageError> {
    let mut undo = BlockChange::default();
    for slot in &block.slots {
        undo.slots.push(SlotChange { present: snapshot.slot(slot.address, slot.slot)?, ..*slot });
    }
    for account in &block.accounts {
        undo.accounts.push(AccountChange { present: snapshot.account(account.address)?, ..*account });
    }
    Ok(undo)
}
