//! Which of the candidates a block takes.
//!
//! By fees alone a block takes the best that fit. When more is waiting, and many pay the same, who of them comes first is chance; then the members of
//! a chain that is longer than the block's gas divided by the cores give way to others that pay the same, but for the chain's share of
//! everything that waits: so a backlog is worked off evenly, and no block is left with nothing but the chain.

use super::{
    items::{Item, Items},
    options::{OrderOptions, WHOLE},
};
use std::ops::Range;

/// What a block has room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Gas.
    pub(super) gas: u64,
    /// Blob gas.
    pub(super) blob_gas: u64,
}

/// By so many quarters limits of chains are raised, one after the other, as long as the block would earn too little.
const LOOSER: [u64; 4] = [4, 5, 6, 8];
/// A chain has to become shorter by this part of itself, or nobody waits.
const LEAST_GAIN: u64 = 16;

/// Consecutive candidates of equal standing.
pub(super) fn bands(items: &Items, order: &[usize], tolerance: u16) -> Vec<Range<usize>> {
    let mut bands = Vec::new();
    let (mut from, mut least, mut most) = (0, 0, 0);
    for (position, index) in order.iter().enumerate() {
        let tip = items.list[*index].tip;
        let (lower, upper) = (tip.min(least), tip.max(most));
        if position > from && lower < at_least(upper, tolerance) {
            bands.push(from..position);
            from = position;
        }
        (least, most) = if position == from { (tip, tip) } else { (lower, upper) };
    }
    if from < order.len() {
        bands.push(from..order.len());
    }
    bands
}

/// What is left of an amount by a tolerance in basis points, rounded up.
fn at_least(amount: u128, tolerance: u16) -> u128 {
    let whole = u128::from(WHOLE);
    let kept = whole - u128::from(tolerance.min(WHOLE));
    (amount / whole) * kept + ((amount % whole) * kept).div_ceil(whole)
}

/// A block that is filled.
struct Filling<'a> {
    items: &'a Items,
    room: Room,
    /// What counts as the gas of a transaction.
    gas_of: fn(&Item) -> u64,
    /// Gas that is enough: nobody else is taken then.
    wanted: u64,
    /// Gas that is kept for those who may not be passed over, and the largest of their limits.
    kept: u64,
    spare: u64,
    /// Senders of whom a transaction did not fit.
    is_skipped: Vec<bool>,
    taken: Vec<usize>,
}

impl<'a> Filling<'a> {
    /// An empty block, in which everybody uses what is set aside.
    fn new(items: &'a Items, room: Room) -> Self {
        let is_skipped = vec![false; items.senders];
        let gas_of = |item: &Item| item.room;
        Self { items, room, gas_of, wanted: u64::MAX, kept: 0, spare: 0, is_skipped, taken: Vec::new() }
    }

    /// Takes a transaction if there is room for it beside what is kept.
    fn take(&mut self, index: usize) -> bool {
        let taken = self.room.gas.saturating_sub(self.kept + self.spare);
        let is_wanted = self.wanted > self.kept;
        self.take_of(index, taken, is_wanted)
    }

    /// Takes one of those for whom gas is kept.
    fn take_kept(&mut self, index: usize) -> bool {
        self.kept = self.kept.saturating_sub((self.gas_of)(&self.items.list[index]));
        self.take_of(index, self.room.gas, true)
    }

    fn take_of(&mut self, index: usize, gas_left: u64, is_wanted: bool) -> bool {
        let item = &self.items.list[index];
        let is_skipped = &mut self.is_skipped[item.sender as usize];
        let fits = item.gas_limit <= gas_left && item.blob_gas <= self.room.blob_gas;
        let takes = !*is_skipped && is_wanted && fits;
        if takes {
            let gas = (self.gas_of)(item);
            self.room.gas = self.room.gas.saturating_sub(gas);
            self.wanted = self.wanted.saturating_sub(gas);
            self.room.blob_gas -= item.blob_gas;
            self.taken.push(index);
        } else {
            *is_skipped = true;
        }
        takes
    }
}

/// Those that fit, by fees alone.
pub(super) fn by_fees(items: &Items, room: Room) -> Vec<usize> {
    let mut filling = Filling::new(items, room);
    for index in 0..items.list.len() {
        filling.take(index);
    }
    filling.taken
}

/// Limits of chains.
struct Limits {
    /// Most gas of those that read and write a key; of most keys there is no limit.
    most: Vec<u64>,
}

impl Limits {
    /// The limits, none if no chain is too long.
    fn new(items: &Items, room: Room, cores: u16, quarters: u64) -> Option<Self> {
        let mut load = vec![0_u64; items.keys];
        let mut all = 0_u64;
        for (index, item) in items.list.iter().enumerate() {
            all = all.saturating_add(item.gas);
            items.links(index).for_each(|key| load[key] = load[key].saturating_add(item.gas));
        }
        let free = room.gas / u64::from(cores.max(1));
        let mut is_any = false;
        let limit = |load: u64| {
            if load <= free {
                return u64::MAX;
            }
            is_any = true;
            let share = u128::from(load) * u128::from(room.gas) / u128::from(all.max(1));
            free.max(u64::try_from(share).unwrap_or(u64::MAX)).saturating_mul(quarters) / 4
        };
        let most = load.into_iter().map(limit).collect();
        is_any.then_some(Self { most })
    }
}

/// Who may be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Makes way for others.
    Yields,
    /// Makes way for nobody, but may find no room.
    Stays,
    /// Is in the block by fees alone, and has waited long enough or comes before one that has.
    Insists,
}

/// Fills a block band by band: first with what keeps the limits, then with what had to wait for that, as long as there is room.
///
/// What is set aside for transactions is more than they use, for some by more than for others; so here counts what they will probably use, until that
/// is as much as by fees alone, and the block has the same reserve.
fn within(
    items: &Items,
    plain: &[usize],
    bands: &[Range<usize>],
    room: Room,
    limits: &Limits,
    standings: &[Standing],
) -> Vec<usize> {
    let insisting = || plain.iter().filter(|index| standings[**index] == Standing::Insists);
    let mut filling = Filling {
        gas_of: |item| item.gas,
        wanted: plain.iter().map(|index| items.list[*index].gas).sum(),
        kept: insisting().map(|index| items.list[*index].gas).sum(),
        // Their limits, too, have to fit when it is their turn.
        spare: insisting().map(|index| items.list[*index].gas_limit).max().unwrap_or_default(),
        ..Filling::new(items, room)
    };
    let mut load = vec![0_u64; items.keys];
    let mut waits_in = vec![usize::MAX; items.senders];
    let mut waiting = Vec::new();
    for (band, range) in bands.iter().enumerate() {
        waiting.clear();
        for index in range.clone() {
            let Item { sender, gas, .. } = items.list[index];
            let add = |load: &mut [u64]| items.links(index).for_each(|key| load[key] = load[key].saturating_add(gas));
            if standings[index] == Standing::Insists {
                if filling.take_kept(index) {
                    add(&mut load);
                }
                continue;
            }
            let waits_in = &mut waits_in[sender as usize];
            let is_too_long = || items.links(index).any(|key| load[key].saturating_add(gas) > limits.most[key]);
            if *waits_in == band || (standings[index] == Standing::Yields && is_too_long()) {
                *waits_in = band;
                waiting.push(index);
            } else if filling.take(index) {
                add(&mut load);
            }
        }
        for index in &waiting {
            if filling.take(*index) {
                let gas = items.list[*index].gas;
                items.links(*index).for_each(|key| load[key] = load[key].saturating_add(gas));
            }
        }
    }
    filling.taken
}

/// Whether the limit of each transaction fits into what those before it leave, if these use what they probably will.
pub(super) fn fits(items: &Items, order: &[usize], room: Room) -> bool {
    let mut left = room.gas;
    order.iter().map(|index| &items.list[*index]).all(|item| {
        let fits = item.gas_limit <= left;
        left = left.saturating_sub(item.gas);
        fits
    })
}

/// What a block of these earns by tips, in wei, by expected gas.
pub(super) fn earnings(items: &Items, taken: &[usize]) -> u128 {
    let earned = |index: &usize| items.list[*index].tip.saturating_mul(items.list[*index].gas.into());
    taken.iter().map(earned).fold(0, u128::saturating_add)
}

/// Those that make a shorter longest chain than `plain`, the ones by fees alone, and earn as much; `None` if there is nothing to be gained. `standings` says who
/// can be passed over.
pub(super) fn by_chains(
    items: &Items,
    plain: &[usize],
    room: Room,
    options: &OrderOptions,
    standings: &[Standing],
) -> Option<Vec<usize>> {
    let before = items.longest_chain(plain);
    if plain.len() == items.list.len() || before <= room.gas / u64::from(options.cores.max(1)) {
        return None;
    }
    let everything: Vec<usize> = (0..items.list.len()).collect();
    let bands = bands(items, &everything, options.tip_tolerance);
    let enough = at_least(earnings(items, plain), options.tip_tolerance);
    for quarters in LOOSER {
        let limits = Limits::new(items, room, options.cores, quarters)?;
        let taken = within(items, plain, &bands, room, &limits, standings);
        if items.longest_chain(&taken) > before - before / LEAST_GAIN {
            return None;
        }
        if earnings(items, &taken) >= enough {
            return Some(taken);
        }
    }
    None
}
