//! The order of a block: what is contended makes way, among transactions of equal standing.
//!
//! A step between the choice of candidates, which come in the order of fees, and their execution. [`items`] has them with what they will probably touch,
//! as the engine's predictor says; [`select`] decides who is taken when not all fit, [`spread`] in which order; [`waits`] sees to it that nobody is passed over for
//! long. Everything here is a guess about speed: which blocks are valid, nonces, limits and tips do not depend on it. Where nothing is known the order
//! stays that of fees.

mod items;
mod options;
mod select;
mod spread;
#[cfg(test)]
mod tests;
mod waits;

pub use options::{Arrangement, OrderOptions};
pub(crate) use waits::Waits;

use super::GasUse;
use alloy_consensus::transaction::Recovered;
use alloy_primitives::B256;
use braid_runtime::{
    Transaction,
    predict::{BlockContext, Predictor},
};
use braid_storage::Snapshot;
use items::{Collector, Items, ParentState};
use select::{Room, Standing};
use std::time::Instant;

/// The block that candidates are chosen for.
pub(crate) struct Frame<'a> {
    pub(crate) parent: &'a Snapshot,
    pub(crate) block: BlockContext,
    /// Gas limit.
    pub(crate) gas: u64,
    /// Most blob gas.
    pub(crate) blob_gas: u64,
}

/// Chooses transactions for a block out of candidates in the order of fees, and orders them. `gas_use` tells how much gas to set aside for each.
pub(crate) fn arrange(
    candidates: Vec<Recovered<Transaction>>,
    frame: &Frame<'_>,
    predictor: &Predictor,
    options: &OrderOptions,
    waits: &mut Waits,
    gas_use: &GasUse,
) -> (Vec<Recovered<Transaction>>, Option<Arrangement>) {
    let begin = Instant::now();
    let mut collector = Collector::new();
    collector.add(&candidates, frame.block.base_fee, gas_use);
    let limits = Room { gas: frame.gas, blob_gas: frame.blob_gas };
    let plain = select::by_fees(collector.items(), limits);
    let is_full = plain.len() < candidates.len();
    let wants_all = options.spreading || (options.selection && is_full);
    if !wants_all || plain.len() < options.least || predictor.is_empty() {
        return (pick(candidates, &plain), None);
    }
    let state = ParentState::new(frame.parent);
    collector.predict(&candidates, predictor, &state, frame.block, !options.spreading);
    let items = collector.items();
    let hash = |index: usize| *candidates[index].tx_hash();
    let (order, passed_over) = decide(items, plain.clone(), limits, options, waits, frame.block.number, hash);
    let arrangement = Arrangement {
        candidates: candidates.len(),
        known: items.list.iter().filter(|item| item.is_known).count(),
        moved: order.iter().zip(&plain).filter(|(now, before)| now != before).count(),
        passed_over,
        path_by_fees: items.longest_chain(&plain),
        path: items.longest_chain(&order),
        nanos: begin.elapsed().as_nanos() as u64,
    };
    (pick(candidates, &order), Some(arrangement))
}

/// The order of those that are taken, and how many of `plain` make way.
fn decide(
    items: &Items,
    plain: Vec<usize>,
    room: Room,
    options: &OrderOptions,
    waits: &mut Waits,
    number: u64,
    hash: impl Fn(usize) -> B256,
) -> (Vec<usize>, usize) {
    let mut taken = plain;
    let mut passed_over = 0;
    if options.selection && taken.len() < items.list.len() {
        let standings = standings(items, &taken, options, waits, number, &hash);
        let selected = select::by_chains(items, &taken, room, options, &standings);
        if let Some(selected) = selected.filter(|_| waits.has_room_for(taken.len())) {
            let mut sorted = selected.clone();
            sorted.sort_unstable();
            taken.retain(|index| sorted.binary_search(index).is_err());
            waits.note(taken.iter().map(|index| hash(*index)), number);
            passed_over = taken.len();
            taken = selected;
        }
    }
    if options.spreading {
        let bands = select::bands(items, &taken, options.tip_tolerance);
        let spread = spread::spread(items, &taken, &bands);
        if select::fits(items, &spread, room) {
            taken = spread;
        }
    }
    (taken, passed_over)
}

/// Who may be passed over in the block with this number.
fn standings(
    items: &Items,
    plain: &[usize],
    options: &OrderOptions,
    waits: &Waits,
    number: u64,
    hash: impl Fn(usize) -> B256,
) -> Vec<Standing> {
    let mut standings: Vec<_> =
        (items.list.iter()).map(|item| if item.is_known { Standing::Yields } else { Standing::Stays }).collect();
    // From the last to the first: whoever comes before one that insists, of the same sender, insists too.
    let mut insists = vec![false; items.senders];
    for index in plain.iter().rev() {
        let insists = &mut insists[items.list[*index].sender as usize];
        *insists |= !waits.may_wait(&hash(*index), number, options.longest_wait);
        if *insists {
            standings[*index] = Standing::Insists;
        }
    }
    standings
}

/// The candidates at these positions, in that order.
fn pick(candidates: Vec<Recovered<Transaction>>, order: &[usize]) -> Vec<Recovered<Transaction>> {
    let mut candidates: Vec<_> = candidates.into_iter().map(Some).collect();
    order.iter().filter_map(|index| candidates[*index].take()).collect()
}
