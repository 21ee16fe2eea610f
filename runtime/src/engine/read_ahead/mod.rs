//! Reading ahead of the workers, for parent states that lie on a disk.
//!
//! Reader threads spend their time waiting for reads, so there may be many more of them than cores. They share two kinds of work, a [`Jobs`] list:
//! single keys to load into the [`BlockState`], and transactions to find out the keys of. Keys come first and in the order in which they were
//! asked for, which is block order; so the slots of one long transaction are read by many threads at once, which whoever runs the transaction
//! cannot do. Where the predictor cannot say what a transaction touches, it is run on the state at hand, for the sake of its reads alone
//! ([`reader`]).
//!
//! Nothing here is believed by anybody: entries are loaded as they would be by a worker, a read that fails is forgotten (whoever needs the key
//! reads it again), and what a run ahead did is dropped.

mod reader;
mod stoppable;

#[cfg(test)]
mod tests;

pub(crate) use reader::{Begun, ReaderMemories};

use super::block_context::BlockContext;
use crate::{
    predict::Predictor,
    state::{BlockState, Snapshot, SnapshotError},
};
use alloy_eip7928::BlockAccessList;
use alloy_eips::{eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS};
use alloy_primitives::{Address, U256, map::HashSet};
use parking_lot::{Condvar, Mutex, RwLock};
use rayon::ThreadPool;
use reader::{Guide, Reader};
use revm::primitives::{KECCAK_EMPTY, hardfork::SpecId};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, Ordering},
};
use stoppable::Stoppable;

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
    /// What comes after the last transaction needs these.
    last: Vec<Key>,
    /// Readers that may add keys.
    busy: usize,
    sleepers: usize,
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
        let jobs = Jobs { transactions: block.len(), last: last_keys(block), ..Jobs::default() };
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
            if !jobs.last.is_empty() {
                let last = std::mem::take(&mut jobs.last);
                last.into_iter().for_each(|key| jobs.request(key));
                self.changed.notify_all();
                continue;
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

/// What is touched after the last transaction: by withdrawals, and by the calls that collect requests (EIP-7002, EIP-7251).
fn last_keys(block: &BlockContext<'_>) -> Vec<Key> {
    let withdrawals = block.block.block().body.withdrawals.iter().flat_map(|all| all.iter());
    let mut keys: Vec<_> = withdrawals.map(|withdrawal| Key::Account(withdrawal.address)).collect();
    if block.spec.is_enabled_in(SpecId::PRAGUE) {
        // Both contracts keep excess, count, head and tail of their queue in the first four slots.
        for address in [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS] {
            keys.push(Key::Code(address));
            keys.extend((0..4_u64).map(|slot| Key::Slot(address, U256::from(slot))));
        }
    }
    keys
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
