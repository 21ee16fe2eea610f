//! What becomes of one case.

use super::{options::CaseMode, skips};
use std::fmt::Display;

/// One case of a file: what its name is, and what became of it.
#[derive(Clone, Debug)]
pub(super) struct CaseReport {
    /// Name within the file; of state tests with fork and indexes.
    pub(super) name: String,
    /// Fork or transition.
    pub(super) fork: String,
    pub(super) verdict: Verdict,
    /// What came of executing it, where that does not count.
    pub(super) informative: Option<Result<(), String>>,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Passed,
    Failed(Failure),
    /// Why it was not run, or does not count.
    Skipped(&'static str),
}

/// The first thing that is not as the suite says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// In which execution; `None` if it has nothing to do with that.
    pub(super) mode: Option<CaseMode>,
    /// What differs, with both values.
    pub(super) difference: String,
}

impl Verdict {
    /// Failed, whatever executes.
    pub(super) fn failed(difference: impl Display) -> Self {
        Self::Failed(Failure { mode: None, difference: difference.to_string() })
    }

    /// Executes a case in several ways, each of which must succeed.
    pub(super) fn of(file: &str, modes: &[CaseMode], mut run: impl FnMut(CaseMode) -> Result<(), String>) -> Self {
        let collision = skips::collision(file);
        let mut failures = Vec::new();
        for &mode in modes {
            if let Err(difference) = run(mode) {
                failures.push(Failure { mode: Some(mode), difference });
                if collision.is_none() {
                    break;
                }
            }
        }
        let Some(first) = failures.first() else { return Self::Passed };
        let all_agree =
            failures.len() == modes.len() && failures.iter().all(|failure| failure.difference == first.difference);
        match collision {
            Some(reason) if all_agree => Self::Skipped(reason),
            _ => Self::Failed(first.clone()),
        }
    }
}

/// Two values that should be equal.
pub(super) fn compare<T: PartialEq + Display>(what: &str, expected: T, got: T) -> Result<(), String> {
    if expected == got { Ok(()) } else { Err(format!("{what}: expected {expected}, got {got}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [CaseMode; 2] = [CaseMode::Serial, CaseMode::Parallel];

    fn failing(file: &str, serial: Result<(), &str>, parallel: Result<(), &str>) -> Verdict {
        Verdict::of(file, &BOTH, |mode| {
            let result = if mode == CaseMode::Serial { serial } else { parallel };
            result.map_err(str::to_owned)
        })
    }

    #[test]
    fn every_way_must_succeed() {
        assert!(matches!(failing("a.json", Ok(()), Ok(())), Verdict::Passed));
        let verdict = failing("a.json", Ok(()), Err("x"));
        let expected = Failure { mode: Some(CaseMode::Parallel), difference: "x".into() };
        assert!(matches!(&verdict, Verdict::Failed(failure) if *failure == expected), "{verdict:?}");
    }

    #[test]
    fn collisions_are_skipped_only_where_all_ways_agree() {
        let file = "InitCollision.json";
        assert!(matches!(failing(file, Ok(()), Ok(())), Verdict::Passed));
        assert!(matches!(failing(file, Err("x"), Err("x")), Verdict::Skipped(_)));
        assert!(matches!(failing(file, Err("x"), Err("y")), Verdict::Failed(_)));
        assert!(matches!(failing(file, Ok(()), Err("x")), Verdict::Failed(_)));
    }
}
