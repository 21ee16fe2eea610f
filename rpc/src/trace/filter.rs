//! `trace_filter`.

use super::{limits, localized};
use crate::{Backend, MethodSet, RpcError, error::LIMIT_EXCEEDED, methods::Number, replay::replayed};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::Address;
use alloy_rpc_types_trace::{
    filter::{TraceFilter, TraceFilterMode},
    parity::LocalizedTransactionTrace,
};
use serde::Deserialize;

/// Most blocks of one call: each is executed again.
const MOST_BLOCKS: u64 = 1000;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "trace_filter(filter: TraceFilter) -> Trace[]",
        "Traces of a range of blocks (1,000 at most) by sender and recipient; `after` skips so many, `count` is how many to give.",
        |backend, (filter,): (Filter,)| find(backend, filter),
    );
}

/// What is looked for. The range is from the first to the latest block if nothing else is said.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    from_block: Option<BlockNumberOrTag>,
    to_block: Option<BlockNumberOrTag>,
    from_address: Option<Vec<Address>>,
    to_address: Option<Vec<Address>>,
    /// Union, as with Parity, if both lists are there; `intersection` wants both to match.
    mode: Option<TraceFilterMode>,
    after: Option<Number>,
    count: Option<Number>,
}

fn find(backend: &Backend, filter: Filter) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let number = |tag: BlockNumberOrTag| match tag {
        // Beyond the head is the head, so that a range can be open.
        BlockNumberOrTag::Number(number) => Ok(number),
        tag => Ok::<_, RpcError>(backend.required_block(Some(tag.into()))?.number()),
    };
    let head = backend.chain().head().number;
    let from = number(filter.from_block.unwrap_or(BlockNumberOrTag::Earliest))?;
    let to = number(filter.to_block.unwrap_or(BlockNumberOrTag::Latest))?.min(head);
    if from > to {
        return match from > head {
            true => Ok(Vec::new()),
            false => Err(RpcError::invalid_params("invalid block range: fromBlock is after toBlock")),
        };
    }
    if to - from >= MOST_BLOCKS {
        let message = format!("the range has {} blocks, the most is {MOST_BLOCKS}", to - from + 1);
        return Err(RpcError::new(LIMIT_EXCEEDED, message));
    }
    let matcher = TraceFilter::default()
        .from_address(filter.from_address.unwrap_or_default())
        .to_address(filter.to_address.unwrap_or_default())
        .mode(filter.mode.unwrap_or(TraceFilterMode::Union))
        .matcher();
    let mut skip = filter.after.map_or(0, Number::saturating_u64);
    let count = filter.count.map_or(usize::MAX, |count| count.0.saturating_to());
    let limits = limits(backend);
    let mut found = Vec::new();
    // The genesis has no traces.
    for number in from.max(1)..=to {
        if found.len() >= count {
            break;
        }
        let Some(block) = backend.chain().block_by_number(number)? else { break };
        let traces = replayed(|| localized::of_block(backend, &block, limits))?;
        for trace in traces.into_iter().filter(|trace| matcher.matches(&trace.trace)) {
            if skip > 0 {
                skip -= 1;
            } else if found.len() < count {
                found.push(trace);
            }
        }
    }
    Ok(found)
}
