//! The serial mode: everything on one core, so that it can be compared with.

use eyre::{Result, WrapErr};
use std::io;

/// Lets this thread, and all that it starts, run on one of its cores only.
#[cfg(target_os = "linux")]
pub(super) fn stay_on_one_core() -> Result<()> {
    let size = size_of::<libc::cpu_set_t>();
    let failed = || io::Error::last_os_error();
    // SAFETY: a set without cores is a valid value, and both calls get sets of the size that they are told.
    unsafe {
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &mut all) != 0 {
            return Err(failed()).wrap_err("cannot tell on which cores to run");
        }
        let first = (0..libc::CPU_SETSIZE as usize).find(|core| libc::CPU_ISSET(*core, &all)).unwrap_or_default();
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(first, &mut one);
        if libc::sched_setaffinity(0, size, &one) != 0 {
            return Err(failed()).wrap_err("cannot stay on one core");
        }
    }
    Ok(())
}

/// Elsewhere threads cannot be told where to run; then only the execution is serial.
#[cfg(not(target_os = "linux"))]
pub(super) fn stay_on_one_core() -> Result<()> {
    Ok(())
}
