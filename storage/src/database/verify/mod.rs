//! Checking everything that is stored against everything else.
//!
//! The work is a list of [`Task`]s that threads take one after the other, each thread with a read transaction of its own on
//! the same head: `blocks` checks a range of blocks, `state` the tries, the plain state and the codes, `history` the change
//! sets and their index. What several tasks must agree on is added up and compared at the end.

mod blocks;
mod history;
mod state;

use super::{Database, read, shared::Reader};
use crate::{
    StorageError,
    block::Head,
    encoding::key,
    store::{ReadTransaction, Table},
};
use alloy_primitives::{Bytes, U256};
use parking_lot::Mutex;
use std::{
    sync::{
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// Blocks of one task.
const BLOCKS: u64 = 512;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// How often transactions on one head are tried for while another process writes.
const ATTEMPTS: usize = 16;

/// What a verification went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// The head whose state root was computed anew.
    pub head: Head,
    /// Number of blocks.
    pub blocks: u64,
    /// Number of accounts.
    pub accounts: u64,
    /// Number of storage slots.
    pub slots: u64,
    /// Number of stored trie nodes.
    pub nodes: u64,
    /// Number of codes.
    pub codes: u64,
}

/// How a verification goes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Threads; at least one.
    pub threads: usize,
    /// First block whose receipts have a root that can be computed: that of Byzantium. Before, receipts had state roots,
    /// which are not stored; of those only the number is checked, as of all if there is no such block.
    pub receipts_from: Option<u64>,
}

impl Database {
    /// [`verify_with`](Self::verify_with) on one thread, without the roots of receipts.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Result<VerifyReport, StorageError> {
        self.verify_with(VerifyOptions { threads: 1, receipts_from: None }, progress)
    }

    /// Checks that
    ///
    /// * the blocks form a chain from the first one to the head, each with the transactions, ommers, withdrawals and receipts
    ///   its header commits to, each transaction can be found, and the total difficulty is the sum of the difficulties;
    /// * the state has the root in the header of the head, computed anew from its leaves, with every trie node on the way;
    /// * hashed and plain state agree, and every code is there and has its hash;
    /// * change sets and their index agree.
    ///
    /// `progress` is called now and then with the number of entries so far. What is checked is the state at the beginning:
    /// others may go on writing.
    pub fn verify_with(
        &self,
        options: VerifyOptions,
        mut progress: impl FnMut(u64),
    ) -> Result<VerifyReport, StorageError> {
        let readers = self.readers(options.threads.max(1))?;
        let head = readers[0].head;
        let work = Work::new(&*readers[0].transaction, head, options.receipts_from)?;
        let (done, ended) = mpsc::channel();
        let mut result = Ok(());
        thread::scope(|scope| {
            for reader in readers {
                let (work, done) = (&work, done.clone());
                scope.spawn(move || {
                    let outcome = work.run(&*reader.transaction);
                    // Whoever listens outlives this thread.
                    let _ = done.send(outcome);
                });
            }
            drop(done);
            loop {
                match ended.recv_timeout(TELL) {
                    Ok(outcome) => result = std::mem::replace(&mut result, Ok(())).and(outcome),
                    Err(mpsc::RecvTimeoutError::Timeout) => progress(work.entries.load(Ordering::Relaxed)),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        result?;
        progress(work.entries.load(Ordering::Relaxed));
        let found = work.found.into_inner();
        found.compare(head)?;
        Ok(found.report)
    }

    /// Read transactions that see the same head; fewer if others write so fast that they do not come together.
    fn readers(&self, count: usize) -> Result<Vec<Reader>, StorageError> {
        let mut readers = vec![self.shared.begin()?];
        for _ in 0..ATTEMPTS {
            while readers.len() < count {
                let reader = self.shared.begin()?;
                if reader.head != readers[0].head {
                    break;
                }
                readers.push(reader);
            }
            if readers.len() == count {
                break;
            }
            readers = vec![self.shared.begin()?];
        }
        Ok(readers)
    }
}

/// A part of the work.
#[derive(Clone, Copy, Debug)]
enum Task {
    Tries,
    PlainAccounts,
    PlainSlots,
    Codes,
    /// An index and its change sets.
    History(Table, Table),
    /// Blocks from the first to the last.
    Blocks(u64, u64),
}

/// What the tasks share.
struct Work {
    head: Head,
    first: u64,
    receipts_from: Option<u64>,
    tasks: Vec<Task>,
    next: AtomicUsize,
    stop: AtomicBool,
    entries: AtomicU64,
    found: Mutex<Found>,
}

/// What was found, for comparison at the end.
#[derive(Debug, Default)]
struct Found {
    report: VerifyReport,
    plain_accounts: u64,
    plain_slots: u64,
    transactions: u64,
    difficulty: U256,
    stored: Stored,
}

/// What the tables say.
#[derive(Debug, Default)]
struct Stored {
    total_difficulty: U256,
    lookups: u64,
    /// Entries of the tables that have one for each block.
    per_block: Vec<(Table, u64)>,
}

impl Work {
    fn new(transaction: &dyn ReadTransaction, head: Head, receipts_from: Option<u64>) -> Result<Self, StorageError> {
        let first = match transaction.cursor(Table::Headers)?.first()? {
            Some((key, _)) => {
                crate::encoding::decode_block_number(&key).map_err(crate::error::at(Table::Headers, &key))?
            }
            None => return Err(StorageError::MissingBlock { table: Table::Headers, number: head.number }),
        };
        // The longest task comes first.
        let mut tasks = vec![
            Task::Tries,
            Task::PlainSlots,
            Task::PlainAccounts,
            Task::History(Table::StorageHistory, Table::StorageChanges),
            Task::History(Table::AccountHistory, Table::AccountChanges),
            Task::Codes,
        ];
        let mut number = first;
        while number <= head.number {
            let last = number.saturating_add(BLOCKS - 1).min(head.number);
            tasks.push(Task::Blocks(number, last));
            number = last + 1;
        }
        let entries = |table| Ok::<_, StorageError>(transaction.table_size(table)?.entries);
        let per_block = [Table::Headers, Table::CanonicalHashes, Table::BlockNumbers, Table::Bodies, Table::Receipts]
            .into_iter()
            .map(|table| Ok((table, entries(table)?)))
            .collect::<Result<_, StorageError>>()?;
        let stored = Stored {
            total_difficulty: read::total_difficulty(transaction)?,
            lookups: entries(Table::TransactionLookup)?,
            per_block,
        };
        let found = Found { report: VerifyReport { head, ..Default::default() }, stored, ..Default::default() };
        Ok(Self {
            head,
            first,
            receipts_from,
            tasks,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            entries: AtomicU64::new(0),
            found: Mutex::new(found),
        })
    }

    /// Does tasks until there are none, or until one fails anywhere. Only the first failure counts: tasks that end early
    /// because of it may find anything.
    fn run(&self, transaction: &dyn ReadTransaction) -> Result<(), StorageError> {
        while !self.stop.load(Ordering::Relaxed)
            && let Some(task) = self.tasks.get(self.next.fetch_add(1, Ordering::Relaxed))
        {
            let mut verifier = Verifier { work: self, transaction, entries: 0 };
            let result = verifier.run(*task);
            verifier.tell();
            if result.is_err() && !self.stop.swap(true, Ordering::Relaxed) {
                return result;
            }
        }
        Ok(())
    }
}

impl Found {
    /// Compares what different tasks have found.
    fn compare(&self, head: Head) -> Result<(), StorageError> {
        let VerifyReport { blocks, accounts, slots, .. } = self.report;
        // Every entry of one table has its entry in the other, so the same number means that there are no others.
        if self.plain_accounts != accounts {
            return disagree(Table::Accounts, &[]);
        }
        if self.plain_slots != slots {
            return disagree(Table::Storage, &[]);
        }
        if let Some((table, _)) = self.stored.per_block.iter().find(|(_, entries)| *entries != blocks) {
            return disagree(*table, &key::block(head.number));
        }
        if self.transactions != self.stored.lookups {
            return disagree(Table::TransactionLookup, &[]);
        }
        if self.difficulty != self.stored.total_difficulty {
            return disagree(Table::Metadata, key::metadata::TOTAL_DIFFICULTY);
        }
        Ok(())
    }
}

/// One task at work.
struct Verifier<'a> {
    work: &'a Work,
    transaction: &'a dyn ReadTransaction,
    /// Entries that were not told yet.
    entries: u64,
}

impl Verifier<'_> {
    fn run(&mut self, task: Task) -> Result<(), StorageError> {
        match task {
            Task::Tries => self.tries(),
            Task::PlainAccounts => self.plain_accounts(),
            Task::PlainSlots => self.plain_slots(),
            Task::Codes => self.codes(),
            Task::History(index, changes) => self.history(index, changes),
            Task::Blocks(first, last) => self.blocks(first, last),
        }
    }

    /// Counts an entry; tells whether the task should go on.
    fn count(&mut self) -> bool {
        self.entries += 1;
        if self.entries.is_multiple_of(1 << 10) {
            self.tell();
        }
        !self.work.stop.load(Ordering::Relaxed)
    }

    fn tell(&mut self) {
        self.work.entries.fetch_add(std::mem::take(&mut self.entries), Ordering::Relaxed);
    }
}

fn disagree<T>(table: Table, key: &[u8]) -> Result<T, StorageError> {
    Err(StorageError::TablesDisagree { table, key: Bytes::copy_from_slice(key) })
}
