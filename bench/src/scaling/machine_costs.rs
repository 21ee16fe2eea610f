//! What threads cost on this machine, and how much two cores at work disturb each other.

use super::simulate::ThreadCosts;
use parking_lot::{Condvar, Mutex};
use std::{
    hint::spin_loop,
    sync::atomic::{AtomicU64, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// Times that each cost is measured; the first quartile counts.
const ROUNDS: usize = 201;
/// Long enough for a thread to have gone to sleep.
const PAUSE: Duration = Duration::from_micros(400);
/// Looks of an idle worker before it sleeps, as in the engine's queue.
const LOOKS: u32 = 100;

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// First quartile: on a machine with other work to do, what it takes when nobody disturbs.
pub(super) fn quartile(mut sample: Vec<u64>) -> u64 {
    sample.sort_unstable();
    sample.get(sample.len() / 4).copied().unwrap_or(0)
}

/// Measures what it costs to wake threads.
pub fn thread_costs() -> ThreadCosts {
    let (pool_wake, spawn) = pool_costs();
    let (wake, notify) = queue_costs();
    let started = Instant::now();
    (0..ROUNDS as u32 * LOOKS).for_each(|_| spin_loop());
    let look = nanos(started.elapsed()) / ROUNDS as u64;
    ThreadCosts { pool_wake, spawn, wake, notify, look }
}

/// A thread of a pool that sleeps is given work: until it begins, and how long the giver is kept.
fn pool_costs() -> (u64, u64) {
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else { return (0, 0) };
    let (mut wakes, mut spawns) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        sleep(PAUSE);
        let begun = AtomicU64::new(0);
        let started = Instant::now();
        pool.in_place_scope(|scope| {
            scope.spawn(|_| begun.store(nanos(started.elapsed()), Ordering::Release));
            spawns.push(nanos(started.elapsed()));
        });
        wakes.push(begun.into_inner());
    }
    (quartile(wakes), quartile(spawns))
}

/// The same for a worker that sleeps on the queue's condition variable.
fn queue_costs() -> (u64, u64) {
    let (turn, changed) = (Mutex::new((0_usize, false)), Condvar::new());
    let begun = AtomicU64::new(0);
    let epoch = Instant::now();
    let (mut wakes, mut notifies) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = 0;
            loop {
                let mut turn = turn.lock();
                while turn.0 == seen && !turn.1 {
                    changed.wait(&mut turn);
                }
                if turn.1 {
                    return;
                }
                seen = turn.0;
                drop(turn);
                begun.store(nanos(epoch.elapsed()), Ordering::Release);
            }
        });
        for _ in 0..ROUNDS {
            sleep(PAUSE);
            turn.lock().0 += 1;
            let started = nanos(epoch.elapsed());
            changed.notify_one();
            notifies.push(nanos(epoch.elapsed()) - started);
            sleep(PAUSE);
            wakes.push(begun.load(Ordering::Acquire).saturating_sub(started));
        }
        turn.lock().1 = true;
        changed.notify_one();
    });
    (quartile(wakes), quartile(notifies))
}
