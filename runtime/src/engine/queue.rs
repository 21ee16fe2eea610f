//! The queue of transactions that may start, and the place where idle workers sleep.
//!
//! The longest remaining chain goes first, then block order, which most transactions come in by themselves. Workers that find nothing look again for a few microseconds, the time in which
//! another transaction usually ends, and then sleep on a condition variable: a spinning worker takes time from the others' cores.

use parking_lot::{Condvar, Mutex};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
};

/// Looks before sleeping: a few microseconds.
const LOOKS: u32 = 100;

#[derive(Debug, Default)]
struct Waiting {
    /// Those with a priority.
    urgent: BinaryHeap<(u64, Reverse<u32>)>,
    /// All others, in block order as far as they came in it.
    ready: VecDeque<u32>,
    sleepers: usize,
    closed: bool,
}

impl Waiting {
    fn len(&self) -> usize {
        self.urgent.len() + self.ready.len()
    }

    fn push(&mut self, priority: u64, transaction: u32) {
        if priority > 0 {
            self.urgent.push((priority, Reverse(transaction)));
        } else if self.ready.front().is_some_and(|first| transaction < *first) {
            // Released late; the commit waits for it.
            self.ready.push_front(transaction);
        } else {
            self.ready.push_back(transaction);
        }
    }
}

/// What a worker got from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pop {
    /// Transactions were put into the batch.
    Some,
    /// Nothing is ready. The number identifies the moment: see [`ReadyQueue::sleep`].
    Empty(u64),
    /// The block is over.
    Closed,
}

/// The ready queue of one block.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// Counts every event that may give a sleeper something to do. Changed under the lock only.
    events: AtomicU64,
}

impl ReadyQueue {
    /// Adds transactions that may start, with their priorities.
    pub(crate) fn push(&self, ready: impl IntoIterator<Item = (u64, u32)>) {
        let mut waiting = self.waiting.lock();
        let before = waiting.len();
        ready.into_iter().for_each(|(priority, transaction)| waiting.push(priority, transaction));
        let added = waiting.len() - before;
        if added == 0 {
            return;
        }
        self.events.fetch_add(1, Ordering::Release);
        let wake = added.min(waiting.sleepers);
        drop(waiting);
        for _ in 0..wake {
            self.changed.notify_one();
        }
    }

    /// Takes up to `most` transactions, best first; several only as long as all of them have no special priority and leave enough for others.
    pub(crate) fn pop(&self, batch: &mut Vec<u32>, most: usize) -> Pop {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Pop::Closed;
        }
        if let Some((_, Reverse(first))) = waiting.urgent.pop() {
            batch.push(first);
            return Pop::Some;
        }
        let count = waiting.ready.len().min(1 + most.min(waiting.ready.len() / 4));
        if count == 0 {
            return Pop::Empty(self.events.load(Ordering::Relaxed));
        }
        batch.extend(waiting.ready.drain(..count));
        Pop::Some
    }

    /// Number of transactions that are ready.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Sleeps until something happens after the moment `seen`.
    pub(crate) fn sleep(&self, seen: u64) {
        for _ in 0..LOOKS {
            if self.events.load(Ordering::Acquire) != seen {
                return;
            }
            std::hint::spin_loop();
        }
        let mut waiting = self.waiting.lock();
        while self.events.load(Ordering::Relaxed) == seen && !waiting.closed {
            waiting.sleepers += 1;
            self.changed.wait(&mut waiting);
            waiting.sleepers -= 1;
        }
    }

    /// Wakes everybody: something changed that is not in the queue.
    pub(crate) fn notify(&self) {
        let waiting = self.waiting.lock();
        self.events.fetch_add(1, Ordering::Release);
        if waiting.sleepers > 0 {
            drop(waiting);
            self.changed.notify_all();
        }
    }

    /// Ends the block: workers find the queue closed.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock();
        waiting.closed = true;
        self.events.fetch_add(1, Ordering::Release);
        drop(waiting);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_chain_goes_first_then_block_order() {
        let queue = ReadyQueue::default();
        queue.push([(0, 3), (0, 1), (90, 7), (500, 9)]);
        queue.push([(0, 4)]);
        let mut order = Vec::new();
        while let Pop::Some = queue.pop(&mut order, 0) {}
        assert_eq!(order, [9, 7, 1, 3, 4]);
    }

    #[test]
    fn an_event_between_pop_and_sleep_is_not_missed() {
        let queue = ReadyQueue::default();
        let Pop::Empty(seen) = queue.pop(&mut Vec::new(), 0) else { panic!("the queue is empty") };
        queue.push([(0, 1)]);
        queue.sleep(seen);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_closed_queue_wakes_sleepers_and_stays_closed() {
        let queue = ReadyQueue::default();
        let Pop::Empty(seen) = queue.pop(&mut Vec::new(), 0) else { panic!("the queue is empty") };
        std::thread::scope(|scope| {
            scope.spawn(|| queue.sleep(seen));
            queue.close();
        });
        queue.push([(0, 1)]);
        assert_eq!(queue.pop(&mut Vec::new(), 0), Pop::Closed);
    }
}
