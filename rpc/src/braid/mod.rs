//! `braid_`: why was this block not faster? For people who write contracts, and for tools that draw it.
//!
//! * `schedule`: `braid_getBlockSchedule` runs a block through a parallel engine of its own and tells how that went, with the bounds of what is possible;
//!   `laboratory` holds that engine.
//! * `analysis` tells what the transactions of a block have to do with each other: what `braid_runtime::explain` finds in a serial execution.
//! * `hot_slots`: `braid_getHotSlots`; `conflicts`: `braid_getConflicts`.
//!
//! Everything is described field by field in `types`. Counts, gas and nanoseconds are plain numbers; state is hex, as everywhere.

mod analysis;
mod conflicts;
mod hot_slots;
mod laboratory;
mod schedule;
#[cfg(test)]
mod tests;
mod types;

use crate::{Backend, MethodSet, RpcError, replay::ReplayError};
use alloy_eips::BlockId;
use alloy_primitives::B256;
use laboratory::Laboratory;
use std::sync::Arc;
use types::{HotSlotOptions, ScheduleOptions};

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    let laboratory = Arc::new(Laboratory::default());
    methods.slow(
        "braid_getBlockSchedule(block: BlockId, options?: ScheduleOptions) -> BlockSchedule",
        "How the parallel engine executes a block: groups, lanes, dependencies, critical path, executions in vain, how good the predictions were, \
         and the bounds of any speed-up. Options: `threads`, `mode` (`forced` or `parallel`), `learnFrom` (blocks before that are learned from).",
        move |backend, (block, options): (BlockId, Option<ScheduleOptions>)| {
            schedule::of_block(backend, &laboratory, block, &options.unwrap_or_default())
        },
    );
    methods.slow(
        "braid_getHotSlots(block: BlockId, options?: HotSlotOptions) -> HotSlots",
        "The storage slots and account fields that make transactions of a block wait for each other, the most contended first. Options: `limit`.",
        |backend, (block, options): (BlockId, Option<HotSlotOptions>)| {
            hot_slots::of_block(backend, block, &options.unwrap_or_default())
        },
    );
    methods.slow(
        "braid_getConflicts(hash: Hash) -> Conflicts",
        "Which transactions of its block a transaction had to wait for, and which had to wait for it, with the fields of the state and their \
         values.",
        |backend, (hash,): (B256,)| conflicts::of_transaction(backend, hash),
    );
}

/// The block, which must have a parent.
fn traceable(backend: &Backend, id: BlockId) -> Result<Arc<braid_chain::ChainBlock>, RpcError> {
    let block = backend.required_block(Some(id))?;
    if block.number() == 0 { Err(ReplayError::Genesis.into()) } else { Ok(block) }
}
