//! `braid bundle`: converting blocks into bundles, and looking into them.

use crate::{FAILURE, SUCCESS, cli::BundleCommand, terminal};
use braid_chain::{Bundle, NamedBundle, PreState, bundle::EXTENSION};
use eyre::WrapErr;
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// Runs the command and tells the exit code.
pub(crate) fn run(command: &BundleCommand) -> eyre::Result<u8> {
    match command {
        BundleCommand::Convert { paths, out } => convert(paths, out),
        BundleCommand::Info { paths } => Ok(info(paths)),
    }
}

fn convert(paths: &[PathBuf], out: &Path) -> eyre::Result<u8> {
    fs::create_dir_all(out).wrap_err_with(|| format!("cannot make the folder {}", out.display()))?;
    let bar = terminal::progress(None, "convert");
    let mut names = HashSet::new();
    let (mut written, mut failed) = (0_u32, 0_u32);
    for_each(paths, |result| {
        let result = result.and_then(|NamedBundle { name, bundle }| {
            bar.set_message(format!("block {}", bundle.number()));
            let path = out.join(file_name(&bundle, &mut names));
            bundle.write_to(&path).map_err(|error| format!("{name}: {}: {error}", path.display()))
        });
        match result {
            Ok(()) => written += 1,
            Err(message) => {
                failed += 1;
                bar.suspend(|| terminal::error(&message));
            }
        }
        bar.inc(1);
    });
    bar.finish_and_clear();
    println!("{written} bundles in {}", out.display());
    Ok(if failed == 0 { SUCCESS } else { FAILURE })
}

/// Name of a bundle's file: the number of the block; with its hash when another block of that number came before.
fn file_name(bundle: &Bundle, names: &mut HashSet<String>) -> String {
    let number = format!("{}.{EXTENSION}", bundle.number());
    if names.insert(number.clone()) {
        return number;
    }
    let with_hash = format!("{}-{:x}.{EXTENSION}", bundle.number(), bundle.block.header.hash_slow());
    names.insert(with_hash.clone());
    with_hash
}

fn info(paths: &[PathBuf]) -> u8 {
    let mut code = SUCCESS;
    for_each(paths, |result| match result {
        Ok(named) => print!("{}", describe(&named)),
        Err(message) => {
            terminal::error(&message);
            code = FAILURE;
        }
    });
    code
}

fn describe(named: &NamedBundle) -> String {
    let NamedBundle { name, bundle } = named;
    let header = &bundle.block.header;
    let body = &bundle.block.body;
    let chain = match bundle.chain.spec() {
        Ok(spec) => format!("{}, {} rules", spec.name(), spec.spec_id(header)),
        Err(error) => error.to_string(),
    };
    let pre_state = match &bundle.pre_state {
        PreState::Plain(state) => {
            let slots: usize = state.accounts.values().map(|account| account.storage.len()).sum();
            let whole = if state.complete { ", the whole state" } else { "" };
            format!(
                "{} accounts, {slots} slots, {} codes, without proof{whole}",
                state.accounts.len(),
                state.codes.len()
            )
        }
        PreState::Witness(witness) => format!(
            "witness of {} trie nodes, {} codes, {} names, {} headers, from state root {}",
            witness.state.len(),
            witness.codes.len(),
            witness.keys.len(),
            witness.headers.len(),
            witness.state_root
        ),
    };
    let yes = |there: bool| if there { "yes" } else { "no" };
    let ommers = match (bundle.ommers_missing, body.ommers.len()) {
        (true, _) => "missing".to_owned(),
        (false, count) => count.to_string(),
    };
    format!(
        "{name}\n  block         {} {}\n  chain         {chain}\n  transactions  {}\n  gas used      {}\n  ommers        {ommers}\n  withdrawals   {}\n  pre-state     {pre_state}\n  block hashes  {}\n  senders       {}\n  receipts      {}\n  access list   {}\n",
        header.number,
        header.hash_slow(),
        body.transactions.len(),
        header.gas_used,
        body.withdrawals.as_ref().map_or(0, |withdrawals| withdrawals.len()),
        bundle.block_hashes.len(),
        yes(bundle.senders.is_some()),
        yes(bundle.receipts.is_some()),
        yes(bundle.access_list.is_some()),
    )
}

/// Every bundle at the paths, or in its place what is wrong, with its name.
fn for_each(paths: &[PathBuf], mut each: impl FnMut(Result<NamedBundle, String>)) {
    for path in paths {
        match braid_chain::open(path) {
            Ok(bundles) => bundles.for_each(|bundle| each(bundle.map_err(|error| error.to_string()))),
            Err(error) => each(Err(error.to_string())),
        }
    }
}
