//! What is told about a run: failures and skips as they happen, the counts in the end.

use super::{
    case::{CaseReport, Verdict},
    options::SuiteOptions,
};
use crate::{
    FAILURE, MISMATCH, SUCCESS,
    terminal::{self, Colour, paint},
};
use eyre::WrapErr;
use indicatif::ProgressBar;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

/// Collects what becomes of the cases, from all jobs.
pub(super) struct Report<'o> {
    command: &'static str,
    options: &'o SuiteOptions,
    bar: ProgressBar,
    /// Nothing more needs to be run.
    is_over: AtomicBool,
    state: Mutex<State>,
}

struct State {
    counts: Counts,
    /// By the reason.
    skipped: BTreeMap<&'static str, u64>,
    json: Option<Box<dyn Write + Send>>,
    /// The first thing that went wrong in writing.
    broken: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
    problems: u64,
    #[serde(skip_serializing_if = "is_zero")]
    informative_as_expected: u64,
    #[serde(skip_serializing_if = "is_zero")]
    informative_otherwise: u64,
}

const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A case as JSON.
#[derive(Serialize)]
struct CaseLine<'a> {
    file: &'a str,
    case: &'a str,
    fork: &'a str,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// What came of executing it, where that does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<&'a str>,
}

/// The last line as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    command: &'static str,
    mode: String,
    threads: u16,
    #[serde(flatten)]
    counts: Counts,
    skips: &'a BTreeMap<&'static str, u64>,
    exit_code: u8,
}

impl<'o> Report<'o> {
    /// Opens what is to be written.
    pub(super) fn new(command: &'static str, options: &'o SuiteOptions) -> eyre::Result<Self> {
        let json: Option<Box<dyn Write + Send>> = match &options.json {
            None => None,
            Some(path) if path == Path::new("-") => Some(Box::new(io::stdout())),
            Some(path) => {
                let file = File::create(path).wrap_err_with(|| format!("cannot write {}", path.display()))?;
                Some(Box::new(BufWriter::new(file)))
            }
        };
        let state = State { counts: Counts::default(), skipped: BTreeMap::new(), json, broken: None };
        Ok(Self {
            command,
            options,
            bar: terminal::progress(None, command),
            is_over: AtomicBool::new(false),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether to stop: something failed and that is enough, or nothing more can be written.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Something that could not be read.
    pub(super) fn problem(&self, reason: &str) {
        let mut state = self.state();
        state.counts.problems += 1;
        self.bar.suspend(|| terminal::error(reason));
    }

    /// What became of a case.
    pub(super) fn case(&self, file: &str, case: CaseReport) {
        let mut state = self.state();
        let mut line = CaseLine {
            file,
            case: &case.name,
            fork: &case.fork,
            result: "passed",
            mode: None,
            reason: None,
            execution: None,
        };
        match &case.informative {
            Some(Ok(())) => {
                state.counts.informative_as_expected += 1;
                line.execution = Some("as expected");
            }
            Some(Err(difference)) => {
                state.counts.informative_otherwise += 1;
                line.execution = Some(difference);
            }
            None => {}
        }
        match &case.verdict {
            Verdict::Passed => state.counts.passed += 1,
            Verdict::Failed(failure) => {
                state.counts.failed += 1;
                (line.result, line.reason) = ("failed", Some(failure.difference.as_str()));
                line.mode = failure.mode.map(super::options::CaseMode::name);
                let mode = line.mode.map(|mode| format!(" [{mode}]")).unwrap_or_default();
                let text = format!("{file}: {}{mode}: {}", case.name, failure.difference);
                self.tell(&mut state, Colour::Red, "FAILED ", &text);
                if self.options.fail_fast {
                    self.is_over.store(true, Ordering::Relaxed);
                }
            }
            Verdict::Skipped(reason) => {
                state.counts.skipped += 1;
                *state.skipped.entry(reason).or_default() += 1;
                (line.result, line.reason) = ("skipped", Some(*reason));
                self.tell(&mut state, Colour::Yellow, "skipped", &format!("{file}: {}: {reason}", case.name));
            }
        }
        let written = state.json.as_mut().map(|json| write_line(json, &line));
        self.note(&mut state, written);
        self.bar.inc(1);
        if state.counts.failed > 0 {
            self.bar.set_message(format!("{} failed", state.counts.failed));
        }
    }

    /// Prints a line for people.
    fn tell(&self, state: &mut State, colour: Colour, word: &str, text: &str) {
        let written = self.bar.suspend(|| self.print(colour, word, text));
        self.note(state, Some(written));
    }

    fn print(&self, colour: Colour, word: &str, text: &str) -> io::Result<()> {
        if self.json_is_stdout() {
            let word = paint(&io::stderr(), colour, word);
            writeln!(io::stderr().lock(), "{word} {text}")
        } else {
            let word = paint(&io::stdout(), colour, word);
            writeln!(io::stdout().lock(), "{word} {text}")
        }
    }

    fn json_is_stdout(&self) -> bool {
        self.options.json.as_deref() == Some(Path::new("-"))
    }

    fn note(&self, state: &mut State, written: Option<io::Result<()>>) {
        if let Some(Err(error)) = written {
            state.broken.get_or_insert(error);
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// Prints the counts and tells the exit code.
    pub(super) fn finish(self) -> eyre::Result<u8> {
        self.bar.finish_and_clear();
        let mut state = self.state();
        if let Some(error) = state.broken.take() {
            return Err(error).wrap_err("cannot write the results");
        }
        let counts = state.counts;
        let exit_code = match (counts.failed, counts.problems, counts.passed) {
            (0, 0, 1..) => SUCCESS,
            (0, _, _) => FAILURE,
            _ => MISMATCH,
        };
        let skips = std::mem::take(&mut state.skipped);
        if let Some(json) = &mut state.json {
            let Self { command, options, .. } = &self;
            let mode = format!("{:?}", options.mode).to_lowercase();
            let summary = Summary { command, mode, threads: options.threads, counts, skips: &skips, exit_code };
            write_line(json, &summary).and_then(|()| json.flush()).wrap_err("cannot write the results")?;
        }
        if counts.passed + counts.failed == 0 && counts.problems == 0 {
            terminal::error(&format!("no case of {} was run", self.command));
        }
        let mut lines = String::new();
        let (as_expected, otherwise) = (counts.informative_as_expected, counts.informative_otherwise);
        if as_expected + otherwise > 0 {
            lines += &format!("execution of Amsterdam (for information): {as_expected} as expected, {otherwise} not\n");
        }
        lines += &format!("{} passed, {} failed, {} skipped\n", counts.passed, counts.failed, counts.skipped);
        let written = match self.json_is_stdout() {
            true => io::stderr().lock().write_all(lines.as_bytes()),
            false => io::stdout().lock().write_all(lines.as_bytes()),
        };
        written.wrap_err("cannot write the results")?;
        Ok(exit_code)
    }
}

fn write_line(writer: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *writer, line)?;
    writer.write_all(b"\n")
}
