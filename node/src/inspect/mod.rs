//! `braid inspect`: why a block was not faster, for those who wrote its contracts.
//!
//! [`options`] is what can be asked. [`gather`] executes the block and makes the [`report`], which [`table`] and [`page`] show. Names come from [`naming`]: of
//! slots by [`origin`] (what was hashed) and [`layout`] (what solc tells), of functions by [`functions`]; [`artifact`] reads the files of compilers.

mod artifact;
mod functions;
mod gather;
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
use alloy_primitives::{
    Address, Bytes,
    map::{AddressMap, AddressSet},
};
use braid_chain::NamedBundle;
use eyre::{WrapErr, bail, eyre};
use functions::Functions;
use gather::{Assumptions, Found, Gatherer};
use layout::Layout;
use naming::Naming;
use origin::Preimages;
use report::Report;
use revm::DatabaseRef;
use std::{
    fs,
    io::{self, Write},
    path::Path,
    thread,
};

/// Runs the command and tells the exit code.
pub(crate) fn run(options: &InspectOptions) -> eyre::Result<u8> {
    // Files first: a wrong name should not be told after a long download.
    let mut layouts = AddressMap::<Layout>::default();
    for file in &options.layout {
        let (Some(address), layout) = (file.address, file.layout()?) else { continue };
        if layouts.insert(address, layout).is_some() {
            bail!("two layouts for {address}");
        }
    }
    let interfaces = options.abi.iter().map(|file| Ok((file, file.interfaces()?))).collect::<eyre::Result<Vec<_>>>()?;
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
    let touched = touched(&found);
    for (address, layout) in &layouts {
        if !touched.contains(address) {
            warnings.push(format!("--layout {address}: this block does not touch the contract"));
        } else if layout.is_empty() {
            warnings.push(format!("--layout {address}: there are no variables in it"));
        }
    }
    let mut functions = Functions::new();
    let codes = if interfaces.is_empty() { AddressMap::default() } else { codes(&block, &touched) };
    for (file, interfaces) in interfaces {
        let mut matched = false;
        for interface in interfaces {
            matched |= functions.add(interface, file.address, &codes);
        }
        if !matched {
            warnings.push(format!(
                "--abi {}: no contract of this block has its code; name the contract with ADDRESS=FILE",
                AsRef::<Path>::as_ref(file).display()
            ));
        }
    }
    let preimages = Preimages::new(&found.calls.preimages, layouts.values().flat_map(Layout::slots));
    let naming = Naming { functions, layouts, preimages };
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

/// Accounts that the block loaded.
fn touched(found: &Found) -> AddressSet {
    found.explanation.trace().initial_balances.keys().copied().collect()
}

/// Code of the contracts, as it was before the block.
fn codes(block: &ReplayBlock, touched: &AddressSet) -> AddressMap<Bytes> {
    let code = |address: &Address| {
        let account = block.snapshot.basic_ref(*address).ok()??;
        let code = match account.code {
            Some(code) => code,
            None => block.snapshot.code_by_hash_ref(account.code_hash).ok()?,
        };
        (!code.is_empty()).then(|| (*address, code.original_bytes()))
    };
    touched.iter().filter_map(code).collect()
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
