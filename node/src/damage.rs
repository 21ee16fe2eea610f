//! When the database engine gives up.
//!
//! A file that is damaged in the right place makes the engine, which is written in C, end the process by a signal: it reads
//! beyond the file (SIGBUS, SIGSEGV) or finds what cannot be (SIGABRT). Nothing is written by that. Here such a signal becomes
//! one line that says so, and the exit code of a failure.

use std::mem::MaybeUninit;

const MESSAGE: &[u8] =
    b"error: the database file is damaged (or this is a defect of braid): import the chain into another folder, or \
restore this one from a copy\n";

/// Turns the signals of a damaged database file into an error.
pub(crate) fn report() {
    for signal in [libc::SIGBUS, libc::SIGSEGV, libc::SIGABRT] {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: zeros are a valid action; the handler only makes calls that are allowed in one, and does not return.
        unsafe {
            let action = action.assume_init_mut();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(signal, action, std::ptr::null_mut());
        }
    }
}

extern "C" fn handle(_signal: libc::c_int) {
    // SAFETY: both calls are allowed in a signal handler, and the message outlives the process.
    unsafe {
        libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(libc::c_int::from(crate::FAILURE));
    }
}
