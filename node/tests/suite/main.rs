//! The program as a whole: each test starts the real binary.

mod bundles;
mod capture;
mod inspect;
mod replay;
mod stub;
mod suites;

use braid_chain::Bundle;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

/// The real block that is shipped.
static SHIPPED: LazyLock<Bundle> =
    LazyLock::new(|| Bundle::read_from(shipped_path()).unwrap_or_else(|error| panic!("shipped block: {error}")));

fn shipped_path() -> PathBuf {
    braid_fixtures::folder().join("mainnet/19778575.braid")
}

/// What the program did.
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn braid<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_braid"))
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("the program does not start: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_else(|error| panic!("output is not text: {error}"));
    Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

impl Run {
    #[track_caller]
    fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The lines on stderr that report errors.
    fn errors(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("error:")).collect()
    }

    /// The only error that is reported.
    #[track_caller]
    fn error(&self) -> &str {
        let errors = self.errors();
        assert_eq!(errors.len(), 1, "one line says what is wrong:\n{}", self.stderr);
        errors[0]
    }
}

/// Writes the shipped block, changed.
fn altered(path: &Path, change: impl FnOnce(&mut Bundle)) {
    let mut bundle = SHIPPED.clone();
    change(&mut bundle);
    bundle.write_to(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

#[test]
fn help_and_version_succeed_and_show_examples() {
    for arguments in [
        &["--help"][..],
        &["replay", "--help"],
        &["capture", "--help"],
        &["inspect", "--help"],
        &["bundle", "convert", "--help"],
    ] {
        let run = braid(arguments);
        run.expect(0);
        assert!(run.stdout.contains("Usage: braid"), "{arguments:?}: {}", run.stdout);
    }
    assert!(braid(["replay", "--help"]).stdout.contains("Exit codes:"));
    assert!(braid(["--version"]).expect(0).stdout.starts_with("braid "));
}

#[test]
fn wrong_usage_is_a_failure_and_no_mismatch() {
    for arguments in [&["replay", "--no-such-flag"][..], &["replay", "--threads", "0"], &["replya"], &[]] {
        let run = braid(arguments);
        run.expect(1);
        assert!(run.stderr.contains("--help") || run.stderr.contains("Usage: braid"), "{arguments:?}: {}", run.stderr);
    }
}
