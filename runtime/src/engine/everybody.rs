//! Work that all threads of the engine share for a short while: no ready queue, no order, each takes the next piece until none is left.

use rayon::ThreadPool;

/// Calls `work` once on every thread of the engine, this one included, and returns when all calls have.
pub(crate) fn everybody(pool: Option<&ThreadPool>, work: impl Fn() + Sync) {
    match pool {
        None => work(),
        Some(pool) => pool.in_place_scope(|scope| {
            for _ in 0..pool.current_num_threads() {
                scope.spawn(|_| work());
            }
            work();
        }),
    }
}
