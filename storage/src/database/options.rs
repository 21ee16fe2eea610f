//! How a database is opened.

use crate::{block::Head, snapshot::cache::CacheLimits, store::MdbxOptions};
use alloy_primitives::B256;
use std::time::Duration;

/// Which chain a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainIdentity {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// Hash of the first block.
    pub genesis_hash: B256,
}

/// When appended blocks survive a crash of the operating system or a loss of power. A crash of the process alone never
/// loses an appended block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// As soon as [`Database::append`](crate::Database::append) returns.
    #[default]
    EveryBlock,
    /// After this much time, whether others follow or not, or when [`Database::flush`](crate::Database::flush) is called.
    Interval(Duration),
    /// When the database is closed, or when [`Database::flush`](crate::Database::flush) is called.
    None,
}

/// For how long the state at past blocks can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HistoryLimit {
    /// From the first block on.
    #[default]
    All,
    /// So many blocks below the head.
    Blocks(u64),
}

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseOptions {
    /// When blocks reach the disk.
    pub durability: Durability,
    /// How long history is kept.
    pub history: HistoryLimit,
    /// How much is kept in memory.
    pub cache: CacheLimits,
    /// Longest time for which an idle read transaction is kept for the next read.
    pub max_reader_age: Duration,
    /// The file. Its sync policy follows from the durability.
    pub mdbx: MdbxOptions,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            history: HistoryLimit::default(),
            cache: CacheLimits::default(),
            max_reader_age: Duration::from_secs(5),
            mdbx: MdbxOptions::default(),
        }
    }
}

/// Calls back with a head.
pub(super) type HeadWatcher = Box<dyn Fn(Head) + Send + Sync>;
