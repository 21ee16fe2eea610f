//! The database of a chain: blocks, the state at the head, and how the state was at blocks before.
//!
//! [`open`] makes or checks it, [`append`] writes blocks, [`unwind`] takes them back, [`prune`] forgets history; `read` and
//! `write` have the single entries, [`history`] the index over the change sets, [`shared`] what snapshots share with it.
//!
//! One transaction writes everything of one or more blocks, so at every instant the tables hold exactly the state after
//! their head. Writers are serialised by a lock; readers never wait for them.

pub(crate) mod amend;
mod append;
mod blocks;
mod dump;
mod durable;
pub(crate) mod history;
mod maintenance;
mod open;
mod options;
mod prune;
pub(crate) mod read;
pub(crate) mod shared;
pub(crate) mod unwind;
mod verify;
mod write;
mod writer;

#[cfg(test)]
mod tests;

pub use append::ExecutedBlock;
pub use dump::DumpedAccount;
pub use maintenance::DatabaseStats;
pub use open::{Genesis, SCHEMA_VERSION};
pub use options::{ChainIdentity, DatabaseOptions, Durability, HistoryLimit};
pub use verify::{VerifyOptions, VerifyReport};

use crate::{
    StorageError,
    block::Head,
    snapshot::{Layer, PastState, Snapshot, cache::Cache},
    store::{MdbxOptions, MdbxStore, MemoryStore, Store, SyncPolicy},
};
use alloy_primitives::U256;
use shared::Shared;
use std::{path::Path, sync::Arc};
use writer::{Timer, Writer};

/// The database of a chain.
#[derive(Debug)]
pub struct Database {
    shared: Arc<Shared>,
    identity: ChainIdentity,
    options: DatabaseOptions,
    /// Dropped before the writer's store is.
    _timer: Option<Timer>,
    writer: Arc<Writer>,
}

impl Database {
    /// Opens the database of a folder, and makes it with this genesis if there is none. One of another chain is refused.
    pub fn create(path: &Path, genesis: &Genesis, options: DatabaseOptions) -> Result<Self, StorageError> {
        let store = MdbxStore::open(path, mdbx_options(options))?;
        Self::create_in(Arc::new(store), genesis, options)
    }

    /// Opens the database of a folder, which must hold a chain; if one is expected, that one.
    pub fn open(path: &Path, expected: Option<ChainIdentity>, options: DatabaseOptions) -> Result<Self, StorageError> {
        if !MdbxStore::exists(path) {
            return Err(crate::store::StoreError::Missing(path.to_path_buf()).into());
        }
        let store = MdbxStore::open(path, mdbx_options(options))?;
        Self::open_in(Arc::new(store), expected, options, true)
    }

    /// Opens the database of a folder for reading only, also while another process writes it.
    pub fn open_read_only(
        path: &Path,
        expected: Option<ChainIdentity>,
        options: DatabaseOptions,
    ) -> Result<Self, StorageError> {
        let store = MdbxStore::open_read_only(path, mdbx_options(options))?;
        Self::open_in(Arc::new(store), expected, options, false)
    }

    /// A database in memory that begins with this genesis.
    pub fn in_memory(genesis: &Genesis, options: DatabaseOptions) -> Result<Self, StorageError> {
        Self::create_in(Arc::new(MemoryStore::new()), genesis, options)
    }

    /// The same over any store.
    pub fn create_in(store: Arc<dyn Store>, genesis: &Genesis, options: DatabaseOptions) -> Result<Self, StorageError> {
        let stored = open::identity(&*store.begin_read()?)?;
        if stored.is_none() {
            open::initialise(&*store, genesis)?;
            store.sync()?;
        }
        Self::open_in(store, Some(genesis.identity()), options, true)
    }

    fn open_in(
        store: Arc<dyn Store>,
        expected: Option<ChainIdentity>,
        options: DatabaseOptions,
        writable: bool,
    ) -> Result<Self, StorageError> {
        let (identity, head) = {
            let transaction = store.begin_read()?;
            let identity = open::identity(&*transaction)?.ok_or(StorageError::NotInitialised)?;
            (identity, open::check(&*transaction, identity, expected)?)
        };
        let cache = Cache::new(options.cache, !writable);
        let shared = Shared::new(store, cache, head, writable, options.max_reader_age);
        let shared = Arc::new(shared);
        let writer = Arc::new(Writer::new(Arc::clone(&shared), head));
        let timer = match options.durability {
            Durability::Interval(interval) if writable => Some(Timer::start(Arc::clone(&writer), interval)),
            _ => None,
        };
        Ok(Self { shared, identity, options, _timer: timer, writer })
    }

    /// Chain id and genesis hash.
    pub const fn identity(&self) -> ChainIdentity {
        self.identity
    }

    /// The last block that was appended.
    pub fn head(&self) -> Result<Head, StorageError> {
        self.shared.head()
    }

    /// Sum of the difficulties of all blocks up to the head, the first block's among them.
    pub fn total_difficulty(&self) -> Result<U256, StorageError> {
        self.shared.read(|reader| read::total_difficulty(&*reader.transaction))
    }

    /// The last block that a loss of power cannot take back.
    pub fn durable_head(&self) -> Head {
        self.writer.durable.get()
    }

    /// Calls `watcher` each time the durable head moves, on the thread that moved it; it should not take long.
    pub fn watch_durable_head(&self, watcher: impl Fn(Head) + Send + Sync + 'static) {
        self.writer.durable.watch(Box::new(watcher));
    }

    /// Makes everything that was appended durable.
    pub fn flush(&self) -> Result<Head, StorageError> {
        let _turn = self.writer.turn();
        let head = self.shared.head()?;
        if self.shared.is_writable() {
            self.writer.sync(head)?;
        }
        Ok(head)
    }

    /// The state at the head.
    pub fn snapshot(&self) -> Result<Snapshot, StorageError> {
        Snapshot::new(Arc::clone(&self.shared), Vec::new())
    }

    /// The state after blocks above the head: their layers from the lowest to the highest. Layers that were appended
    /// already may be among them.
    pub fn snapshot_above(&self, layers: Vec<Arc<Layer>>) -> Result<Snapshot, StorageError> {
        Snapshot::new(Arc::clone(&self.shared), layers)
    }

    /// The state after a stored block.
    pub fn state_at(&self, number: u64) -> Result<PastState, StorageError> {
        PastState::new(Arc::clone(&self.shared), number)
    }

    /// The first block whose state can be read.
    pub fn history_from(&self) -> Result<u64, StorageError> {
        self.shared.read(|reader| read::history_from(&*reader.transaction))
    }

    /// Forgets the history that is needed to read the state below block `earliest`, a stretch at a time. Gives the first
    /// block whose state can be read afterwards.
    pub fn prune(&self, earliest: u64) -> Result<u64, StorageError> {
        const STRETCH: u64 = 256;
        loop {
            let _turn = self.writer.turn();
            let head = self.shared.head()?;
            let earliest = earliest.min(head.number);
            let mut transaction = self.shared.store.begin_write()?;
            let from = prune::prune(&mut *transaction, earliest, STRETCH)?;
            self.shared.commit(head, || Ok(transaction.commit()?), |_| {})?;
            if from >= earliest {
                return Ok(from);
            }
        }
    }
}

fn mdbx_options(options: DatabaseOptions) -> MdbxOptions {
    let sync = match options.durability {
        Durability::EveryBlock => SyncPolicy::EveryCommit,
        Durability::Interval(_) | Durability::None => SyncPolicy::OnRequest,
    };
    MdbxOptions { sync, ..options.mdbx }
}
