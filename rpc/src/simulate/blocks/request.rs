//! What clients ask of `eth_simulateV1`, and the chain of blocks that follows from it: numbers and times go up, gaps are filled with empty blocks.

use crate::{RpcError, error::INVALID_PARAMS};
use alloy_eips::eip4895::Withdrawals;
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use serde::Deserialize;

/// Most blocks of one simulation, gaps counted.
pub(super) const MAX_BLOCKS: u64 = 256;
/// Seconds from block to block where no time is given.
const BLOCK_TIME: u64 = 12;

/// Block numbers do not go up.
pub(super) const NUMBER_ORDER: i32 = -38020;
/// Times do not go up.
pub(super) const TIME_ORDER: i32 = -38021;
/// More blocks than there may be.
pub(super) const TOO_MANY_BLOCKS: i32 = -38026;

/// Argument of `eth_simulateV1`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SimulateRequest {
    #[serde(default)]
    pub(super) block_state_calls: Vec<BlockRequest>,
    /// Whether transfers of ether appear as logs.
    #[serde(default)]
    pub(super) trace_transfers: bool,
    /// Whether transactions are checked as in a real block.
    #[serde(default)]
    pub(super) validation: bool,
    #[serde(default)]
    pub(super) return_full_transactions: bool,
}

/// A block to simulate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockRequest {
    #[serde(default)]
    block_overrides: Option<HeaderRequest>,
    #[serde(default)]
    state_overrides: Option<StateOverride>,
    #[serde(default)]
    calls: Vec<TransactionRequest>,
}

/// What a block is to have.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct HeaderRequest {
    #[serde(flatten)]
    pub(super) fields: BlockOverrides,
    #[serde(default)]
    pub(super) withdrawals: Option<Withdrawals>,
}

/// A block with its number and time.
#[derive(Clone, Debug, Default)]
pub(super) struct PlannedBlock {
    pub(super) number: u64,
    /// Seconds.
    pub(super) time: u64,
    pub(super) header: HeaderRequest,
    pub(super) state: StateOverride,
    pub(super) calls: Vec<TransactionRequest>,
}

/// The blocks after one with this number and time.
pub(super) fn plan(blocks: Vec<BlockRequest>, number: u64, time: u64) -> Result<Vec<PlannedBlock>, RpcError> {
    if blocks.is_empty() {
        return Err(RpcError::new(INVALID_PARAMS, "empty input"));
    }
    let too_many = || RpcError::new(TOO_MANY_BLOCKS, "too many blocks");
    if blocks.len() as u64 > MAX_BLOCKS {
        return Err(too_many());
    }
    let (mut last_number, mut last_time) = (number, time);
    let mut planned = Vec::new();
    for block in blocks {
        let header = block.block_overrides.unwrap_or_default();
        let wanted = header.fields.number.map_or(last_number + 1, |number| number.saturating_to());
        if wanted <= last_number {
            let message = format!("block numbers must be in order: {wanted} <= {last_number}");
            return Err(RpcError::new(NUMBER_ORDER, message));
        }
        if wanted - number > MAX_BLOCKS {
            return Err(too_many());
        }
        for number in last_number + 1..wanted {
            last_time = last_time.saturating_add(BLOCK_TIME);
            planned.push(PlannedBlock { number, time: last_time, ..PlannedBlock::default() });
        }
        let time = header.fields.time.unwrap_or(last_time.saturating_add(BLOCK_TIME));
        if time <= last_time {
            let message = format!("block timestamps must be in order: {time} <= {last_time}");
            return Err(RpcError::new(TIME_ORDER, message));
        }
        (last_number, last_time) = (wanted, time);
        let state = block.state_overrides.unwrap_or_default();
        planned.push(PlannedBlock { number: wanted, time, header, state, calls: block.calls });
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn planned(blocks: serde_json::Value) -> Result<Vec<(u64, u64)>, i32> {
        let request: SimulateRequest = serde_json::from_value(json!({ "blockStateCalls": blocks })).unwrap();
        let planned = plan(request.block_state_calls, 10, 100).map_err(|error| error.code)?;
        Ok(planned.iter().map(|block| (block.number, block.time)).collect())
    }

    #[test]
    fn blocks_follow_each_other_every_12_seconds() {
        assert_eq!(planned(json!([{}, {}])), Ok(vec![(11, 112), (12, 124)]));
        let second = json!({ "blockOverrides": { "number": "0xd", "time": "0x96" } });
        assert_eq!(planned(json!([{}, second])), Ok(vec![(11, 112), (12, 124), (13, 150)]));
    }

    #[test]
    fn numbers_and_times_go_up() {
        assert_eq!(planned(json!([])), Err(INVALID_PARAMS));
        assert_eq!(planned(json!([{ "blockOverrides": { "number": "0xa" } }])), Err(NUMBER_ORDER));
        assert_eq!(planned(json!([{ "blockOverrides": { "time": "0x64" } }])), Err(TIME_ORDER));
        // The empty block in between needs its time too.
        assert_eq!(planned(json!([{ "blockOverrides": { "number": "0xc", "time": "0x70" } }])), Err(TIME_ORDER));
    }

    #[test]
    fn blocks_are_at_most_256() {
        assert_eq!(planned(json!([{ "blockOverrides": { "number": "0x10a" } }])).unwrap().len(), 256);
        assert_eq!(planned(json!([{ "blockOverrides": { "number": "0x10b" } }])), Err(TOO_MANY_BLOCKS));
        assert_eq!(planned(json!(vec![json!({}); 257])), Err(TOO_MANY_BLOCKS));
        let largest = json!({ "number": "0xffffffffffffffffffffffffffffffff" });
        assert_eq!(planned(json!([{ "blockOverrides": largest }])), Err(TOO_MANY_BLOCKS));
    }
}
