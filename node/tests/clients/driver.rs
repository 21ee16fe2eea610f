//! Runs a program of a client's to its end.

use super::node::{Program, RunningNode};
use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A command whose output is read when it has ended.
#[derive(Debug)]
pub(super) struct Driver {
    command: Command,
    name: String,
}

impl Driver {
    /// `program` in `folder`, ended when it takes longer than `limit`.
    pub(super) fn new(program: impl AsRef<OsStr>, folder: &Path, limit: Duration) -> Self {
        let program = program.as_ref();
        // GNU timeout ends what the program has started, too.
        let mut command = Command::new("timeout");
        command.args(["--kill-after", "5", &limit.as_secs().to_string()]).arg(program).current_dir(folder);
        command.stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("FORCE_COLOR");
        Self { command, name: Path::new(program).file_name().unwrap_or(program).display().to_string() }
    }

    /// Tells it where the node is: `HTTP` and `WS`; and which program that is: `NODE_NAME`.
    pub(super) fn against(self, node: &RunningNode) -> Self {
        self.env("HTTP", node.http()).env("WS", node.ws()).env("NODE_NAME", Program::under_test().name())
    }

    pub(super) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.name = format!("{} {}", self.name, word.as_ref().display());
        self.command.arg(word);
        self
    }

    pub(super) fn args<S: AsRef<OsStr>>(self, words: impl IntoIterator<Item = S>) -> Self {
        words.into_iter().fold(self, Self::arg)
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it; what it printed is in the test's output.
    pub(super) fn run(mut self) -> Finished {
        let begin = Instant::now();
        let output = self.command.output().unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let finished = Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            name: self.name,
        };
        eprintln!("{} ({:.1} s)\n{}", finished.name, begin.elapsed().as_secs_f32(), finished.stdout.trim_end());
        finished
    }

    /// Runs it, and it must succeed: its standard output.
    #[track_caller]
    pub(super) fn succeed(self) -> String {
        let finished = self.run();
        finished.expect(0);
        finished.stdout
    }
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Finished {
    name: String,
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(super) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}\nstdout:\n{}\nstderr:\n{}", self.name, self.stdout, self.stderr);
        self
    }
}
