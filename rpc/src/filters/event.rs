//! What happened to the chain, with as much of it as anybody may want: blocks are not held, only their headers and logs.

use crate::eth::json::{BlockContext, LogJson};
use alloy_consensus::{Header, TxReceipt};
use alloy_primitives::{B256, Log};
use braid_chain::Reorganisation;
use braid_storage::ExecutedBlock;

/// The head moved.
#[derive(Debug)]
pub(super) struct HeadEvent {
    /// Blocks that left the chain, from the highest to the lowest.
    pub(super) removed: Vec<BlockEvent>,
    /// Blocks that came, from the lowest to the highest.
    pub(super) added: Vec<BlockEvent>,
}

/// A block that came or went.
#[derive(Debug)]
pub(super) struct BlockEvent {
    pub(super) hash: B256,
    pub(super) header: Header,
    pub(super) logs: Vec<LogEvent>,
    context: BlockContext,
}

/// A log of a block.
#[derive(Debug)]
pub(super) struct LogEvent {
    pub(super) log: Log,
    transaction: (B256, usize),
    index: usize,
}

impl HeadEvent {
    pub(super) fn new(reorganisation: &Reorganisation) -> Self {
        let events = |blocks: &[_]| blocks.iter().map(|block: &std::sync::Arc<_>| BlockEvent::new(block)).collect();
        Self { removed: events(&reorganisation.removed), added: events(&reorganisation.added) }
    }

    /// The blocks with whether they were removed, in the order in which clients are told.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (&BlockEvent, bool)> {
        let removed = self.removed.iter().map(|block| (block, true));
        removed.chain(self.added.iter().map(|block| (block, false)))
    }
}

impl BlockEvent {
    fn new(block: &ExecutedBlock) -> Self {
        let header = block.header.clone();
        let hash = header.hash_slow();
        let context = BlockContext {
            hash,
            number: header.number,
            timestamp: header.timestamp,
            base_fee: header.base_fee_per_gas,
        };
        let mut logs = Vec::new();
        for (place, (transaction, receipt)) in block.body.transactions.iter().zip(&block.receipts).enumerate() {
            for log in receipt.logs() {
                let index = logs.len();
                logs.push(LogEvent { log: log.clone(), transaction: (*transaction.tx_hash(), place), index });
            }
        }
        Self { hash, header, logs, context }
    }

    /// A log as clients see it.
    pub(super) fn log_json<'a>(&'a self, event: &'a LogEvent, is_removed: bool) -> LogJson<'a> {
        let json = LogJson::new(&event.log, &self.context, event.transaction, event.index);
        if is_removed { json.removed() } else { json }
    }
}
