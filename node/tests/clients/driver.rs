//! Runs a program of a client's to its end.

use super::node::{Program, RunningNode};
use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A command whose output is read when it has ended.
#[derive(Debug)]
pub(super) struct Driver {
    command: Command,
    /// The program and its arguments.
    words: Vec<OsString>,
    limit: Duration,
}

impl Driver {
    /// `program` in `folder`, ended when it takes longer than `limit`.
    pub(super) fn new(program: impl AsRef<OsStr>, folder: &Path, limit: Duration) -> Self {
        // GNU timeout ends what the program has started, too.
        let mut command = Command::new("timeout");
        command.current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1").env_remove("FORCE_COLOR");
        Self { command, words: vec![program.as_ref().to_owned()], limit }
    }

    /// Ends it earlier, or later.
    pub(super) const fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Tells it where the node is: `HTTP` and `WS`; and which program that is: `NODE_NAME`.
    pub(super) fn against(self, node: &RunningNode) -> Self {
        self.env("HTTP", node.http()).env("WS", node.ws()).env("NODE_NAME", Program::under_test().name())
    }

    pub(super) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
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
        let mut name = Path::new(&self.words[0]).file_name().unwrap_or_default().display().to_string();
        self.words[1..].iter().for_each(|word| name.push_str(&format!(" {}", word.display())));
        self.command.args(["--kill-after", "5", &self.limit.as_secs().to_string()]).args(&self.words);
        let output = self.command.output().unwrap_or_else(|error| panic!("{name}: {error}"));
        let finished = Finished {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            name,
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
    /// Whether it gave up because it could reach nobody: the words of package managers.
    pub(super) fn is_offline(&self) -> bool {
        const WORDS: [&str; 7] = [
            "ENOTFOUND",
            "EAI_AGAIN",
            "ENETUNREACH",
            "ECONNREFUSED",
            "ETIMEDOUT",
            "NewConnectionError",
            "NameResolutionError",
        ];
        self.code != Some(0) && WORDS.iter().any(|word| self.stderr.contains(word) || self.stdout.contains(word))
    }

    #[track_caller]
    pub(super) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}\nstdout:\n{}\nstderr:\n{}", self.name, self.stdout, self.stderr);
        self
    }
}
