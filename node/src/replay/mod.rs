//! `braid replay`: blocks executed serially and in parallel, checked and compared.
//!
//! [`input`] finds the blocks, [`knowledge`] decides what the engine may know before each, [`runner`] runs them, [`difference`] names what is not equal;
//! [`figures`] is the result, [`table`] what people read of it, [`page`] what they look at.

mod difference;
mod figures;
mod input;
mod knowledge;
mod page;
mod runner;
mod table;

pub(crate) use figures::Schedule;
pub(crate) use input::{Problem, ReplayBlock};
pub(crate) use knowledge::load as load_predictor;
pub(crate) use runner::schedule;

use crate::{
    FAILURE, MISMATCH, SUCCESS,
    cli::{PredictorSource, ReplayOptions},
    terminal,
};
use eyre::WrapErr;
use figures::{BlockFigures, Figures, LAYOUT, Total};
use indicatif::ProgressBar;
use knowledge::Teacher;
use runner::Runner;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Runs the command and tells the exit code.
pub(crate) fn run(options: &ReplayOptions) -> eyre::Result<u8> {
    let paths = if options.paths.is_empty() { vec![input::shipped()?] } else { options.paths.clone() };
    let threads = match options.threads {
        Some(threads) => usize::from(threads),
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let mut replay = Replay {
        runner: Runner::new(options.mode, threads, options.repeat)?,
        teacher: None,
        blocks: Vec::new(),
        problems: Vec::new(),
        keep_timings: options.html.is_some(),
    };
    let saved = match &options.predictor {
        PredictorSource::File(path) => read_predictor(path)?,
        PredictorSource::Cold | PredictorSource::Warm => Vec::new(),
    };
    if options.save_predictor.is_some() {
        replay.teacher = Some(Teacher::new(&saved)?);
    }
    match options.predictor {
        PredictorSource::Warm => replay.warm(&paths)?,
        PredictorSource::Cold | PredictorSource::File(_) => replay.one_by_one(&paths, &saved),
    }
    if let (Some(teacher), Some(path)) = (&mut replay.teacher, &options.save_predictor) {
        write(path, &teacher.save())?;
    }
    let figures = replay.finish(options, threads);
    report(options, &figures)?;
    Ok(figures.exit_code)
}

fn read_predictor(path: &Path) -> eyre::Result<Vec<u8>> {
    let saved = fs::read(path)
        .wrap_err_with(|| format!("{}: no saved predictor (and neither `cold` nor `warm`)", path.display()))?;
    knowledge::load(&saved).wrap_err_with(|| path.display().to_string())?;
    Ok(saved)
}

/// A run in progress.
struct Replay {
    runner: Runner,
    /// Learns from every block, when that is to be saved.
    teacher: Option<Teacher>,
    blocks: Vec<BlockFigures>,
    problems: Vec<Problem>,
    keep_timings: bool,
}

impl Replay {
    /// Runs the blocks as they are read, each with the same predictor.
    fn one_by_one(&mut self, paths: &[PathBuf], saved: &[u8]) {
        let bar = terminal::progress(None, "replay");
        for block in input::read(paths) {
            self.run(block, saved, &bar);
        }
        bar.finish_and_clear();
    }

    /// Runs each block with what the others teach.
    fn warm(&mut self, paths: &[PathBuf]) -> eyre::Result<()> {
        let bar = terminal::progress(None, "read");
        let mut blocks = Vec::new();
        for block in input::read(paths) {
            match block {
                Ok(block) => blocks.push(block),
                Err(problem) => self.note(problem, &bar),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let bar = terminal::progress(Some(blocks.len() as u64), "learn ");
        let predictors = knowledge::leave_one_out(&blocks, || bar.inc(1))?;
        bar.finish_and_clear();
        let bar = terminal::progress(Some(blocks.len() as u64), "replay");
        for (block, predictor) in blocks.into_iter().zip(predictors) {
            self.run(Ok(block), &predictor, &bar);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn run(&mut self, block: Result<ReplayBlock, Problem>, predictor: &[u8], bar: &ProgressBar) {
        let result = block.and_then(|block| {
            bar.set_message(format!("block {}", block.bundle.number()));
            let figures = self.runner.run(&block, predictor)?;
            if let Some(teacher) = &mut self.teacher {
                teacher.learn(&block);
            }
            Ok(figures)
        });
        match result {
            Ok(mut figures) => {
                if !self.keep_timings {
                    figures.timings = None;
                }
                self.blocks.push(figures);
            }
            Err(problem) => self.note(problem, bar),
        }
        bar.inc(1);
    }

    fn note(&mut self, problem: Problem, bar: &ProgressBar) {
        bar.suspend(|| problem.tell());
        self.problems.push(problem);
    }

    fn finish(self, options: &ReplayOptions, threads: usize) -> Figures {
        let total = Total::of(&self.blocks);
        let exit_code = match (total.mismatched, self.problems.len()) {
            (0, 0) => SUCCESS,
            (0, _) => FAILURE,
            _ => MISMATCH,
        };
        Figures {
            layout: LAYOUT,
            braid: env!("CARGO_PKG_VERSION"),
            mode: options.mode.name(),
            threads,
            predictor: options.predictor.to_string(),
            repeat: options.repeat,
            baseline: runner::BASELINE,
            blocks: self.blocks,
            problems: self.problems,
            total,
            exit_code,
        }
    }
}

/// Prints the table and writes what was asked for.
fn report(options: &ReplayOptions, figures: &Figures) -> eyre::Result<()> {
    let json_on_stdout = options.json.as_deref() == Some(Path::new("-"));
    if json_on_stdout {
        table::print(figures, io::stderr().lock())?;
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, figures)?;
        writeln!(out)?;
    } else {
        table::print(figures, io::stdout().lock())?;
    }
    if let Some(path) = options.json.as_ref().filter(|_| !json_on_stdout) {
        write(path, &serde_json::to_vec_pretty(figures)?)?;
    }
    if let Some(path) = &options.html {
        write(path, page::render(figures)?.as_bytes())?;
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> eyre::Result<()> {
    fs::write(path, content).wrap_err_with(|| format!("cannot write {}", path.display()))
}
