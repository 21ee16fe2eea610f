//! `braid_getHotSlots`.

use super::{
    analysis::Analysis,
    traceable,
    types::{HotSlotOptions, HotSlots},
};
use crate::{Backend, RpcError, replay::replayed};
use alloy_eips::BlockId;

/// Fields in an answer, if no other number is asked for.
const USUAL: usize = 32;

pub(super) fn of_block(backend: &Backend, id: BlockId, options: &HotSlotOptions) -> Result<HotSlots, RpcError> {
    let block = traceable(backend, id)?;
    let analysis = replayed(|| Analysis::of(backend, &block))?;
    Ok(HotSlots {
        place: analysis.place,
        transactions: block.transactions().len(),
        slots: analysis.hot_slots(options.limit.unwrap_or(USUAL)),
    })
}
