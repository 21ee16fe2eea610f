//! A snapshot whose first read of each key takes as long as a disk does.

use crate::snapshot::Snapshot;
use alloy_primitives::{Address, B256, U256, map::HashMap};
use revm::{
    DatabaseRef,
    state::{AccountInfo, Bytecode},
};
use std::{
    cell::Cell,
    collections::hash_map::Entry,
    convert::Infallible,
    fmt,
    hash::BuildHasher,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

const SHARDS: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(Address),
    Code(B256),
    Slot(Address, U256),
}

#[derive(Debug, Default)]
struct Shard {
    /// Keys that were read in this run; false while the read is under way.
    is_here: Mutex<HashMap<Key, bool>>,
    arrived: Condvar,
}

/// What the disk did since it was last asked to forget.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskStats {
    /// Reads that waited for the disk.
    pub reads: u64,
    /// Time those reads slept, all together, without waiting for a place in the device's queue.
    pub slept: Duration,
}

/// A snapshot on a disk. A key's first read sleeps; who asks for it meanwhile waits for that read, as for a page that is being loaded; later
/// reads find it in memory.
pub struct DelayedSnapshot {
    snapshot: Arc<Snapshot>,
    delay: Duration,
    shards: Vec<Shard>,
    hasher: alloy_primitives::map::DefaultHashBuilder,
    /// Places that are free in the device's queue.
    free: Mutex<usize>,
    freed: Condvar,
    reads: AtomicU64,
    slept_nanos: AtomicU64,
}

impl fmt::Debug for DelayedSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedSnapshot").field("delay", &self.delay).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    static HAS_FINE_TIMER: Cell<bool> = const { Cell::new(false) };
}

/// Sleeps, as exactly as the system can: by default it lets timers of ordinary threads be 50 µs late.
fn sleep(delay: Duration) -> Duration {
    if !HAS_FINE_TIMER.replace(true) {
        // SAFETY: the option takes one number, in nanoseconds, and changes nothing but the calling thread's timers.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
    }
    let started = Instant::now();
    std::thread::sleep(delay);
    started.elapsed()
}

impl DelayedSnapshot {
    /// A snapshot whose first reads take `delay` each, at most `depth` of them at a time.
    pub fn new(snapshot: Arc<Snapshot>, delay: Duration, depth: usize) -> Self {
        Self {
            snapshot,
            delay,
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: Default::default(),
            free: Mutex::new(depth.max(1)),
            freed: Condvar::new(),
            reads: AtomicU64::new(0),
            slept_nanos: AtomicU64::new(0),
        }
    }

    /// Everything is on the disk again, and nothing is counted yet.
    pub fn forget(&self) {
        self.shards.iter().for_each(|shard| lock(&shard.is_here).clear());
        self.reads.store(0, Ordering::Relaxed);
        self.slept_nanos.store(0, Ordering::Relaxed);
    }

    /// What was read so far.
    pub fn stats(&self) -> DiskStats {
        DiskStats {
            reads: self.reads.load(Ordering::Relaxed),
            slept: Duration::from_nanos(self.slept_nanos.load(Ordering::Relaxed)),
        }
    }

    fn wait_for(&self, key: Key) {
        let shard = &self.shards[(self.hasher.hash_one(key) >> 32) as usize % SHARDS];
        let mut is_here = lock(&shard.is_here);
        match is_here.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(false);
            }
            Entry::Occupied(entry) if *entry.get() => return,
            Entry::Occupied(_) => {
                // `forget` is called between runs only, but a key that is gone need not be waited for.
                while is_here.get(&key) == Some(&false) {
                    is_here = shard.arrived.wait(is_here).unwrap_or_else(PoisonError::into_inner);
                }
                return;
            }
        }
        drop(is_here);
        self.read();
        lock(&shard.is_here).insert(key, true);
        shard.arrived.notify_all();
    }

    fn read(&self) {
        let mut free = lock(&self.free);
        while *free == 0 {
            free = self.freed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        let slept = sleep(self.delay);
        *lock(&self.free) += 1;
        self.freed.notify_one();
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.slept_nanos.fetch_add(slept.as_nanos().try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl DatabaseRef for DelayedSnapshot {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        self.wait_for(Key::Account(address));
        self.snapshot.basic_ref(address)
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        self.wait_for(Key::Code(code_hash));
        self.snapshot.code_by_hash_ref(code_hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        self.wait_for(Key::Slot(address, slot));
        self.snapshot.storage_ref(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        self.snapshot.block_hash_ref(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_read_of_a_key_goes_to_the_disk() {
        let mut snapshot = Snapshot::new();
        let address = Address::with_last_byte(1);
        snapshot.set_slot(address, U256::ONE, U256::from(5));
        let disk = DelayedSnapshot::new(Arc::new(snapshot), Duration::from_millis(2), 2);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(disk.storage_ref(address, U256::ONE), Ok(U256::from(5))));
            }
        });
        assert_eq!(disk.stats().reads, 1, "who asks meanwhile waits for the same read");
        assert!(disk.stats().slept >= Duration::from_millis(2), "{:?}", disk.stats());
        assert_eq!(disk.basic_ref(Address::with_last_byte(9)), Ok(None));
        assert_eq!(disk.stats().reads, 2, "what does not exist has to be looked for too");
        disk.forget();
        let _ = disk.storage_ref(address, U256::ONE);
        assert_eq!(disk.stats().reads, 1);
    }
}
