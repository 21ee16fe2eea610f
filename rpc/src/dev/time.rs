//! The clock of the chain.

use crate::{Backend, MethodSet, RpcError, methods::Number};
use braid_chain::MAX_TIMESTAMP;

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "evm_increaseTime(seconds: Quantity) -> Integer",
        "Moves the clock; the next block shows it. Gives how many seconds it is ahead in all.",
        |backend, (seconds,): (Number,)| {
            let ahead = backend.required_producer()?.increase_time(seconds.saturating_u64())?;
            ahead.ok_or_else(too_big)
        },
    );
    methods.alias("anvil_increaseTime", "evm_increaseTime");
    methods.quick(
        "evm_setTime(timestamp: Quantity) -> Integer",
        "Sets the clock, in seconds since 1970. Gives how many seconds it is ahead.",
        |backend, (timestamp,): (Number,)| {
            backend.required_producer()?.set_time(timestamp.saturating_u64()).ok_or_else(too_big)
        },
    );
    methods.alias("anvil_setTime", "evm_setTime");
    methods.quick(
        "evm_setNextBlockTimestamp(timestamp: Quantity) -> Null",
        "Timestamp of the next block, in seconds; time goes on from there.",
        |backend, (timestamp,): (Number,)| set_next_timestamp(backend, timestamp),
    );
    methods.alias("anvil_setNextBlockTimestamp", "evm_setNextBlockTimestamp");
    methods.quick(
        "anvil_setBlockTimestampInterval(seconds: Quantity) -> Null",
        "Seconds between the timestamps of blocks from now on, whatever the clock says.",
        |backend, (seconds,): (Number,)| {
            let seconds = seconds.saturating_u64();
            if seconds > MAX_TIMESTAMP {
                return Err(too_big());
            }
            backend.required_producer()?.set_timestamp_interval(Some(seconds));
            Ok(())
        },
    );
    methods.quick(
        "anvil_removeBlockTimestampInterval() -> Bool",
        "Lets timestamps follow the clock again. Gives whether they did not.",
        |backend, (): ()| Ok(backend.required_producer()?.set_timestamp_interval(None)),
    );
    methods.quick(
        "anvil_getGenesisTime() -> Integer",
        "Timestamp of the first block, in seconds.",
        |backend, (): ()| {
            let genesis = backend.chain().block_by_number(0)?;
            Ok(genesis.map(|block| block.header().timestamp))
        },
    );
}

/// In the words of anvil.
fn too_big() -> RpcError {
    RpcError::invalid_params(format!("The timestamp is too big: the latest is {MAX_TIMESTAMP}"))
}

/// Sets the timestamp of the next block.
pub(super) fn set_next_timestamp(backend: &Backend, timestamp: Number) -> Result<(), RpcError> {
    let timestamp = timestamp.saturating_u64();
    if timestamp > MAX_TIMESTAMP {
        return Err(too_big());
    }
    if backend.required_producer()?.set_next_timestamp(timestamp)? {
        return Ok(());
    }
    let head = backend.chain().head_block()?.header().timestamp;
    Err(RpcError::invalid_params(format!(
        "Timestamp error: {timestamp} is lower than or equal to previous block's timestamp {head}"
    )))
}

#[cfg(test)]
mod tests {
    use crate::test_node::{ALICE, BOB, Node, transfer};
    use braid_chain::MiningMode;
    use serde_json::json;

    #[tokio::test]
    async fn times_beyond_all_time_are_refused_and_break_nothing() {
        let node = Node::new(MiningMode::Manual);
        let most = u64::try_from(i64::MAX).unwrap();
        for method in [
            "evm_setNextBlockTimestamp",
            "anvil_setTime",
            "evm_increaseTime",
            "anvil_setBlockTimestampInterval",
            "evm_mine",
        ] {
            for time in [json!(u64::MAX), json!("0xffffffffffffffff"), json!(most + 1), json!("0xffffffffffffffffffff")]
            {
                let (code, message) = node.error(method, json!([time])).await;
                assert_eq!(code, -32602, "{method}");
                assert!(message.starts_with("The timestamp is too big"), "{method}: {message}");
            }
        }
        // As far as it goes, blocks are made, also beyond.
        for step in [json!(["evm_setNextBlockTimestamp", most]), json!(["anvil_setBlockTimestampInterval", most])] {
            node.call(step[0].as_str().unwrap(), json!([step[1]])).await;
            for _ in 0..2 {
                node.call("eth_sendTransaction", json!([transfer(ALICE, BOB)])).await;
                node.call("evm_mine", json!([])).await;
            }
        }
        node.call("hardhat_mine", json!(["0x2", "0xffffffffffffffff"])).await;
        let block = node.call("eth_getBlockByNumber", json!(["latest"])).await;
        assert_eq!((&block["number"], &block["timestamp"]), (&json!("0x6"), &json!(format!("{:#x}", most + 5))));
        assert_eq!(node.call("eth_getTransactionCount", json!([ALICE])).await, json!("0x4"));
        let (code, _) = node.error("evm_increaseTime", json!([1])).await;
        assert_eq!(code, -32602, "nothing is later");
        node.call("eth_estimateGas", json!([transfer(ALICE, BOB)])).await;
    }
}
