//! What the operating system says of a disk.

use std::{ffi::CString, mem::MaybeUninit, os::unix::ffi::OsStrExt, path::Path};

/// Less than this left, in bytes, and a write that failed is put down to it.
const NEXT_TO_NOTHING: u64 = 1 << 20;

/// Whether there is next to nothing left on the file system of a folder.
pub(super) fn is_full(folder: &Path) -> bool {
    let Ok(path) = CString::new(folder.as_os_str().as_bytes()) else { return false };
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with a zero byte, and the call writes an answer of this type where it succeeds.
    let answer = unsafe {
        if libc::statvfs(path.as_ptr(), answer.as_mut_ptr()) != 0 {
            return false;
        }
        answer.assume_init()
    };
    answer.f_bavail.saturating_mul(answer.f_frsize) < NEXT_TO_NOTHING
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_disk_of_the_tests_is_not_full_and_nowhere_is_not_either() {
        assert!(!super::is_full(&std::env::temp_dir()));
        assert!(!super::is_full(std::path::Path::new("/nowhere/at/all")));
    }
}
