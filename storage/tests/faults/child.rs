//! Other processes: this test program run again, for one of the tests marked as ignored, which read what they are to do
//! from the environment.

use super::chain::{extend, genesis, options};
use braid_storage::{Database, DatabaseOptions, Durability};
use std::{
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

const FOLDER: &str = "BRAID_TEST_FOLDER";
/// Not empty: the writer leaves it to the operating system when blocks reach the disk.
const LAZY: &str = "BRAID_TEST_LAZY";

/// A process that ends, killed, with this value.
pub(super) struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(super) fn start(test: &str, folder: &Path) -> Self {
        Self::start_with(test, folder, Durability::EveryBlock)
    }

    pub(super) fn start_with(test: &str, folder: &Path, durability: Durability) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder)
            .env(LAZY, if durability == Durability::EveryBlock { "" } else { "yes" })
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The number in the next line `head N` that it wrote; `None` at its end.
    pub(super) fn next_head(&mut self) -> Option<u64> {
        // The test runner writes the name of the test before the first line.
        self.lines.by_ref().map_while(Result::ok).find_map(|line| line.split("head ").nth(1)?.parse().ok())
    }

    /// Kills it as `kill -9` does and gives the last head that it had told.
    pub(super) fn kill(mut self) -> Option<u64> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::iter::from_fn(|| self.next_head()).last()
    }

    /// Waits for its end; tells whether it ended by itself, with whatever result.
    pub(super) fn ended_by_itself(mut self) -> bool {
        while self.next_head().is_some() {}
        self.child.wait().unwrap().code().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> std::path::PathBuf {
    std::env::var_os(FOLDER).expect("run by another test").into()
}

/// Appends blocks for ever, in portions, and goes back a little now and then. Tells each head once it is
/// appended.
#[test]
#[ignore = "run as another process by other tests"]
fn writer() {
    let lazy = std::env::var_os(LAZY).is_some_and(|lazy| !lazy.is_empty());
    let durability = if lazy { Durability::None } else { Durability::EveryBlock };
    let options = DatabaseOptions { durability, ..options() };
    let database = Database::create(&folder(), &genesis(), options).unwrap();
    let mut out = std::io::stdout();
    for round in 1u64.. {
        let head = if round.is_multiple_of(13) {
            let head = database.head().unwrap().number;
            database.unwind(head.saturating_sub(2)).unwrap().number
        } else {
            extend(&database, 1 + (round % 3) as usize).unwrap()
        };
        writeln!(out, "head {head}").and_then(|()| out.flush()).unwrap();
    }
}

/// Opens a database and looks at everything in it.
#[test]
#[ignore = "run as another process by other tests"]
fn examiner() {
    let database = Database::open_read_only(&folder(), None, options()).unwrap();
    if let Err(error) = database.verify(|_| {}) {
        panic!("{error}");
    }
    println!("head {}", database.head().unwrap().number);
}
