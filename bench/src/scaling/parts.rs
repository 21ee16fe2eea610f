//! What the engine does without a ready queue: runs of plain transfers, exact lists, and the folding of the state.
//!
//! All of them are shares that each thread takes as it comes: [`Crew`] is the threads with the time at which each is free.

use super::simulate::{Contention, ThreadCosts};

/// Transfers of a run that a thread takes at a time.
pub(super) const CHUNK: usize = 128;
/// Shards of the state.
const STATE_SHARDS: u64 = 32;
/// Entries from which on folding, and ten times that from which on clearing, is shared.
const SHARED_FROM: usize = 2_000;
/// Transactions that a worker takes from an exact list at a time, at most.
const MOST: usize = 8;

/// Threads with the time at which each is free, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Crew {
    free: Vec<u64>,
    factor: f64,
    /// All of them together at work.
    pub busy: u64,
}

impl Crew {
    /// The caller's own thread is there at once, the others when they are awake.
    pub fn new(cores: usize, threads: &ThreadCosts, contention: &Contention) -> Self {
        let mut free: Vec<u64> =
            (0..cores as u64).map(|helper| helper.saturating_sub(1) * threads.spawn + threads.pool_wake).collect();
        free[0] = threads.spawn * (cores as u64 - 1);
        Self { free, factor: contention.factor(cores), busy: 0 }
    }

    /// Nobody begins before this time.
    pub fn not_before(&mut self, time: u64) {
        self.free.iter_mut().for_each(|free| *free = (*free).max(time));
    }

    /// Whoever is free first does the next piece.
    pub fn do_next(&mut self, nanos: u64) {
        let nanos = (nanos as f64 * self.factor) as u64;
        self.busy += nanos;
        if let Some(first) = self.free.iter_mut().min() {
            *first += nanos;
        }
    }

    /// When the last one is done.
    pub fn end(&self) -> u64 {
        self.free.iter().copied().max().unwrap_or(0)
    }
}

/// Wall time and busy time of all cores, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Wall time.
    pub wall: u64,
    /// Busy time.
    pub busy: u64,
}

impl Part {
    /// Work of one thread.
    pub const fn serial(nanos: u64) -> Self {
        Self { wall: nanos, busy: nanos }
    }

    fn of(crew: &Crew) -> Self {
        Self { wall: crew.end(), busy: crew.busy }
    }
}

impl std::ops::AddAssign for Part {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.busy += other.busy;
    }
}

/// A run of plain transfers: chunks of it are taken apart, and when all are, the parts are applied shard by shard. `parts` has the accounts of its
/// transfers as numbers, two for each.
pub fn transfer_run(gather: u64, apply: u64, parts: &[u64], mut crew: Crew, cores: usize) -> Part {
    let transfers = parts.len() / 2;
    if transfers == 0 {
        return Part::default();
    }
    if cores == 1 {
        return Part::serial(gather + apply);
    }
    for start in (0..transfers).step_by(CHUNK) {
        let count = CHUNK.min(transfers - start) as u64;
        crew.do_next(gather * count / transfers as u64);
    }
    crew.not_before(crew.end());
    let shards = (4 * cores).next_power_of_two();
    let mut weights = vec![0_u64; shards];
    for account in parts {
        weights[(account.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & (shards - 1)] += 1;
    }
    weights.iter().for_each(|weight| crew.do_next(apply * weight / parts.len() as u64));
    Part::of(&crew)
}

/// Transactions of a block with an exact list, with their gas limits and costs: those that may be long first and one by one, the others by the handful.
pub fn exact(each: &[(u64, u64)], gas_used: u64, prepared: u64, mut crew: Crew, cores: usize) -> Part {
    let mut order: Vec<usize> = (0..each.len()).collect();
    let mut long = 0;
    if cores > 1 {
        order.sort_by_key(|index| std::cmp::Reverse(each[*index].0.checked_ilog2()));
        let is_long = gas_used / (32 * cores as u64);
        long = order.partition_point(|index| each[*index].0 >= 1 << is_long.max(1).ilog2());
    }
    crew.not_before(prepared);
    let mut next = 0;
    while next < order.len() {
        let wanted = if next < long { 1 } else { ((order.len() - next) / (8 * cores)).clamp(1, MOST) };
        let end = order.len().min(next + wanted);
        crew.do_next(order[next..end].iter().map(|index| each[*index].1).sum());
        next = end;
    }
    Part { wall: crew.end(), busy: crew.busy + prepared }
}

/// Folding the state into the outcome, shard by shard.
pub fn fold(nanos: u64, entries: usize, crew: Crew) -> Part {
    shared(nanos, entries >= SHARED_FROM, crew)
}

/// Emptying the state for the next block.
pub fn clear(nanos: u64, entries: usize, crew: Crew) -> Part {
    shared(nanos, entries >= 10 * SHARED_FROM, crew)
}

fn shared(nanos: u64, is_shared: bool, mut crew: Crew) -> Part {
    if !is_shared || crew.free.len() == 1 {
        return Part::serial(nanos);
    }
    (0..STATE_SHARDS).for_each(|_| crew.do_next(nanos / STATE_SHARDS));
    Part::of(&crew)
}
