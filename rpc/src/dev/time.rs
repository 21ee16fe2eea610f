//! The clock of the chain.

use crate::{Backend, MethodSet, RpcError, methods::Number};

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "evm_increaseTime(seconds: Quantity) -> Integer",
        "Moves the clock; the next block shows it. Gives how many seconds it is ahead in all.",
        |backend, (seconds,): (Number,)| {
            let seconds = i64::try_from(seconds.0)
                .map_err(|_| RpcError::invalid_params("invalid argument 0: too many seconds"))?;
            Ok(backend.required_producer()?.increase_time(seconds)?)
        },
    );
    methods.alias("anvil_increaseTime", "evm_increaseTime");
    methods.quick(
        "evm_setTime(timestamp: Quantity) -> Integer",
        "Sets the clock, in seconds since 1970. Gives how many seconds it is ahead.",
        |backend, (timestamp,): (Number,)| Ok(backend.required_producer()?.set_time(timestamp.saturating_u64())),
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
            backend.required_producer()?.set_timestamp_interval(Some(seconds.saturating_u64()));
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

/// Sets the timestamp of the next block.
pub(super) fn set_next_timestamp(backend: &Backend, timestamp: Number) -> Result<(), RpcError> {
    let timestamp = timestamp.saturating_u64();
    if backend.required_producer()?.set_next_timestamp(timestamp)? {
        return Ok(());
    }
    let head = backend.chain().head_block()?.header().timestamp;
    Err(RpcError::invalid_params(format!(
        "Timestamp error: {timestamp} is lower than or equal to previous block's timestamp {head}"
    )))
}
