//! What becomes of one case.

use super::options::CaseMode;
use std::fmt::Display;

/// One case of a file: what its name is, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct CaseReport {
    /// Name within the file; of state tests with fork and indexes.
    pub(crate) name: String,
    /// Fork or transition.
    pub(crate) fork: String,
    pub(crate) verdict: Verdict,
    /// Whether execution agrees, where that does not count.
    pub(crate) informative: Option<bool>,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Passed,
    Failed(Failure),
    /// Why it was not run, or does not count.
    Skipped(&'static str),
}

/// The first thing that is not as the suite says.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// In which execution; `None` if it has nothing to do with that.
    pub(crate) mode: Option<CaseMode>,
    /// What differs, with both values.
    pub(crate) difference: String,
}

impl Failure {
    /// Something that is wrong whatever executes.
    pub(crate) fn new(difference: impl Display) -> Self {
        Self { mode: None, difference: difference.to_string() }
    }

    /// Something that is wrong in one way to execute.
    pub(crate) fn in_mode(mode: CaseMode, difference: impl Display) -> Self {
        Self { mode: Some(mode), difference: difference.to_string() }
    }
}

/// Two values that should be equal.
pub(crate) fn compare<T: PartialEq + Display>(what: &str, expected: T, got: T) -> Result<(), String> {
    if expected == got { Ok(()) } else { Err(format!("{what}: expected {expected}, got {got}")) }
}
