//! What a state root, and writing a block, cost over a large state.
//!
//! `cargo run --release -p braid-storage --example root_cost -- [ACCOUNTS] [SLOTS] [FOLDER]`
//!
//! Makes a state of so many accounts (default one million) and, in 20 of them, so many slots (default one million), and
//! prints for several sizes of blocks: the root with an empty cache, with the paths touched beforehand, the processor time of
//! the latter on one thread, and appending the block, all from a database that was just opened; then the same for many blocks
//! in a row.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use braid_storage::{
    AccountChange, AccountRecord, BlockChange, Body, Database, DatabaseOptions, ExecutedBlock, Genesis, Head, Layer,
    SlotChange, Snapshot, StateUpdate, state_root,
};
use revm::state::Bytecode;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

const CONTRACTS: u64 = 20;
/// The code of all of them.
const CODE: &[u8] = &[0x60, 0x01];
/// Times each measurement is taken; the median is printed.
const TIMES: usize = 7;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |argument| argument.parse());
    let (Ok(accounts), Ok(slots)) = (number(1_000_000u64), number(1_000_000u64)) else {
        eprintln!("usage: root_cost [ACCOUNTS] [SLOTS] [FOLDER]");
        std::process::exit(2);
    };
    let folder = arguments.next().map_or_else(|| std::env::temp_dir().join("braid-root-cost"), PathBuf::from);
    if let Err(error) = run(accounts, slots, &folder) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn run(accounts: u64, slots: u64, folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let state = whole_state(accounts, slots);
    let started = Instant::now();
    let root = rebuild(&state, slots);
    let rebuilt = started.elapsed();
    let header = Header { state_root: root, ..Default::default() };
    let genesis = Genesis { chain_id: 1, header, body: Body::default(), state };
    let started = Instant::now();
    drop(Database::create(folder, &genesis, DatabaseOptions::default())?);
    println!("{accounts} accounts, {slots} slots: written in {:.1?}, rebuilt in {rebuilt:.1?}", started.elapsed());
    println!("{:>9} {:>7} {:>12} {:>12} {:>12} {:>12}", "accounts", "slots", "cold", "touched", "thread CPU", "append");
    for (changed, changed_slots) in [(200, 0), (600, 700), (1_000, 0), (10_000, 0), (5_000, 5_000)] {
        let mut times = [const { Vec::new() }; 4];
        for round in 0..TIMES as u64 {
            let database = Database::open(folder, Some(genesis.identity()), DatabaseOptions::default())?;
            let snapshot = database.snapshot()?;
            let change = block(&snapshot, accounts, slots, changed, changed_slots, round)?;
            times[0].push(time(|| snapshot.state_after(&change))?.1);
            let task = snapshot.state_root_task();
            let slots_touched = change.slots.iter().map(|slot| (slot.address, slot.slot));
            task.touch(change.accounts.iter().map(|account| account.address), slots_touched)?;
            let (update, taken) = time(|| task.finish(&change))?;
            times[1].push(taken);
            let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
            let work = || -> Result<Duration, braid_storage::StorageError> {
                let started = thread_time();
                snapshot.state_after(&change)?;
                Ok(thread_time() - started)
            };
            times[2].push(one.install(work)?);
            let block = executed_block(&snapshot, change, update);
            times[3].push(time(|| database.append(&[block]))?.1);
        }
        let [cold, touched, one, append] = times.map(median);
        println!("{changed:>9} {changed_slots:>7} {cold:>12.2?} {touched:>12.2?} {one:>12.2?} {append:>12.2?}");
    }
    for (blocks, together) in [(40, 1), (100, 10), (200, 100)] {
        let database = Database::open(folder, Some(genesis.identity()), DatabaseOptions::default())?;
        let (mut root_time, mut append_time) = (Duration::ZERO, Duration::ZERO);
        for portion in 0..blocks / together {
            let mut snapshot = database.snapshot()?;
            let mut executed = Vec::new();
            for within in 0..together {
                let change = block(&snapshot, accounts, slots, 600, 700, 1000 + portion * together + within)?;
                let (update, taken) = time(|| snapshot.state_after(&change))?;
                root_time += taken;
                executed.push(executed_block(&snapshot, change, update));
                snapshot = snapshot.with_layer(Arc::clone(&executed[executed.len() - 1].layer))?;
            }
            append_time += time(|| database.append(&executed))?.1;
        }
        let each = |time: Duration| time / blocks as u32;
        println!(
            "{blocks} blocks of 600 accounts and 700 slots, {together} appended together: root {:.2?}, append {:.2?} each",
            each(root_time),
            each(append_time)
        );
    }
    let database = Database::open(folder, Some(genesis.identity()), DatabaseOptions::default())?;
    let (report, taken) = time(|| database.verify(|_| {}))?;
    println!("verified {} accounts, {} slots and {} nodes in {taken:.1?}", report.accounts, report.slots, report.nodes);
    for (table, size) in database.stats()?.tables {
        println!("{:>20} {:>10} entries {:>6} MiB", table.name(), size.entries, size.bytes >> 20);
    }
    Ok(())
}

fn executed_block(parent: &Snapshot, change: BlockChange, update: StateUpdate) -> ExecutedBlock {
    let Head { number, hash, .. } = parent.block();
    let header =
        Header { number: number + 1, parent_hash: hash, state_root: update.state_root(), ..Default::default() };
    let layer = Arc::new(Layer::new(header.number, header.hash_slow(), hash, change, update));
    ExecutedBlock { header, body: Body::default(), receipts: Vec::new(), layer }
}

/// Processor time of this thread, which other processes on the machine do not add to.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes a time of this type.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn time<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, Duration), E> {
    let started = Instant::now();
    let result = work()?;
    Ok((result, started.elapsed()))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn address(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

fn slot(index: u64) -> U256 {
    U256::from_be_bytes(keccak256((index ^ 1 << 63).to_be_bytes()).0)
}

fn record(index: u64) -> AccountRecord {
    let code_hash = if index < CONTRACTS { keccak256(CODE) } else { KECCAK256_EMPTY };
    AccountRecord { nonce: index % 100, balance: U256::from(index) << 50, code_hash }
}

fn whole_state(accounts: u64, slots: u64) -> BlockChange {
    let account = |index| AccountChange { address: address(index), present: Some(record(index)), storage_wiped: false };
    let slot =
        |index| SlotChange { address: address(index % CONTRACTS), slot: slot(index), present: U256::from(index + 1) };
    BlockChange {
        accounts: (0..accounts).map(account).collect(),
        slots: (0..slots).map(slot).collect(),
        contracts: vec![(keccak256(CODE), Bytecode::new_legacy(CODE.into()))],
    }
}

fn rebuild(state: &BlockChange, slots: u64) -> B256 {
    state_root((0u64..).zip(&state.accounts).map(|(index, account)| {
        let own = (index < CONTRACTS).then(|| (index..slots).step_by(CONTRACTS as usize));
        let own = own.into_iter().flatten().map(|index| (slot(index), U256::from(index + 1)));
        (account.address, record(index), own)
    }))
}

/// A block that changes accounts and slots all over the state, read through the snapshot as an execution would.
fn block(
    snapshot: &Snapshot,
    accounts: u64,
    slots: u64,
    changed: u64,
    changed_slots: u64,
    round: u64,
) -> Result<BlockChange, braid_storage::StorageError> {
    let pick = |index: u64, of: u64| (index * 7919 + round * 104_729 + 31) % of;
    let mut change = BlockChange::default();
    for index in 0..changed {
        let address = address(pick(index, accounts));
        let mut record = snapshot.account(address)?.unwrap_or_else(|| record(index));
        record.nonce += 1;
        change.accounts.push(AccountChange { address, present: Some(record), storage_wiped: false });
    }
    for index in 0..changed_slots {
        let index = pick(index, slots);
        let (address, slot) = (address(index % CONTRACTS), slot(index));
        let present = snapshot.slot(address, slot)? + U256::from(1);
        change.slots.push(SlotChange { address, slot, present });
    }
    Ok(change)
}
