//! The cases that are not run, and why.
//!
//! A case is on the list only if it fails here and in every other client alike; whatever passes is run.

/// Loops that take much longer than everything else, as they are called in their files' names.
const SLOW: [&str; 5] = ["Call50000_sha256", "loopMul", "CALLBlake2f_MaxRounds", "loopExp", "shiftCombinations"];

/// Why a case of this file and fork is not run; `None` if it is.
pub(super) fn reason(file: &str, fork: &str, skip_slow: bool) -> Option<&'static str> {
    if fork == "Constantinople" {
        return Some("Constantinople without Petersburg (EIP-1283) is not supported");
    }
    let stem = file_stem(file);
    if skip_slow && SLOW.iter().any(|slow| stem == *slow) {
        return Some("slow, and --skip-slow was given");
    }
    None
}

/// Name of a file without folders and extension.
fn file_stem(file: &str) -> &str {
    let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
    name.strip_suffix(".json").unwrap_or(name)
}
