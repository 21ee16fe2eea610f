//! Counts live heap bytes, for comparing the peak memory of two sides.
//!
//! The benchmark binary installs [`CountingAllocator`] around mimalloc. While nobody counts, it costs one relaxed load per
//! allocation, on all sides alike; timed runs never count.

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicBool, AtomicIsize, Ordering},
};

static COUNTING: AtomicBool = AtomicBool::new(false);
static LIVE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);

/// mimalloc with an optional count of live bytes.
#[derive(Debug)]
pub struct CountingAllocator;

fn add(bytes: isize) {
    if COUNTING.load(Ordering::Relaxed) {
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if bytes > 0 {
            PEAK.fetch_max(live, Ordering::Relaxed);
        }
    }
}

// SAFETY: every call is passed on to mimalloc with the very arguments it came with; counting touches no memory but atomics.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { mimalloc::MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { mimalloc::MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { mimalloc::MiMalloc.realloc(pointer, layout, size) }
    }
}

/// Number of mimalloc's option that delays giving memory back to the system (`mi_option_purge_delay`), in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Tells mimalloc to keep the memory it has: runs are repeated, and page faults of memory given back in between would be measured
/// instead of the sides. Call it first of all.
pub fn keep_memory() {
    // SAFETY: setting an option has no precondition; an unknown number would be ignored.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}

/// Runs `work` and tells by how many bytes the live heap grew at its highest; 0 when the allocator is not installed.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    LIVE.store(0, Ordering::Relaxed);
    PEAK.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::SeqCst);
    let result = work();
    COUNTING.store(false, Ordering::SeqCst);
    (result, u64::try_from(PEAK.load(Ordering::Relaxed)).unwrap_or(0))
}
