//! Reading ahead of the workers, for parent states that lie on a disk.
//!
//! Reader threads spend their time waiting for reads, so there may be many more of them than cores. They share two kinds of work, a [`Jobs`] list:
//! single keys to load into the [`BlockState`], and transactions to find out the keys of. Keys come first and in the order in which they were
//! asked for, which is block order; so the slots of one long transaction are read by many threads at once, which whoever runs the transaction
//! cannot do. Where the predictor cannot say what a transaction touches, it is run on the state at hand, for the sake of its reads alone
//! ([`Reader::run_ahead`]).
//!
//! Nothing here is believed by anybody: entries are loaded as they would be by a worker, a read that fails is forgotten (whoever needs the key
//! reads it again), and what a run ahead did is dropped.

use super::{block_context::BlockContext, plan};
use crate::{
    RecoveredBlock,
    evm::{self, LeanEvm, WorkerMemory},
    predict::{AccountFields, KeccakCache, PredictedKey, Prediction, Predictor, SharedHashes, StateView},
    state::{BlockState, Snapshot, SnapshotError},
};
use alloy_consensus::Transaction as _;
use alloy_eip7928::BlockAccessList;
use alloy_evm::FromRecoveredTx;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, map::HashSet};
use braid_precompiles::BraidPrecompiles;
use parking_lot::{Condvar, Mutex, RwLock};
use rayon::ThreadPool;
use revm::{
    context::{BlockEnv, CfgEnv, TxEnv},
    primitives::KECCAK_EMPTY,
    state::Bytecode,
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Times that a prediction is made again with the slots that it had to look at: a pool's tokens, a proxy behind a proxy.
const ROUNDS: usize = 6;

/// Something to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(Address),
    /// An account with its code.
    Code(Address),
    Slot(Address, U256),
}

#[derive(Debug)]
enum Job {
    Key(Key),
    /// Position of a transaction whose keys are to be found out.
    Transaction(usize),
}

/// What there is to do for readers.
#[derive(Debug, Default)]
struct Jobs {
    keys: VecDeque<Key>,
    /// All keys that were ever in `keys`.
    requested: HashSet<Key>,
    /// The next transaction, and the number of them.
    next: usize,
    transactions: usize,
    /// Readers that may add keys.
    busy: usize,
    sleepers: usize,
}

/// What readers keep from block to block.
#[derive(Debug, Default)]
pub(crate) struct ReaderMemories(Mutex<Vec<ReaderMemory>>);

struct ReaderMemory {
    worker: Option<WorkerMemory>,
    keccak: KeccakCache,
    prediction: Prediction,
}

impl std::fmt::Debug for ReaderMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReaderMemory").finish_non_exhaustive()
    }
}

impl ReaderMemories {
    /// Forgets all hashes.
    pub(crate) fn forget_hashes(&mut self) {
        for memory in self.0.get_mut() {
            memory.keccak.clear();
            if let Some(worker) = &mut memory.worker {
                worker.keccak.clear();
            }
        }
    }

    fn take(&self, hashes: &Option<Arc<SharedHashes>>) -> ReaderMemory {
        let kept = self.0.lock().pop();
        kept.unwrap_or_else(|| ReaderMemory {
            worker: None,
            keccak: KeccakCache::sharing(hashes.clone()),
            prediction: Prediction::default(),
        })
    }
}

/// What leads the readers through a block of which no list was supplied.
struct Guide<'b> {
    block: &'b RecoveredBlock,
    predictor: &'b RwLock<Predictor>,
    cfg: CfgEnv,
    env: BlockEnv,
    precompiles: BraidPrecompiles,
    hashes: Option<Arc<SharedHashes>>,
    memories: &'b ReaderMemories,
    begun: Begun,
}

/// Which transactions the EVM has begun to run: nobody need find out their keys any more.
pub(crate) type Begun = Arc<[AtomicBool]>;

impl Guide<'_> {
    fn has_begun(&self, position: usize) -> bool {
        self.begun.get(position).is_some_and(|begun| begun.load(Ordering::Relaxed))
    }
}

/// The reading ahead of one block.
pub(crate) struct ReadAhead<'b> {
    snapshot: Stoppable<'b>,
    state: &'b BlockState,
    guide: Option<Guide<'b>>,
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

impl<'b> ReadAhead<'b> {
    /// For the transactions of a block, in its order. The block notes in `begun` what it has begun to run.
    pub(crate) fn of_block(
        block: &mut BlockContext<'b>,
        predictor: &'b RwLock<Predictor>,
        memories: &'b ReaderMemories,
    ) -> Self {
        let begun: Begun = (0..block.len()).map(|_| AtomicBool::new(false)).collect();
        block.begun = Some(begun.clone());
        let guide = Guide {
            block: block.block,
            predictor,
            cfg: block.cfg.clone(),
            env: block.env.clone(),
            precompiles: block.precompiles.clone(),
            hashes: block.hashes.clone(),
            memories,
            begun,
        };
        let jobs = Jobs { transactions: block.len(), ..Jobs::default() };
        Self::new(block.snapshot, block.state, Some(guide), jobs)
    }

    /// For everything that a supplied list names.
    pub(crate) fn of_list(snapshot: &'b dyn Snapshot, state: &'b BlockState, list: &BlockAccessList) -> Self {
        let mut jobs = Jobs::default();
        list_keys(list, |key| jobs.request(key));
        Self::new(snapshot, state, None, jobs)
    }

    fn new(snapshot: &'b dyn Snapshot, state: &'b BlockState, guide: Option<Guide<'b>>, jobs: Jobs) -> Self {
        let snapshot = Stoppable { inner: snapshot, is_over: AtomicBool::new(false) };
        Self { snapshot, state, guide, jobs: Mutex::new(jobs), changed: Condvar::new() }
    }

    /// Does `work` while the threads of `readers` read ahead of it. They are gone when this returns.
    pub(crate) fn during<T>(&self, readers: &ThreadPool, work: impl FnOnce() -> T) -> T {
        readers.in_place_scope(|scope| {
            for _ in 0..readers.current_num_threads() {
                scope.spawn(|_| self.read());
            }
            let _over = StopOnDrop(self);
            work()
        })
    }

    fn stop(&self) {
        self.snapshot.is_over.store(true, Ordering::Release);
        // Under the lock, so that nobody looks before and sleeps after.
        let jobs = self.jobs.lock();
        drop(jobs);
        self.changed.notify_all();
    }

    fn read(&self) {
        let mut reader = self.guide.as_ref().map(|guide| Reader::new(self, guide));
        while let Some(job) = self.take() {
            match job {
                Job::Key(key) => drop(self.load(key)),
                Job::Transaction(position) => {
                    let _busy = LeaveOnDrop(self);
                    if let Some(reader) = &mut reader {
                        // A failed read is no verdict: whoever needs the key will read it again.
                        let _ = reader.transaction(position);
                    }
                }
            }
        }
        if let Some(reader) = reader {
            reader.give_memory_back();
        }
    }

    /// The next job. Sleeps while there may be another; `None` when there are no more.
    fn take(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        loop {
            if self.snapshot.is_over() {
                return None;
            }
            if let Some(key) = jobs.keys.pop_front() {
                return Some(Job::Key(key));
            }
            while self.guide.as_ref().is_some_and(|guide| guide.has_begun(jobs.next)) {
                jobs.next += 1;
            }
            if jobs.next < jobs.transactions {
                jobs.next += 1;
                jobs.busy += 1;
                return Some(Job::Transaction(jobs.next - 1));
            }
            if jobs.busy == 0 {
                return None;
            }
            jobs.sleepers += 1;
            self.changed.wait(&mut jobs);
            jobs.sleepers -= 1;
        }
    }

    /// Asks for keys to be loaded by whoever comes to it.
    fn request(&self, keys: impl Iterator<Item = Key>) {
        let mut jobs = self.jobs.lock();
        let before = jobs.keys.len();
        keys.for_each(|key| jobs.request(key));
        let to_wake = (jobs.keys.len() - before).min(jobs.sleepers);
        drop(jobs);
        for _ in 0..to_wake {
            self.changed.notify_one();
        }
    }

    fn load(&self, key: Key) -> Result<(), SnapshotError> {
        let (Key::Account(address) | Key::Code(address) | Key::Slot(address, _)) = key;
        let account = self.state.account(&self.snapshot, address)?;
        match key {
            Key::Account(_) => {}
            Key::Code(_) => {
                let hash = account.base.map_or(KECCAK_EMPTY, |base| base.code_hash);
                if hash != KECCAK_EMPTY && account.base_code().is_none() {
                    account.set_base_code(self.snapshot.code(hash)?);
                }
            }
            Key::Slot(_, slot) => drop(self.state.slot(&self.snapshot, account, slot)?),
        }
        Ok(())
    }
}

impl Jobs {
    fn request(&mut self, key: Key) {
        if self.requested.insert(key) {
            self.keys.push_back(key);
        }
    }
}

/// All keys of a block's access list.
fn list_keys(list: &BlockAccessList, mut visit: impl FnMut(Key)) {
    for account in list {
        visit(Key::Code(account.address));
    }
    for account in list {
        let changed = account.storage_changes.iter().map(|changes| changes.slot);
        changed.chain(account.storage_reads.iter().copied()).for_each(|slot| visit(Key::Slot(account.address, slot)));
    }
}

/// Ends the reading ahead, also if the work panics.
struct StopOnDrop<'a, 'b>(&'a ReadAhead<'b>);

impl Drop for StopOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Tells that a reader adds no more keys.
struct LeaveOnDrop<'a, 'b>(&'a ReadAhead<'b>);

impl Drop for LeaveOnDrop<'_, '_> {
    fn drop(&mut self) {
        let mut jobs = self.0.jobs.lock();
        jobs.busy -= 1;
        if jobs.busy == 0 && jobs.keys.is_empty() {
            self.0.changed.notify_all();
        }
    }
}

/// One reader thread.
struct Reader<'a, 'b> {
    ahead: &'a ReadAhead<'b>,
    guide: &'a Guide<'b>,
    memory: ReaderMemory,
    /// Made when first needed.
    evm: Option<LeanEvm<'a>>,
}

impl<'a, 'b> Reader<'a, 'b> {
    fn new(ahead: &'a ReadAhead<'b>, guide: &'a Guide<'b>) -> Self {
        Self { ahead, guide, memory: guide.memories.take(&guide.hashes), evm: None }
    }

    fn give_memory_back(self) {
        let Self { mut memory, evm, guide, .. } = self;
        if let Some(evm) = evm {
            memory.worker = Some(evm.ctx.journaled_state.into_memory());
        }
        guide.memories.0.lock().push(memory);
    }

    /// Finds out what a transaction touches and asks for it to be loaded.
    fn transaction(&mut self, position: usize) -> Result<(), SnapshotError> {
        let (ahead, guide) = (self.ahead, self.guide);
        let tx = &guide.block.transactions()[position];
        let sender = guide.block.senders()[position];
        let declared = tx.access_list().into_iter().flat_map(|list| list.iter()).flat_map(|item| {
            let slots = item.storage_keys.iter().map(|slot| Key::Slot(item.address, (*slot).into()));
            std::iter::once(Key::Account(item.address)).chain(slots)
        });
        let created = tx.kind().is_create().then(|| Key::Account(sender.create(tx.nonce())));
        ahead.request(std::iter::once(Key::Account(sender)).chain(created).chain(declared));
        let code_hash = match tx.kind() {
            TxKind::Call(to) => {
                let account = ahead.state.account(&ahead.snapshot, to)?;
                account.base.map_or(KECCAK_EMPTY, |base| base.code_hash)
            }
            TxKind::Create => B256::ZERO,
        };
        if code_hash == KECCAK_EMPTY {
            return Ok(());
        }
        if let TxKind::Call(to) = tx.kind() {
            ahead.request(std::iter::once(Key::Code(to)));
            if self.predict(position, code_hash)? {
                return Ok(());
            }
        }
        self.run_ahead(position);
        Ok(())
    }

    /// Asks for everything that the predictor foretells. False when that is not all.
    fn predict(&mut self, position: usize, code_hash: B256) -> Result<bool, SnapshotError> {
        let (ahead, guide) = (self.ahead, self.guide);
        let shape = plan::shape_of(guide.block, &guide.env, position, code_hash);
        let ReaderMemory { keccak, prediction, .. } = &mut self.memory;
        for _ in 0..ROUNDS {
            let view = InMemory { state: ahead.state, missing: RefCell::default() };
            // The predictor is not held while anything is read: the view answers from memory or not at all.
            guide.predictor.read().predict(&shape, &view, keccak, prediction);
            let certain = prediction.keys.iter().filter(|access| !access.assumed).map(|access| access.key);
            ahead.request(certain.flat_map(keys_of).flatten());
            let missing = view.missing.into_inner();
            if missing.is_empty() {
                break;
            }
            for key in missing {
                ahead.load(key)?;
            }
        }
        Ok(prediction.known && !prediction.incomplete)
    }

    /// Runs a transaction on the state at hand, for the sake of what it reads.
    fn run_ahead(&mut self, position: usize) {
        let (ahead, guide) = (self.ahead, self.guide);
        if guide.has_begun(position) {
            return;
        }
        let memory = &mut self.memory;
        let evm = self.evm.get_or_insert_with(|| {
            let worker = memory.worker.take().unwrap_or_else(|| WorkerMemory::new(guide.hashes.clone()));
            let (cfg, env) = (guide.cfg.clone(), guide.env.clone());
            evm::lean_evm(&ahead.snapshot, ahead.state, worker, guide.precompiles.clone(), cfg, env)
        });
        let tx = &guide.block.transactions()[position];
        let env = TxEnv::from_recovered_tx(tx, guide.block.senders()[position]);
        // What comes of it is of no interest.
        let _ = evm::run(evm, env, position as u32 + 1, true);
    }
}

/// What has to be loaded for a predicted key.
fn keys_of(key: PredictedKey) -> [Option<Key>; 2] {
    match key {
        PredictedKey::Slot { address, slot, .. } => [Some(Key::Slot(address, slot)), Some(Key::Code(address))],
        PredictedKey::Account { address, fields, .. } if fields.contains(AccountFields::CODE) => {
            [Some(Key::Code(address)), None]
        }
        PredictedKey::Account { address, .. } => [Some(Key::Account(address)), None],
    }
}

/// The parent state as far as it has been read. Notes what was asked for and is not there.
struct InMemory<'b> {
    state: &'b BlockState,
    missing: RefCell<Vec<Key>>,
}

impl InMemory<'_> {
    fn miss<T>(&self, key: Key) -> Option<T> {
        let mut missing = self.missing.borrow_mut();
        if !missing.contains(&key) {
            missing.push(key);
        }
        None
    }
}

impl StateView for InMemory<'_> {
    fn storage(&self, address: Address, slot: U256) -> Option<U256> {
        let known = self.state.known_account(&address).and_then(|account| self.state.known_slot(account, &slot));
        known.map(|slot| slot.last()).or_else(|| self.miss(Key::Slot(address, slot)))
    }

    fn code_hash(&self, address: Address) -> Option<B256> {
        match self.state.known_account(&address) {
            Some(account) => account.base.map(|base| base.code_hash),
            None => self.miss(Key::Account(address)),
        }
    }

    fn code(&self, address: Address) -> Option<Bytes> {
        let Some(account) = self.state.known_account(&address) else { return self.miss(Key::Code(address)) };
        account.base.filter(|base| base.code_hash != KECCAK_EMPTY)?;
        account.base_code().map(Bytecode::original_bytes).or_else(|| self.miss(Key::Code(address)))
    }
}

/// The parent state until the block is over, so that nobody reads on after that.
struct Stoppable<'b> {
    inner: &'b dyn Snapshot,
    is_over: AtomicBool,
}

/// Nobody needs the answer any more.
#[derive(Debug, thiserror::Error)]
#[error("the block is over")]
struct Over;

impl Stoppable<'_> {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn unless_over<T>(&self, read: impl FnOnce() -> Result<T, SnapshotError>) -> Result<T, SnapshotError> {
        if self.is_over() { Err(SnapshotError::new(Over)) } else { read() }
    }
}

impl revm::DatabaseRef for Stoppable<'_> {
    type Error = SnapshotError;

    fn basic_ref(&self, address: Address) -> Result<Option<revm::state::AccountInfo>, SnapshotError> {
        self.unless_over(|| self.inner.account(address))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, SnapshotError> {
        self.unless_over(|| self.inner.code(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, SnapshotError> {
        self.unless_over(|| self.inner.storage(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, SnapshotError> {
        self.unless_over(|| self.inner.block_hash(number))
    }
}
