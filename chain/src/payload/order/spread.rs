//! In which order a block has the transactions that it takes.
//!
//! A list schedule: a clock goes on with the gas that is placed, so fast that the longest chain just fits into the block; whenever a member of a
//! chain could start by that clock, the one with the longest rest of its chain is placed, and else the next transaction that is in no long chain. So
//! chains begin early, and their members stand apart.

use super::items::Items;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    ops::Range,
};

/// Chains with less than this part of the longest one are left where they are.
const LEAST_SHARE: u64 = 8;
/// With a longest chain of less than this part of all gas there is nothing to be gained.
const MOST_CORES: u64 = 64;
/// So often, for each transaction, the start of a chain may turn out later than it was.
const LOOKS: usize = 8;

/// A chain: those that a key leads one after the other.
struct Chain {
    members: VecDeque<usize>,
    /// Gas of the members that are left.
    rest: u64,
}

/// The order in which these transactions, given by fees and in bands of equal standing, keep chains apart. The same order if there is nothing to be gained.
pub(super) fn spread(items: &Items, taken: &[usize], bands: &[Range<usize>]) -> Vec<usize> {
    let mut order = taken.to_vec();
    let mut load = vec![0_u64; items.keys];
    for index in taken {
        items.links(*index).for_each(|key| load[key] += items.list[*index].gas);
    }
    let all: u64 = taken.iter().map(|index| items.list[*index].gas).sum();
    let longest = load.iter().copied().max().unwrap_or_default();
    if longest < all / MOST_CORES || longest >= all {
        return order;
    }
    let mut placed = Placed { items, ends: vec![0; items.keys], gas: 0, all, longest };
    for band in bands {
        placed.arrange(&mut order[band.clone()], &load);
    }
    if items.longest_chain(&order) > items.longest_chain(taken) {
        return taken.to_vec();
    }
    order
}

/// What stands in the block already.
struct Placed<'a> {
    items: &'a Items,
    ends: Vec<u64>,
    gas: u64,
    /// Gas of the whole block, and of its longest chain.
    all: u64,
    longest: u64,
}

impl Placed<'_> {
    fn clock(&self) -> u64 {
        (u128::from(self.gas) * u128::from(self.longest) / u128::from(self.all.max(1))) as u64
    }

    fn place(&mut self, index: usize) {
        self.gas += self.items.list[index].gas;
        self.items.run(index, &mut self.ends);
    }

    /// The key by which a transaction is in a long chain.
    fn chain_of(&self, index: usize, load: &[u64]) -> Option<usize> {
        let key = self.items.links(index).max_by_key(|key| (load[*key], Reverse(*key)))?;
        (load[key] > self.items.list[index].gas && load[key] >= self.longest / LEAST_SHARE).then_some(key)
    }

    /// Orders a band. Transactions that nothing is known about keep their places, and so do all others of their senders.
    fn arrange(&mut self, band: &mut [usize], load: &[u64]) {
        let mut pinned: Vec<u32> = Vec::new();
        pinned.extend(band.iter().map(|index| &self.items.list[*index]).filter(|i| !i.is_known).map(|i| i.sender));
        pinned.sort_unstable();
        let is_pinned = |items: &Items, index: usize| pinned.binary_search(&items.list[index].sender).is_ok();

        let mut numbers: Vec<(usize, usize)> = Vec::new();
        let mut chains: Vec<Chain> = Vec::new();
        let mut others = VecDeque::new();
        let movable: Vec<usize> = band.iter().copied().filter(|index| !is_pinned(self.items, *index)).collect();
        let keyed = movable.iter().map(|index| (*index, self.chain_of(*index, load))).collect::<Vec<_>>();
        numbers.extend(keyed.iter().filter_map(|(_, key)| key.map(|key| (key, 0))));
        numbers.sort_unstable();
        numbers.dedup();
        for (number, entry) in numbers.iter_mut().enumerate() {
            entry.1 = number;
            chains.push(Chain { members: VecDeque::new(), rest: 0 });
        }
        for (index, key) in keyed {
            let number = key.and_then(|key| numbers.binary_search_by_key(&key, |entry| entry.0).ok());
            match number {
                Some(number) => {
                    chains[number].members.push_back(index);
                    chains[number].rest += self.items.list[index].gas;
                }
                None => others.push_back(index),
            }
        }
        let mut queue = Queue::new(chains, LOOKS * movable.len());
        queue.begin(self);
        for place in band.iter_mut() {
            if !is_pinned(self.items, *place) {
                let next = queue.ripe(self).or_else(|| others.pop_front()).or_else(|| queue.first(self));
                *place = next.unwrap_or(*place);
            }
            self.place(*place);
        }
        in_nonce_order(self.items, band);
    }
}

/// Lets the transactions of each sender share their places in the order in which they were sent.
fn in_nonce_order(items: &Items, band: &mut [usize]) {
    let mut places: Vec<(u32, usize)> =
        band.iter().enumerate().map(|(place, index)| (items.list[*index].sender, place)).collect();
    places.sort_unstable();
    for group in places.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
        let mut indices: Vec<usize> = group.iter().map(|(_, place)| band[*place]).collect();
        indices.sort_unstable();
        group.iter().zip(indices).for_each(|((_, place), index)| band[*place] = index);
    }
}

/// The heads of the chains: those that wait, by when they can start, and those that could start, by the rest of their chain.
struct Queue {
    chains: Vec<Chain>,
    waiting: BinaryHeap<Reverse<(u64, usize)>>,
    ripe: BinaryHeap<(u64, Reverse<usize>)>,
    looks: usize,
}

impl Queue {
    fn new(chains: Vec<Chain>, looks: usize) -> Self {
        Self { chains, waiting: BinaryHeap::new(), ripe: BinaryHeap::new(), looks }
    }

    fn begin(&mut self, placed: &Placed<'_>) {
        (0..self.chains.len()).for_each(|chain| self.wait(chain, placed));
    }

    fn wait(&mut self, chain: usize, placed: &Placed<'_>) {
        if let Some(head) = self.chains[chain].members.front() {
            self.waiting.push(Reverse((placed.items.start(*head, &placed.ends), chain)));
        }
    }

    /// The next member of the chain with the longest rest among those that can start.
    fn ripe(&mut self, placed: &Placed<'_>) -> Option<usize> {
        let now = placed.clock();
        while let Some(Reverse((start, chain))) = self.waiting.peek().copied()
            && start <= now
        {
            self.waiting.pop();
            self.ripe.push((self.chains[chain].rest, Reverse(chain)));
        }
        while let Some((_, Reverse(chain))) = self.ripe.pop() {
            let head = *self.chains[chain].members.front()?;
            // Meanwhile another chain may have written what it reads.
            if self.looks > 0 && placed.items.start(head, &placed.ends) > now {
                self.looks -= 1;
                self.wait(chain, placed);
                continue;
            }
            return self.take(chain, placed);
        }
        None
    }

    /// The member that can start first, when there is nothing else left.
    fn first(&mut self, placed: &Placed<'_>) -> Option<usize> {
        let Reverse((_, chain)) = self.waiting.pop()?;
        self.take(chain, placed)
    }

    fn take(&mut self, chain: usize, placed: &Placed<'_>) -> Option<usize> {
        let index = self.chains[chain].members.pop_front()?;
        let gas = placed.items.list[index].gas;
        self.chains[chain].rest -= gas;
        // By its own end, at the least; where that is, the others tell when it is placed.
        if !self.chains[chain].members.is_empty() {
            let end = placed.items.start(index, &placed.ends) + gas;
            self.waiting.push(Reverse((end, chain)));
        }
        Some(index)
    }
}
