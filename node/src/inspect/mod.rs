//! `braid inspect`: why a block was not faster, for those who wrote its contracts.
//!
//! [`options`] is what can be asked. [`gather`] executes the block and makes the [`report`], which [`table`] and [`page`] show. Names come from [`naming`]: of
//! slots by [`origin`] (what was hashed) and [`layout`] (what solc tells), of functions by [`functions`]; [`artifact`] reads the files of compilers, and [`given`]
//! puts what is in them to the [`contracts`] of the block: behind a proxy, to the storage that the code ran on.

mod artifact;
mod contracts;
mod functions;
mod gather;
mod given;
mod layout;
mod naming;
mod options;
mod origin;
mod page;
mod report;
mod table;
mod words;

pub(crate) use options::InspectOptions;

use crate::{
    SUCCESS, capture,
    replay::{ReplayBlock, load_predictor},
    terminal,
};
use braid_chain::NamedBundle;
use contracts::Contracts;
use eyre::{WrapErr, bail, eyre};
use gather::{Assumptions, Gatherer};
use given::Given;
use report::Report;
use std::{
    fs,
    io::{self, Write},
    path::Path,
    thread,
};

/// Runs the command and tells the exit code.
pub(crate) fn run(options: &InspectOptions) -> eyre::Result<u8> {
    // Files first: a wrong name should not be told after a long download.
    let given = Given::read(options)?;
    let saved = match &options.predictor {
        Some(path) => fs::read(path).wrap_err_with(|| format!("cannot read {}", path.display()))?,
        None => Vec::new(),
    };
    load_predictor(&saved).wrap_err("--predictor")?;

    let block = block(options)?;
    let name = block.name.clone();
    let threads = match options.threads {
        Some(threads) => usize::from(threads),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let found = gather::execute(&block).wrap_err_with(|| name.clone())?;
    let told = match &options.predictor {
        Some(path) => path.display().to_string(),
        None => "nothing".to_owned(),
    };
    let predictor = || load_predictor(&saved).unwrap_or_default();
    let engine = gather::run_engine(&block, threads, predictor, told).wrap_err(name)?;

    let mut warnings = Vec::new();
    let naming = given.naming(&Contracts::new(&block, &found), &found, &mut warnings);
    let top = usize::from(options.top);
    let gatherer = Gatherer { block: &block, found: &found, naming: &naming, top };
    let assumptions = Assumptions { split: &options.split, commutative: &options.commutative };
    show(options, &gatherer.report(engine, assumptions, warnings))?;
    Ok(SUCCESS)
}

/// The block, from a file or from a node.
fn block(options: &InspectOptions) -> eyre::Result<ReplayBlock> {
    let named = match (&options.bundle, &options.rpc_url, options.block) {
        (Some(path), ..) => {
            let mut blocks = braid_chain::open(path)?;
            let first = blocks.next().ok_or_else(|| eyre!("{}: there is no block in it", path.display()))??;
            if blocks.next().is_some() {
                bail!("{}: more than one block; inspect takes one", path.display());
            }
            first
        }
        (None, Some(url), Some(block)) => {
            let bundle = capture::fetch(url, block, options.genesis.as_deref())?;
            NamedBundle { name: format!("{url} block {}", bundle.number()), bundle }
        }
        _ => bail!("name a bundle, or a node with --rpc-url and --block"),
    };
    ReplayBlock::new(named).map_err(|problem| eyre!("{}: {}", problem.name, problem.reason))
}

/// Prints the tables and writes what was asked for.
fn show(options: &InspectOptions, report: &Report) -> eyre::Result<()> {
    let json_on_stdout = options.json.as_deref() == Some(Path::new("-"));
    let top = usize::from(options.top);
    if json_on_stdout {
        table::print(report, top, io::stderr().lock())?;
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, report)?;
        writeln!(out)?;
    } else {
        table::print(report, top, io::stdout().lock())?;
    }
    if let Some(path) = options.json.as_ref().filter(|_| !json_on_stdout) {
        write(path, &serde_json::to_vec_pretty(report)?)?;
    }
    if let Some(path) = &options.html {
        write(path, page::render(report)?.as_bytes())?;
    }
    for warning in &report.warnings {
        terminal::warning(warning);
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> eyre::Result<()> {
    fs::write(path, content).wrap_err_with(|| format!("cannot write {}", path.display()))
}
