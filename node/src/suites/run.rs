//! A run: files are read one after the other, a few jobs run their cases.
//!
//! At most a few files are in memory: the reader waits until a job has taken the last one. A case that panics is a failure and ends
//! nothing else; the job then starts with new engines.

use super::{
    case::{CaseReport, Verdict},
    options::SuiteOptions,
    report::Report,
};
use braid_fixtures::suites::{self, CaseText, Format, SuiteFile};
use std::{
    any::Any,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

/// Runs the cases of one format.
pub(super) trait Suite: Sync {
    /// What a job keeps from case to case: engines.
    type Machine: Send;

    /// The format.
    const FORMAT: Format;

    /// What a job starts with.
    fn machine(&self) -> eyre::Result<Self::Machine>;

    /// Runs one case of a file, which may be several to `report`.
    fn run(&self, machine: &mut Self::Machine, file: &str, case: &CaseText<'_>, report: &mut dyn FnMut(CaseReport));
}

/// Runs all cases at the paths of the options, and tells the exit code.
pub(super) fn run<S: Suite>(suite: &S, name: &'static str, options: &SuiteOptions) -> eyre::Result<u8> {
    let report = Report::new(name, options)?;
    let jobs = match options.jobs {
        Some(jobs) => jobs.get(),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let machines = (0..jobs).map(|_| suite.machine()).collect::<eyre::Result<Vec<_>>>()?;
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<SuiteFile>(jobs);
        let receiver = Arc::new(Mutex::new(receiver));
        let report = &report;
        for machine in machines {
            let receiver = Arc::clone(&receiver);
            scope.spawn(move || {
                let mut machine = machine;
                while let Some(file) = next(&receiver) {
                    run_file(suite, &mut machine, &file, options, report);
                }
            });
        }
        drop(receiver);
        for path in &options.paths {
            let visited = suites::visit(path, &mut |file| match sender.send(file) {
                Ok(()) if !report.is_over() => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            });
            match visited {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(error) => report.problem(&error.to_string()),
            }
        }
    });
    report.finish()
}

fn next(receiver: &Mutex<Receiver<SuiteFile>>) -> Option<SuiteFile> {
    receiver.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).recv().ok()
}

fn run_file<S: Suite>(
    suite: &S,
    machine: &mut S::Machine,
    file: &SuiteFile,
    options: &SuiteOptions,
    report: &Report<'_>,
) {
    let cases = match CaseText::all(&file.content) {
        Ok(cases) => cases,
        Err(error) => return report.problem(&format!("{}: {error}", file.name)),
    };
    for case in cases {
        if report.is_over() {
            return;
        }
        let is_wanted = |text: &String| file.name.contains(text.as_str()) || case.name.contains(text.as_str());
        if case.format() != Some(S::FORMAT) || !(options.filter.is_empty() || options.filter.iter().any(is_wanted)) {
            continue;
        }
        let run = || suite.run(machine, &file.name, &case, &mut |result| report.case(&file.name, result));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            let name = case.name.clone().into_owned();
            let verdict = Verdict::failed(format_args!("panicked: {}", message(&*panic)));
            report.case(&file.name, CaseReport { name, fork: String::new(), verdict, informative: None });
            match suite.machine() {
                Ok(new) => *machine = new,
                Err(error) => return report.problem(&error.to_string()),
            }
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
