//! How the allocator treats memory that was freed.

/// Number of mimalloc's option that delays giving memory back to the system (`mi_option_purge_delay`), in milliseconds.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Tells mimalloc to keep the memory it has: blocks follow one another and need about the same, and page faults of memory given back in between cost
/// more than a small block.
pub(crate) fn keep_memory() {
    // SAFETY: setting an option has no precondition; an unknown number would be ignored.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}
