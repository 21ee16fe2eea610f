//! A chain: what is stored, the tree of blocks above it, and the one way by which blocks come in.
//!
//! [`Chain::insert`] validates a block against its parent, executes it, compares every root and keeps it in the `tree`; `heads` moves
//! the head among the blocks of the tree; `build` makes blocks of our own; `folding` writes the lowest canonical blocks to the database on a thread of its own once
//! there are enough of them. `invalid` remembers what was refused.
//!
//! A reorganisation among the blocks in memory does not touch the disk. One that reaches below them unwinds the database first.

mod amend;
mod build;
mod early;
mod error;
mod folding;
mod heads;
mod insert;
mod invalid;
mod latest;
mod options;
mod read;
mod recent;
mod tree;
mod view;
mod watch;

pub use error::{ChainError, InvalidReason};
pub use heads::Reorganisation;
pub use insert::{Inserted, Novelty};
pub use options::{ChainOptions, Timings};
pub use view::{BlockReceipts, ChainBlock, StateView, TransactionPlace};

use crate::{
    execution::Executor,
    execution_engine::ForkChoiceState,
    payload::{GasUse, NoTransactions, PayloadStore, TransactionSource, Waits},
    senders::SenderCache,
};
use alloy_primitives::B256;
use braid_runtime::ChainSpec;
use braid_storage::{Database, Head, Layer};
use folding::Folding;
use invalid::InvalidBlocks;
use latest::LatestState;
use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;
use recent::RecentTransactions;
use std::sync::{Arc, atomic::AtomicU64};
use tree::{Surplus, Tree};
use view::ByTransactions;
use watch::Watchers;

/// Blocks that are kept for those who look at them, about; and transactions in them.
const VIEWED_BLOCKS: usize = 64;
const VIEWED_TRANSACTIONS: u64 = 50_000;

/// A chain. All methods can be called from any thread; blocks come in one at a time.
#[derive(Debug)]
pub struct Chain {
    database: Arc<Database>,
    spec: ChainSpec,
    options: ChainOptions,
    /// Held by whoever inserts a block or moves the head.
    executor: Mutex<Executor>,
    tree: RwLock<Tree>,
    /// The last layer that led from the tables back to a stored block, for branches that leave there.
    rewound: Mutex<Option<Arc<Layer>>>,
    invalid: Mutex<InvalidBlocks>,
    senders: SenderCache,
    folding: Folding,
    /// Blocks that were looked at.
    viewed: Cache<B256, Arc<ChainBlock>, ByTransactions>,
    /// The state after the head.
    latest: LatestState,
    /// Where the transactions of canonical blocks in memory are.
    recent: Mutex<RecentTransactions>,
    watchers: Watchers,
    /// How often the state was changed without a block.
    amendments: AtomicU64,
    /// What blocks of our own are filled by.
    gas_use: Mutex<GasUse>,
    /// Who made way for others in blocks of our own.
    waits: Mutex<Waits>,
    pub(crate) fork_choice: RwLock<ForkChoiceState>,
    pub(crate) payloads: Mutex<PayloadStore>,
    pub(crate) source: RwLock<Arc<dyn TransactionSource>>,
}

impl Chain {
    /// The chain of a database. Its head is that of the database.
    pub fn new(database: Database, spec: ChainSpec, options: ChainOptions) -> Result<Self, ChainError> {
        let database = Arc::new(database);
        let tree = read::stored_tree(&database)?;
        let executor = Executor::new(options.execution.clone(), options.early_receipts)?;
        let folding = Folding::start(Arc::clone(&database)).map_err(|error| ChainError::Writer(Arc::new(error)))?;
        Ok(Self {
            database,
            spec,
            options,
            executor: Mutex::new(executor),
            tree: RwLock::new(tree),
            rewound: Mutex::default(),
            invalid: Mutex::default(),
            senders: SenderCache::default(),
            folding,
            viewed: Cache::with_weighter(VIEWED_BLOCKS, VIEWED_TRANSACTIONS, ByTransactions),
            latest: LatestState::default(),
            recent: Mutex::default(),
            watchers: Watchers::default(),
            amendments: AtomicU64::new(0),
            gas_use: Mutex::default(),
            waits: Mutex::default(),
            fork_choice: RwLock::default(),
            payloads: Mutex::default(),
            source: RwLock::new(Arc::new(NoTransactions)),
        })
    }

    /// What is stored. Blocks above its head are only in memory.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The fork schedule.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// Senders that are known already, by the hash of the transaction. A transaction pool adds what it has recovered.
    pub const fn senders(&self) -> &SenderCache {
        &self.senders
    }

    /// Writes every canonical block to disk and makes it durable. Gives the head.
    pub fn flush(&self) -> Result<Head, ChainError> {
        let _writer = self.executor.lock();
        self.write_all()?;
        Ok(self.database.flush()?)
    }

    /// Writes every canonical block to disk, without waiting for it to be durable.
    pub fn write(&self) -> Result<(), ChainError> {
        let _writer = self.executor.lock();
        self.write_all()
    }

    /// Whether every canonical block is written.
    pub fn is_written(&self) -> bool {
        self.tree.read().depth() == 0
    }

    fn write_all(&self) -> Result<(), ChainError> {
        loop {
            self.folding.wait();
            self.settle()?;
            let blocks = self.tree.read().lowest(self.options.blocks_per_commit.max(1));
            if blocks.is_empty() {
                return Ok(());
            }
            self.folding.begin(blocks);
        }
    }

    /// Takes out of the tree what was written meanwhile.
    fn settle(&self) -> Result<(), ChainError> {
        if let Some(written) = self.folding.written()? {
            self.tree.write().advance(written, self.options.deepest_branch);
            self.recent.lock().written(written.number);
        }
        Ok(())
    }

    /// Takes out of the tree what was written, before a block is executed on `parent`. What is being written lies below the head, so a block
    /// anywhere else has to wait for it: its snapshot would be outdated in the middle of the block. Whoever calls this holds the executor,
    /// so that nothing begins to be written meanwhile.
    fn make_room_for(&self, parent: &B256) -> Result<(), ChainError> {
        if self.head().hash != *parent {
            self.folding.wait();
        }
        self.settle()
    }

    /// Begins to write the lowest canonical blocks if there are enough. Waits when writing falls far behind.
    fn fold(&self) -> Result<(), ChainError> {
        let ChainOptions { blocks_in_memory, transactions_in_memory, blocks_per_commit, .. } = self.options;
        self.settle()?;
        let surplus = |tree: &Tree| tree.surplus(blocks_in_memory, transactions_in_memory);
        // Large blocks are written one by one.
        let batch_of = |surplus: &Surplus| if surplus.is_crowded { 1 } else { blocks_per_commit.max(1) };
        let found = surplus(&self.tree.read());
        if found.blocks >= 2 * batch_of(&found) {
            self.folding.wait();
            self.settle()?;
        }
        if self.folding.is_idle() {
            // It may have become idle since the last look.
            self.settle()?;
            let tree = self.tree.read();
            let found = surplus(&tree);
            if found.blocks >= batch_of(&found) {
                self.folding.begin(tree.lowest(found.blocks));
            }
        }
        Ok(())
    }
}
