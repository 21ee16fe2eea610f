//! What the database shares with its snapshots: the tables, the cache, idle readers and the head.

use super::read;
use crate::{
    StorageError,
    block::Head,
    snapshot::cache::{Cache, Generation},
    store::{ReadTransaction, Store},
};
use parking_lot::{Mutex, RwLock};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Idle read transactions kept for the next read.
const MAX_IDLE: usize = 64;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) cache: Cache,
    /// The block at which the tables and the cache are. Locked while the cache is brought from one block to another, so
    /// whoever has read it finds a cache that is not behind it. A reader that learns of no commits does not use it.
    published: RwLock<Head>,
    idle: Mutex<Idle>,
    /// Whether this process makes all commits, so that idle transactions can be dropped at each.
    writable: bool,
    /// Longest time for which an idle transaction is kept.
    max_age: Duration,
}

#[derive(Default)]
struct Idle(Vec<Reader>);

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Idle").field(&self.0.len()).finish()
    }
}

/// A read transaction and what it sees.
pub(crate) struct Reader {
    pub(crate) transaction: Box<dyn ReadTransaction + Send>,
    /// The generation in which it began.
    pub(crate) generation: Generation,
    /// The block whose state it sees.
    pub(crate) head: Head,
    began: Instant,
}

impl Shared {
    pub(crate) fn new(store: Arc<dyn Store>, cache: Cache, head: Head, writable: bool, max_age: Duration) -> Self {
        Self { store, cache, published: RwLock::new(head), idle: Mutex::default(), writable, max_age }
    }

    pub(crate) const fn is_writable(&self) -> bool {
        self.writable
    }

    /// Runs a read on a transaction that sees the last commit.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Reader) -> Result<T, StorageError>) -> Result<T, StorageError> {
        let reader = match self.take_idle() {
            Some(reader) => reader,
            None => self.begin()?,
        };
        let result = read(&reader);
        self.keep_idle(reader);
        result
    }

    /// A transaction of its own, for walks that take long.
    pub(crate) fn begin(&self) -> Result<Reader, StorageError> {
        let generation = self.cache.generation();
        let transaction = self.store.begin_read()?;
        let head = read::head(&*transaction)?.ok_or(StorageError::NotInitialised)?;
        Ok(Reader { transaction, generation, head, began: Instant::now() })
    }

    fn take_idle(&self) -> Option<Reader> {
        let reader = self.idle.lock().0.pop()?;
        self.is_fresh(&reader).then_some(reader)
    }

    fn keep_idle(&self, reader: Reader) {
        // A reader of another process's commits would pin old pages for as long as it is idle.
        if self.writable && self.is_fresh(&reader) {
            let mut idle = self.idle.lock();
            // Looked at again under the lock, which a commit takes to drop what is idle.
            if idle.0.len() < MAX_IDLE && self.is_fresh(&reader) {
                idle.0.push(reader);
            }
        }
    }

    fn is_fresh(&self, reader: &Reader) -> bool {
        reader.generation == self.cache.generation()
            && reader.generation.is_settled()
            && reader.began.elapsed() < self.max_age
    }

    /// The block at which the tables are.
    pub(crate) fn head(&self) -> Result<Head, StorageError> {
        if self.writable {
            return Ok(*self.published.read());
        }
        Ok(self.begin()?.head)
    }

    /// Runs a commit that moves the tables to `head`, and then `update_cache`.
    ///
    /// From before the commit until the cache is up to date, nothing that is read is put into the cache. Between the two,
    /// generations change once more: what is taken from the cache from then on may be of the new head, so snapshots have to
    /// be held against it.
    pub(crate) fn commit(
        &self,
        head: Head,
        commit: impl FnOnce() -> Result<(), StorageError>,
        update_cache: impl FnOnce(&Cache),
    ) -> Result<(), StorageError> {
        self.cache.begin_commit();
        self.idle.lock().0.clear();
        let result = commit();
        if result.is_ok() {
            let mut published = self.published.write();
            self.cache.begin_update();
            *published = head;
            update_cache(&self.cache);
        }
        self.cache.end_commit();
        result
    }
}
