//! Finds logs.
//!
//! Headers first: a block whose bloom filter excludes every match is not read. The range is searched a stretch at a time, each on all threads, so that a
//! limit ends the search early and others get their turn in between.

use super::{LogFilter, LogRange};
use crate::{
    Backend, RpcError,
    error::LIMIT_EXCEEDED,
    eth::json::{BlockContext, LogJson},
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bloom};
use braid_chain::{BlockReceipts, ChainBlock};
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::value::{RawValue, to_raw_value};
use std::time::Instant;

/// Blocks that are searched between two looks at the limits.
const STRETCH: u64 = 2048;
/// Blocks that one thread takes at a time.
const PORTION: u64 = 32;

/// Logs that were found, in the order of the chain.
#[derive(Debug, Default)]
pub(crate) struct FoundLogs {
    blocks: Vec<LogsOfBlock>,
    count: usize,
}

/// The wanted logs of a block.
#[derive(Debug)]
struct LogsOfBlock {
    context: BlockContext,
    receipts: BlockReceipts,
    found: Vec<Place>,
}

/// Where a log is in a block.
#[derive(Clone, Copy, Debug)]
struct Place {
    transaction: usize,
    transaction_hash: B256,
    /// Index among the logs of the transaction, and among those of the block.
    log: usize,
    log_index: usize,
}

impl FoundLogs {
    /// As JSON.
    pub(crate) fn to_json(&self) -> serde_json::Result<Box<RawValue>> {
        to_raw_value(self)
    }
}

impl Serialize for FoundLogs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.count))?;
        for block in &self.blocks {
            for place in &block.found {
                let transaction = (place.transaction_hash, place.transaction);
                let log = &block.receipts[place.transaction].logs[place.log];
                list.serialize_element(&LogJson::new(log, &block.context, transaction, place.log_index))?;
            }
        }
        list.end()
    }
}

impl Backend {
    /// Finds the logs that a filter wants.
    ///
    /// # Errors
    /// -32602 for a range that makes no sense or ends above the head; -32000 for an unknown block and, as in geth, for the pending one; -32005 if there are too many blocks or logs, or it takes
    /// too long.
    pub(crate) fn find_logs(&self, filter: &LogFilter) -> Result<FoundLogs, RpcError> {
        let mut found = FoundLogs::default();
        match filter.range {
            LogRange::Block(hash) => {
                let block = self.chain().block(&hash)?.ok_or_else(|| RpcError::server("unknown block"))?;
                if filter.may_match(&block.header().logs_bloom) {
                    self.collect(&mut found, self.logs_of_block(filter, &block)?)?;
                }
            }
            LogRange::Numbers { from, to } => {
                if let Some((first, last)) = self.log_range(from, to)? {
                    self.search(filter, first, last, &mut found)?;
                }
            }
        }
        Ok(found)
    }

    /// The numbers of the first and the last block; none if the range begins above the latest block.
    fn log_range(
        &self,
        from: Option<BlockNumberOrTag>,
        to: Option<BlockNumberOrTag>,
    ) -> Result<Option<(u64, u64)>, RpcError> {
        let head = self.chain().head().number;
        let number = |tag: Option<BlockNumberOrTag>| match tag.unwrap_or_default() {
            BlockNumberOrTag::Number(number) => Ok(number),
            BlockNumberOrTag::Latest => Ok(head),
            BlockNumberOrTag::Pending => Err(RpcError::server("pending logs are not supported")),
            tag => Ok::<_, RpcError>(self.required_block(Some(BlockId::Number(tag)))?.number()),
        };
        let (first, last) = (number(from)?, number(to)?);
        let is_number = |tag: Option<BlockNumberOrTag>| tag.is_some_and(|tag| tag.is_number());
        if is_number(from) && is_number(to) && first > last {
            return Err(RpcError::invalid_params("invalid block range params"));
        }
        if last > head {
            return Err(RpcError::invalid_params("block range extends beyond current head block"));
        }
        if first > last {
            return Ok(None);
        }
        let limit = self.options().max_log_blocks;
        if limit > 0 && last - first >= limit {
            return Err(RpcError::new(LIMIT_EXCEEDED, format!("query exceeds max block range {limit}")));
        }
        Ok(Some((first, last)))
    }

    fn search(&self, filter: &LogFilter, first: u64, last: u64, found: &mut FoundLogs) -> Result<(), RpcError> {
        let begin = Instant::now();
        let mut next = first;
        while next <= last {
            let end = last.min(next + STRETCH - 1);
            let portions: Vec<u64> = (next..=end).step_by(PORTION as usize).collect();
            let search = |start: u64| {
                let numbers = start..=end.min(start + PORTION - 1);
                let blocks = numbers.filter_map(|number| self.logs_of_number(filter, number).transpose());
                blocks.collect::<Result<Vec<_>, RpcError>>()
            };
            let blocks = match portions.as_slice() {
                // Not worth a thread of its own.
                &[start] => vec![search(start)?],
                _ => portions.into_par_iter().map(search).collect::<Result<Vec<_>, _>>()?,
            };
            for block in blocks.into_iter().flatten() {
                self.collect(found, block)?;
            }
            if begin.elapsed() > self.options().call_timeout {
                return Err(RpcError::new(LIMIT_EXCEEDED, "query timeout exceeded"));
            }
            next = end + 1;
        }
        Ok(())
    }

    fn collect(&self, found: &mut FoundLogs, block: LogsOfBlock) -> Result<(), RpcError> {
        let limit = self.options().max_logs;
        found.count += block.found.len();
        if limit > 0 && found.count > limit {
            return Err(RpcError::new(LIMIT_EXCEEDED, format!("query returned more than {limit} results")));
        }
        found.blocks.push(block);
        Ok(())
    }

    fn logs_of_number(&self, filter: &LogFilter, number: u64) -> Result<Option<LogsOfBlock>, RpcError> {
        let chain = self.chain();
        let Some(header) = chain.canonical_header(number)? else { return Ok(None) };
        // No log sets no bit.
        if header.logs_bloom == Bloom::ZERO || !filter.may_match(&header.logs_bloom) {
            return Ok(None);
        }
        let Some(block) = chain.block_by_number(number)? else { return Ok(None) };
        self.logs_of_block(filter, &block).map(Some)
    }

    fn logs_of_block(&self, filter: &LogFilter, block: &ChainBlock) -> Result<LogsOfBlock, RpcError> {
        let receipts = self.chain().block_receipts(block)?;
        let (mut found, mut first_log) = (Vec::new(), 0);
        for (transaction, receipt) in receipts.iter().enumerate() {
            for (log, _) in receipt.logs.iter().enumerate().filter(|(_, log)| filter.matches(log)) {
                let transaction_hash = *block.transactions()[transaction].tx_hash();
                found.push(Place { transaction, transaction_hash, log, log_index: first_log + log });
            }
            first_log += receipt.logs.len();
        }
        Ok(LogsOfBlock { context: BlockContext::of(block), receipts, found })
    }
}
