//! How a chain works.

use crate::payload::OrderOptions;
use braid_runtime::EngineConfig;
use std::time::Duration;

/// How a [`Chain`](super::Chain) works. Nothing here changes which blocks are valid, but for `early_receipts`.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainOptions {
    /// How blocks are executed.
    pub execution: EngineConfig,
    /// Blocks of the canonical branch that stay in memory above the durable ones, so that a reorganisation among them does not touch
    /// the disk.
    pub blocks_in_memory: usize,
    /// Transactions in these blocks, beyond which the lowest are written earlier: large blocks take a lot of memory.
    pub transactions_in_memory: usize,
    /// Blocks written in one transaction, once so many more are there.
    pub blocks_per_commit: usize,
    /// Most blocks below the last written one at which a branch may leave the stored chain.
    pub deepest_branch: u64,
    /// Whether receipts roots before Byzantium are compared. Their receipts hold the state root after every transaction, so these
    /// blocks are executed a second time.
    pub early_receipts: bool,
    /// How transactions of blocks of our own are chosen and ordered.
    pub order: OrderOptions,
}

impl Default for ChainOptions {
    fn default() -> Self {
        Self {
            execution: EngineConfig::default(),
            blocks_in_memory: 64,
            transactions_in_memory: 100_000,
            blocks_per_commit: 16,
            deepest_branch: 1024,
            early_receipts: true,
            order: OrderOptions::default(),
        }
    }
}

/// How long the parts of taking a block took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Recovering the senders; zero if they were known.
    pub recover: Duration,
    /// Comparing header and body with the parent and with each other.
    pub validate: Duration,
    /// Executing the block.
    pub execute: Duration,
    /// Computing the state root and the receipts root, side by side.
    pub root: Duration,
    /// Waiting for earlier blocks to be written.
    pub commit: Duration,
}

impl std::ops::AddAssign for Timings {
    fn add_assign(&mut self, other: Self) {
        self.recover += other.recover;
        self.validate += other.validate;
        self.execute += other.execute;
        self.root += other.root;
        self.commit += other.commit;
    }
}
