//! Builds blocks out of pools with contended contracts, and looks at them.

use braid_bench::building::{self, BuildingReport, POLICIES, POOLS, Policy, PoolKind, PoolSize};
use braid_bench::workload::Size;
use clap::Parser;
use std::{error::Error, path::PathBuf, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Builds blocks out of pools with contended contracts, by fees alone and with what is contended making way for others that pay the same.
///
/// For every pool and every order: the longest chain of each block, bounds on the speed-up, tips, who waits how long, and how long two threads take, each against
/// serial execution of the same blocks.
#[derive(Debug, Parser)]
#[command(
    name = "building-bench",
    after_help = "Examples:\n  \
        building-bench --list\n  \
        building-bench mint-burst dex --pairs 0         longest chains, tips and waits only\n  \
        building-bench --orders fees,selection\n  \
        building-bench --report docs/results-building.md --json building.json\n\n\
        Exit codes: 0 measured, 1 something could not be run."
)]
struct Arguments {
    /// Pools, by name or beginning of a name; all when none is given.
    pools: Vec<String>,
    /// Print the pools and the orders, and end.
    #[arg(long)]
    list: bool,
    /// Orders, by name; all when none is given.
    #[arg(long, value_delimiter = ',')]
    orders: Vec<String>,
    /// Gas limit of a block, such as 30M.
    #[arg(long, default_value = "30M")]
    size: Size,
    /// Blocks that what waits fills, about.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=16))]
    blocks: u64,
    /// Pairs of runs in every comparison; 0 times nothing.
    #[arg(long, default_value_t = 10)]
    pairs: usize,
    /// Seed of all choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn pools(names: &[String]) -> Result<Vec<&'static PoolKind>, String> {
    let unknown = |name: &&String| !POOLS.iter().any(|pool| pool.name.starts_with(name.as_str()));
    if let Some(name) = names.iter().find(unknown) {
        return Err(format!("no pool is named or begins with {name:?}; --list shows all of them"));
    }
    let wanted = |pool: &&PoolKind| names.is_empty() || names.iter().any(|name| pool.name.starts_with(name.as_str()));
    Ok(POOLS.iter().filter(wanted).collect())
}

fn orders(names: &[String]) -> Result<Vec<Policy>, String> {
    if let Some(name) = names.iter().find(|name| !POLICIES.iter().any(|policy| policy.name == **name)) {
        return Err(format!("no order is named {name:?}; --list shows all of them"));
    }
    let wanted = |policy: &&Policy| names.is_empty() || names.iter().any(|name| policy.name == *name);
    Ok(POLICIES.iter().filter(wanted).copied().collect())
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if arguments.list {
        POOLS.iter().for_each(|pool| println!("{:14} {}", pool.name, pool.contents));
        println!("\norders: {}", POLICIES.iter().map(|policy| policy.name).collect::<Vec<_>>().join(" | "));
        return Ok(());
    }
    let size = PoolSize { block_gas: arguments.size.gas, blocks: arguments.blocks, seed: arguments.seed };
    let policies = orders(&arguments.orders)?;
    let mut report = BuildingReport::new(&size, arguments.pairs);
    for pool in pools(&arguments.pools)? {
        let mut progress = |stage: &str| eprintln!("{}: {stage}", pool.name);
        match building::measure(pool, &size, &policies, arguments.pairs, &mut progress) {
            Ok(figures) => report.pools.push(figures),
            Err(error) => {
                eprintln!("{} is skipped: {error}", pool.name);
                report.skipped.push((pool.name.to_owned(), error.to_string()));
            }
        }
    }
    println!("{}", building::terminal(&report));
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &arguments.report {
        std::fs::write(path, building::markdown(&report))?;
    }
    if report.pools.is_empty() {
        return Err("nothing could be measured".into());
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("building-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
