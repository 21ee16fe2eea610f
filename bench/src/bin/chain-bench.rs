//! Measures the chain: importing blocks, and state roots.

use braid_bench::{
    defi_chain::{DefiChain, DefiChainSize},
    import::{self, Cores, ImportFigures, ImportMode},
    state_root::{ChangeSize, RootBench, StateSize},
};
use clap::{Args, Parser, Subcommand};
use std::{process::ExitCode, time::Duration};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the chain: importing blocks, and state roots.
///
/// All figures of a table are of one run, taken in turns.
#[derive(Debug, Parser)]
#[command(name = "chain-bench", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import a chain of DeFi blocks into a new database: on one core, with serial execution, and in parallel.
    Import(ImportArguments),
    /// Compute the state root after blocks of several sizes: from the database, with a serial trie in memory, and anew.
    Root(RootArguments),
}

#[derive(Args, Debug)]
struct RootArguments {
    /// Accounts of the state.
    #[arg(long, default_value_t = 1_000_000)]
    accounts: u64,
    /// Slots of the state.
    #[arg(long, default_value_t = 1_000_000)]
    slots: u64,
    /// Blocks measured of each size.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Only blocks that change so many accounts.
    #[arg(long)]
    only: Option<u64>,
}

#[derive(Args, Debug)]
struct ImportArguments {
    /// Blocks of the chain.
    #[arg(long, default_value_t = 200)]
    blocks: usize,
    /// Transactions of each block.
    #[arg(long, default_value_t = 440)]
    transactions: usize,
    /// Wallets that send them.
    #[arg(long, default_value_t = 4000)]
    wallets: usize,
    /// Accounts beside them.
    #[arg(long, default_value_t = 200_000)]
    bystanders: usize,
    /// Threads that execute in parallel mode.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Blocks written in one transaction.
    #[arg(long, default_value_t = 64)]
    commit: usize,
    /// Times that each mode is run.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these modes: one-core, pipelined, parallel.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Import(arguments) => run_import(&arguments),
        Command::Root(arguments) => run_root(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_import(arguments: &ImportArguments) -> Result<(), Box<dyn std::error::Error>> {
    let size = DefiChainSize {
        blocks: arguments.blocks,
        transactions: arguments.transactions,
        wallets: arguments.wallets,
        bystanders: arguments.bystanders,
        seed: 1,
    };
    eprintln!("making {} blocks of {} transactions ...", size.blocks, size.transactions);
    let chain = DefiChain::build(size, |_| {})?;
    let encoded = import::encode(&chain);
    let gas = chain.gas();
    println!(
        "{} blocks, {} transactions, {:.1} Mgas each, {} accounts at genesis, {} blocks a commit",
        chain.blocks.len(),
        chain.transactions(),
        gas as f64 / 1e6 / chain.blocks.len() as f64,
        chain.genesis.state.accounts.len(),
        arguments.commit
    );
    let modes: Vec<ImportMode> = ImportMode::ALL
        .into_iter()
        .filter(|mode| arguments.only.as_ref().is_none_or(|only| mode.name().starts_with(&only.replace('-', " "))))
        .collect();
    let cores = Cores::available();
    let mut figures: Vec<Vec<ImportFigures>> = vec![Vec::new(); modes.len()];
    for round in 0..arguments.rounds {
        let mut order: Vec<usize> = (0..modes.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let folder = tempfile::tempdir()?;
            if modes[index] == ImportMode::OneCore {
                cores.use_one();
            }
            let run = import::import(&chain, &encoded, folder.path(), modes[index], arguments.threads, arguments.commit);
            cores.use_all();
            figures[index].push(run?);
        }
    }
    println!(
        "{:28} {:>9} {:>9} {:>9} | {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} | {:>6} {:>6}",
        "mode", "wall", "blocks/s", "Mgas/s", "recover", "validate", "execute", "root", "wait", "flush", "CPU", "ratio"
    );
    let mut first = None;
    for (mode, mut runs) in modes.into_iter().zip(figures) {
        runs.sort_unstable_by_key(|run| run.wall);
        let run = runs[runs.len() / 2];
        let wall = run.wall.as_secs_f64();
        let first = *first.get_or_insert(wall);
        let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3 / chain.blocks.len() as f64);
        println!(
            "{:28} {:>8.2}s {:>9.1} {:>9.0} | {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} | {:>5.1}s {:>5.2}x",
            mode.name(),
            wall,
            chain.blocks.len() as f64 / wall,
            gas as f64 / 1e6 / wall,
            ms(run.timings.recover),
            ms(run.timings.validate),
            ms(run.timings.execute),
            ms(run.timings.root),
            ms(run.timings.commit),
            ms(run.flush),
            run.cpu.as_secs_f64(),
            first / wall
        );
    }
    println!("parts in ms a block; recover is beside the rest where it is pipelined, commits are beside it always");
    Ok(())
}

fn run_root(arguments: &RootArguments) -> Result<(), Box<dyn std::error::Error>> {
    let size = StateSize { accounts: arguments.accounts, slots: arguments.slots };
    let folder = tempfile::tempdir()?;
    let mut bench = RootBench::new(size, folder.path())?;
    let rebuild = bench.rebuild;
    println!("{} accounts and {} slots; rebuilt from nothing in {:.2} s", size.accounts, size.slots, rebuild.as_secs_f64());
    println!(
        "{:>9} {:>7} | {:>11} {:>11} {:>11} {:>11} | {:>9} {:>9}",
        "accounts", "slots", "all threads", "one thread", "cold cache", "serial trie", "of serial", "of anew"
    );
    let sizes = [(200, 0), (600, 700), (1_000, 0), (1_000, 1_000), (10_000, 0), (5_000, 5_000)];
    for (accounts, slots) in sizes.into_iter().filter(|(accounts, _)| arguments.only.is_none_or(|only| only == *accounts)) {
        let figures = bench.measure(ChangeSize { accounts, slots }, arguments.rounds)?;
        let median = |times: &[Duration]| {
            let mut times = times.to_vec();
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e3
        };
        let (parallel, serial) = (median(&figures.parallel), median(&figures.serial));
        println!(
            "{accounts:>9} {slots:>7} | {parallel:>8.2} ms {:>8.2} ms {:>8.2} ms {serial:>8.2} ms | {:>8.2}x {:>8.0}x",
            median(&figures.one_thread),
            median(&figures.cold),
            serial / parallel,
            rebuild.as_secs_f64() * 1e3 / parallel
        );
    }
    Ok(())
}
