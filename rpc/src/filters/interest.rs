//! Which logs of an event somebody wants.

use super::event::{BlockEvent, LogEvent};
use crate::eth::{LogFilter, LogRange};
use alloy_eips::BlockNumberOrTag;

/// The logs of a block that a filter wants. Ends of its range that are numbers count; tags do not, since events are always of the latest blocks.
pub(super) fn wanted<'a>(filter: &'a LogFilter, block: &'a BlockEvent) -> impl Iterator<Item = &'a LogEvent> {
    let number = block.header.number;
    let is_in_range = match filter.range {
        LogRange::Block(hash) => hash == block.hash,
        LogRange::Numbers { from, to } => {
            let is_after = !matches!(from, Some(BlockNumberOrTag::Number(from)) if number < from);
            let is_before = !matches!(to, Some(BlockNumberOrTag::Number(to)) if number > to);
            is_after && is_before
        }
    };
    let logs = if is_in_range && filter.may_match(&block.header.logs_bloom) { &block.logs[..] } else { &[] };
    logs.iter().filter(|event| filter.matches(&event.log))
}
