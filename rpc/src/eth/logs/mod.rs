//! Logs: `filter` says which ones are wanted, `scan` finds them in the blocks.

mod filter;
mod scan;

pub(crate) use filter::{LogFilter, LogRange};

use crate::MethodSet;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "eth_getLogs(filter: LogFilter) -> Log[]",
        "Logs of a range of blocks, or of one block, by address and topics.",
        |backend, (filter,): (LogFilter,)| {
            let json = backend.find_logs(&filter)?.to_json();
            json.map_err(crate::RpcError::internal)
        },
    );
}
