//! Records that are not in use.
//!
//! A record lives from the execution of its transaction to its commit, which is soon after. Those given back last are taken first: they are still in
//! the processor's cache, which a record of its own for every transaction never would be.

use super::record::TransactionRecord;
use parking_lot::Mutex;

/// Records that a worker hands to the others at a time when it commits more than it executes.
const SHARE: usize = 8;

/// Boxed, because what is passed on is the pointer: a record is several cache lines.
type Stock = Vec<Record>;
type Record = Box<TransactionRecord>;

/// Records for all workers, kept from block to block.
#[derive(Debug, Default)]
pub(crate) struct RecordPool(Mutex<Stock>);

/// A worker's own stock of records.
#[derive(Debug)]
pub(crate) struct Records<'b> {
    pool: &'b RecordPool,
    own: Stock,
}

impl<'b> Records<'b> {
    pub(crate) const fn new(pool: &'b RecordPool) -> Self {
        Self { pool, own: Vec::new() }
    }

    /// A record to be overwritten.
    pub(crate) fn take(&mut self) -> Record {
        if self.own.is_empty() {
            let mut pool = self.pool.0.lock();
            let rest = pool.len().saturating_sub(SHARE);
            self.own.extend(pool.drain(rest..));
        }
        self.own.pop().unwrap_or_default()
    }

    /// Gives a record back.
    pub(crate) fn give(&mut self, record: Record) {
        if self.own.len() == 2 * SHARE {
            self.pool.0.lock().extend(self.own.drain(..SHARE));
        }
        self.own.push(record);
    }
}

impl Drop for Records<'_> {
    fn drop(&mut self) {
        self.pool.0.lock().append(&mut self.own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_worker_commits_another_can_use() {
        let pool = RecordPool::default();
        let (mut executes, mut commits) = (Records::new(&pool), Records::new(&pool));
        let (mut made, mut seen) = (0, std::collections::HashSet::new());
        for _ in 0..1_000 {
            let record = executes.take();
            made += usize::from(seen.insert(std::ptr::from_ref(&*record)));
            commits.give(record);
        }
        assert!(made <= 4 * SHARE, "{made} records for one at a time");
        drop((executes, commits));
        assert_eq!(pool.0.lock().len(), made);
    }
}
