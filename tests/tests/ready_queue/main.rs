//! The engine's ready queue itself under loom: no item is lost or taken twice, and nobody sleeps while there is something to do.
//!
//! `runtime/src/engine/queue.rs` is compiled here as it stands. It takes its lock and its condition variable from a crate called
//! `parking_lot`, and this crate goes by that name: what it gets is loom's, in parking_lot's clothes. The event counter stays a plain
//! atomic; it only changes under the lock, so loom sees every order of its changes. The target has no test harness, since the file's own
//! unit tests cannot run under loom.

extern crate self as parking_lot;

#[path = "../../../runtime/src/engine/queue.rs"]
#[expect(dead_code, unused_imports, reason = "the file belongs to another crate, which uses all of it and tests it")]
mod queue;

use loom::{sync, thread};
use queue::{Pop, ReadyQueue};
use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// loom's mutex with the interface of parking_lot's.
#[derive(Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

/// Guard of a [`Mutex`]; empty only while its owner waits.
pub(crate) struct MutexGuard<'a, T>(Option<sync::MutexGuard<'a, T>>);

/// loom's condition variable with the interface of parking_lot's.
#[derive(Default)]
pub(crate) struct Condvar(sync::Condvar);

impl<T> Mutex<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().expect("loom does not poison")))
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("the guard is held")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("the guard is held")
    }
}

impl Condvar {
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("the guard is held");
        guard.0 = Some(self.0.wait(held).expect("loom does not poison"));
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Pops until the queue is closed; closes it after the last of `all` items.
fn drain(queue: &ReadyQueue, taken: &[AtomicUsize]) {
    let mut batch = Vec::new();
    loop {
        match queue.pop(&mut batch, 1) {
            Pop::Closed => return,
            Pop::Some => {
                for item in batch.drain(..) {
                    let before = taken[item as usize].fetch_add(1, Ordering::SeqCst);
                    assert_eq!(before, 0, "item {item} was taken twice");
                }
                if taken.iter().all(|count| count.load(Ordering::SeqCst) == 1) {
                    queue.close();
                }
            }
            Pop::Empty(seen) => queue.sleep(seen),
        }
    }
}

fn items(count: usize) -> Arc<Vec<AtomicUsize>> {
    Arc::new((0..count).map(|_| AtomicUsize::new(0)).collect())
}

/// Two workers sleep and pop, a third thread pushes one item and then two at once.
fn pushed_items_reach_sleeping_workers() {
    model(2, || {
        let (queue, taken) = (Arc::new(ReadyQueue::default()), items(3));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, taken) = (queue.clone(), taken.clone());
                thread::spawn(move || drain(&queue, &taken))
            })
            .collect();
        queue.push([(0, 0)]);
        queue.push([(7, 1), (0, 2)]);
        for worker in workers {
            worker.join().expect("the worker ends");
        }
        assert!(taken.iter().all(|count| count.load(Ordering::SeqCst) == 1), "every item was taken");
    });
}

/// A worker that got an item pushes another, which may be for a worker that is just falling asleep.
fn an_item_pushed_by_a_worker_is_not_left_behind() {
    model(3, || {
        let (queue, taken) = (Arc::new(ReadyQueue::default()), items(2));
        queue.push([(0, 0)]);
        let other = {
            let (queue, taken) = (queue.clone(), taken.clone());
            thread::spawn(move || drain(&queue, &taken))
        };
        let mut batch = Vec::new();
        if queue.pop(&mut batch, 0) == Pop::Some {
            taken[0].fetch_add(1, Ordering::SeqCst);
            queue.push([(0, 1)]);
        } else {
            // The other one took item 0; item 1 is still to come.
            queue.push([(0, 1)]);
        }
        drain(&queue, &taken);
        other.join().expect("the worker ends");
    });
}

/// What is announced by `notify` alone, such as a finished plan, wakes who went to sleep before it.
fn notify_between_pop_and_sleep_is_not_missed() {
    model(3, || {
        let queue = Arc::new(ReadyQueue::default());
        let flag = Arc::new(AtomicUsize::new(0));
        let sleeper = {
            let (queue, flag) = (queue.clone(), flag.clone());
            thread::spawn(move || {
                let Pop::Empty(seen) = queue.pop(&mut Vec::new(), 0) else { panic!("nothing is pushed") };
                if flag.load(Ordering::SeqCst) == 0 {
                    queue.sleep(seen);
                }
                assert_eq!(flag.load(Ordering::SeqCst), 1);
            })
        };
        flag.store(1, Ordering::SeqCst);
        queue.notify();
        sleeper.join().expect("the sleeper wakes");
    });
}

/// Closing wakes everybody, whatever they are about to do.
fn close_wakes_everybody() {
    model(3, || {
        let (queue, taken) = (Arc::new(ReadyQueue::default()), items(1));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, taken) = (queue.clone(), taken.clone());
                thread::spawn(move || drain(&queue, &taken))
            })
            .collect();
        queue.close();
        for worker in workers {
            worker.join().expect("the worker ends");
        }
    });
}

fn model(preemptions: usize, run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(run);
}

fn main() {
    for (name, model) in [
        ("pushed_items_reach_sleeping_workers", pushed_items_reach_sleeping_workers as fn()),
        ("an_item_pushed_by_a_worker_is_not_left_behind", an_item_pushed_by_a_worker_is_not_left_behind),
        ("notify_between_pop_and_sleep_is_not_missed", notify_between_pop_and_sleep_is_not_missed),
        ("close_wakes_everybody", close_wakes_everybody),
    ] {
        model();
        println!("model {name} ... ok");
    }
}
