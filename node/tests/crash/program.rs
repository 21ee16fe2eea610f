//! The binary, and what it says.

use braid_storage::{Database, DatabaseOptions, Head, StorageError, store::StoreError};
use std::{
    ffi::OsStr,
    io::Read,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

pub(super) const SUCCESS: i32 = 0;
pub(super) const FAILURE: i32 = 1;

/// What the program did.
pub(super) struct Run {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_braid"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub(super) fn braid<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    Run::new(command(arguments).output().expect("the program starts"))
}

/// The words of a command line, with paths among them.
#[macro_export]
macro_rules! arguments {
    ($($word:expr),* $(,)?) => { [$(std::ffi::OsStr::new($word)),*] };
}

impl Run {
    fn new(Output { status, stdout, stderr }: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    #[track_caller]
    pub(super) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The one line that says what is wrong; the program must have failed.
    #[track_caller]
    pub(super) fn error(&self) -> &str {
        self.expect(FAILURE);
        let errors: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        assert_eq!(errors.len(), 1, "one line says what is wrong:\n{}", self.stderr);
        errors[0]
    }

    /// Fails, with all of these words in the one line.
    #[track_caller]
    pub(super) fn fails_with(&self, words: &[&str]) {
        let error = self.error();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
    }
}

/// The program while it runs; killed when it goes out of scope.
pub(super) struct Running(Option<Child>);

impl Running {
    pub(super) fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let child = command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self(Some(child.expect("the program starts")))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it was not waited for")
    }

    pub(super) fn id(&mut self) -> u32 {
        self.child().id()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child().try_wait().expect("it can be waited for").is_some()
    }

    /// Ends it as a loss of power to the process: SIGKILL. Tells whether it was still at work.
    pub(super) fn kill(mut self) -> bool {
        let child = self.child();
        let was_running = child.try_wait().expect("it can be waited for").is_none();
        // It may end by itself between the two.
        let _ = child.kill();
        let status = child.wait().expect("it can be waited for");
        was_running && status.code().is_none()
    }

    pub(super) fn signal(&mut self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().expect("there is a kill");
        assert!(status.success());
    }

    pub(super) fn wait(mut self) -> Run {
        let mut child = self.0.take().expect("it was not waited for");
        let mut text = (Vec::new(), Vec::new());
        // What is written fits the pipes.
        child.stdout.take().map(|mut pipe| pipe.read_to_end(&mut text.0));
        child.stderr.take().map(|mut pipe| pipe.read_to_end(&mut text.1));
        let status = child.wait().expect("it can be waited for");
        Run::new(Output { status, stdout: text.0, stderr: text.1 })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The stored head, read as another process while the program may be writing. `None` if there is no database yet.
pub(super) fn stored_head(datadir: &Path) -> Option<Head> {
    if !datadir.join("db/mdbx.dat").exists() {
        return None;
    }
    match Database::open_read_only(&datadir.join("db"), None, DatabaseOptions::default())
        .and_then(|database| database.head())
    {
        Ok(head) => Some(head),
        // It is being made at this moment.
        Err(StorageError::NotInitialised | StorageError::Store(StoreError::Missing(_))) => None,
        Err(error) => panic!("no head in {}: {error}", datadir.display()),
    }
}

/// `braid db verify`.
pub(super) fn verify(datadir: &Path) -> Run {
    braid(arguments!["db", "verify", "--datadir", datadir])
}
