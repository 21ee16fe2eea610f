//! Measures the chain: importing blocks, and state roots.

use braid_bench::{
    defi_chain::{DefiChain, DefiChainSize},
    import::{self, Cores, ImportFigures, ImportMode},
    machine::Machine,
    memory,
    state_root::{ChangeSize, RootBench, StateSize},
};
use braid_storage::{Database, DatabaseOptions};
use clap::{Args, Parser, Subcommand};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

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
    /// Append what is printed to a Markdown file.
    #[arg(long, global = true, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import a chain of DeFi blocks into a new database: on one core, with serial execution, and in parallel.
    Import(ImportArguments),
    /// Compute the state root after blocks of several sizes: from the database, with a serial trie in memory, and anew.
    Root(RootArguments),
    /// Import the same transactions into states of several sizes.
    Growth(GrowthArguments),
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

/// The blocks, and how they are imported.
#[derive(Args, Debug)]
struct ChainArguments {
    /// Blocks of the chain.
    #[arg(long, default_value_t = 200)]
    blocks: usize,
    /// Transactions of each block.
    #[arg(long, default_value_t = 440)]
    transactions: usize,
    /// Wallets that send them.
    #[arg(long, default_value_t = 4000)]
    wallets: usize,
    /// Threads that execute in parallel mode.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Blocks written in one transaction.
    #[arg(long, default_value_t = 64)]
    commit: usize,
}

#[derive(Args, Debug)]
struct ImportArguments {
    #[command(flatten)]
    chain: ChainArguments,
    /// Accounts beside the wallets.
    #[arg(long, default_value_t = 200_000)]
    bystanders: usize,
    /// Times that each mode is run.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only one of the modes: one-core, pipelined, parallel.
    #[arg(long)]
    only: Option<String>,
}

#[derive(Args, Debug)]
struct GrowthArguments {
    #[command(flatten)]
    chain: ChainArguments,
    /// Accounts beside the wallets, one chain for each. 20 million need 12 GiB of memory and as much room on disk.
    #[arg(long, value_delimiter = ',', default_value = "1000000,5000000,20000000")]
    bystanders: Vec<usize>,
    /// Times that each chain is imported.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Folder for the databases.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    folder: PathBuf,
}

fn main() -> ExitCode {
    memory::keep_memory();
    let arguments = Arguments::parse();
    let mut report = Report::default();
    let result = match &arguments.command {
        Command::Import(arguments) => run_import(arguments, &mut report),
        Command::Root(arguments) => run_root(arguments, &mut report),
        Command::Growth(arguments) => run_growth(arguments, &mut report),
    };
    let result = result.and_then(|()| match &arguments.report {
        Some(file) => Ok(report.append(file)?),
        None => Ok(()),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is printed, kept for a file.
#[derive(Debug, Default)]
struct Report {
    lines: Vec<String>,
}

impl Report {
    fn line(&mut self, line: String) {
        println!("{line}");
        self.lines.push(line);
    }

    /// Appends what was printed to a Markdown file, below the command and the machine.
    fn append(&self, file: &Path) -> std::io::Result<()> {
        let machine = Machine::here();
        let command: Vec<String> = std::env::args().skip(1).collect();
        let text = format!(
            "\n## `chain-bench {}`\n\n{}, {} cores, commit {}\n\n```text\n{}\n```\n",
            command.join(" "),
            machine.processor,
            machine.cores,
            machine.commit,
            self.lines.join("\n")
        );
        std::fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(text.as_bytes())
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

impl ChainArguments {
    fn size(&self, bystanders: usize) -> DefiChainSize {
        let Self { blocks, transactions, wallets, .. } = *self;
        DefiChainSize { blocks, transactions, wallets, bystanders, seed: 1 }
    }
}

fn run_import(arguments: &ImportArguments, report: &mut Report) -> Outcome {
    let size = arguments.chain.size(arguments.bystanders);
    eprintln!("making {} blocks of {} transactions ...", size.blocks, size.transactions);
    let mut chain = DefiChain::new(size)?;
    let folder = tempfile::tempdir()?;
    chain.build(Database::create(folder.path(), &chain.genesis, DatabaseOptions::default())?)?;
    drop(folder);
    let encoded = import::encode(&chain);
    report.line(format!("{} accounts at genesis", chain.genesis.state.accounts.len()));
    report.line(describe(&chain, arguments.chain.commit));
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
            let database = Database::create(folder.path(), &chain.genesis, DatabaseOptions::default())?;
            let ChainArguments { threads, commit, .. } = arguments.chain;
            let run = import::import(&chain, &encoded, database, modes[index], threads, commit);
            cores.use_all();
            figures[index].push(run?);
        }
    }
    report.line(import_header("mode"));
    let mut first = None;
    for (mode, mut runs) in modes.into_iter().zip(figures) {
        runs.sort_unstable_by_key(|run| run.wall);
        let run = runs[runs.len() / 2];
        let first = *first.get_or_insert(run.wall);
        report.line(import_line(mode.name(), &chain, &run, first));
    }
    report.line(PARTS.to_owned());
    Ok(())
}

const PARTS: &str =
    "parts in ms a block; recover is beside the rest where it is pipelined, commits are beside it always";

fn describe(chain: &DefiChain, commit: usize) -> String {
    format!(
        "{} blocks, {} transactions, {:.1} Mgas each, {} slots at genesis, {commit} blocks a commit",
        chain.blocks.len(),
        chain.transactions(),
        chain.gas() as f64 / 1e6 / chain.blocks.len() as f64,
        chain.genesis.state.slots.len(),
    )
}

fn import_header(first: &str) -> String {
    format!(
        "{first:28} {:>9} {:>9} {:>9} | {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} | {:>6} {:>6}",
        "wall", "blocks/s", "Mgas/s", "recover", "validate", "execute", "root", "wait", "flush", "CPU", "ratio"
    )
}

fn import_line(name: &str, chain: &DefiChain, run: &ImportFigures, first: Duration) -> String {
    let wall = run.wall.as_secs_f64();
    let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3 / chain.blocks.len() as f64);
    format!(
        "{name:28} {wall:>8.2}s {:>9.1} {:>9.0} | {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} | {:>5.1}s {:>5.2}x",
        chain.blocks.len() as f64 / wall,
        chain.gas() as f64 / 1e6 / wall,
        ms(run.timings.recover),
        ms(run.timings.validate),
        ms(run.timings.execute),
        ms(run.timings.root),
        ms(run.timings.commit),
        ms(run.flush),
        run.cpu.as_secs_f64(),
        first.as_secs_f64() / wall
    )
}

fn run_growth(arguments: &GrowthArguments, report: &mut Report) -> Outcome {
    let mut first = None;
    for bystanders in &arguments.bystanders {
        let mut chain = DefiChain::new(arguments.chain.size(*bystanders))?;
        let folder = tempfile::tempdir_in(&arguments.folder)?;
        let options = DatabaseOptions::default();
        let begin = Instant::now();
        let database = Database::create(folder.path(), &chain.genesis, options)?;
        eprintln!("{bystanders} accounts written in {:.1} s", begin.elapsed().as_secs_f64());
        chain.build(database)?;
        let identity = chain.genesis.identity();
        // The accounts are in the database now; their list is large.
        let accounts = chain.genesis.state.accounts.len();
        chain.genesis.state.accounts = Vec::new();
        Database::open(folder.path(), Some(identity), options)?.unwind(0)?;
        let encoded = import::encode(&chain);
        let mut runs = Vec::new();
        for _ in 0..arguments.rounds {
            let database = Database::open(folder.path(), Some(identity), options)?;
            let ChainArguments { threads, commit, .. } = arguments.chain;
            runs.push(import::import(&chain, &encoded, database, ImportMode::Parallel, threads, commit)?);
            Database::open(folder.path(), Some(identity), options)?.unwind(0)?;
        }
        runs.sort_unstable_by_key(|run| run.wall);
        let run = runs[runs.len() / 2];
        if first.is_none() {
            report.line(describe(&chain, arguments.chain.commit));
            report.line(import_header("accounts at genesis"));
        }
        let first = *first.get_or_insert(run.wall);
        report.line(import_line(&accounts.to_string(), &chain, &run, first));
    }
    report.line(PARTS.to_owned());
    Ok(())
}

fn run_root(arguments: &RootArguments, report: &mut Report) -> Outcome {
    let size = StateSize { accounts: arguments.accounts, slots: arguments.slots };
    let folder = tempfile::tempdir()?;
    let mut bench = RootBench::new(size, folder.path())?;
    let rebuild = bench.rebuild.as_secs_f64();
    report.line(format!("{} accounts and {} slots; rebuilt from nothing in {rebuild:.2} s", size.accounts, size.slots));
    report.line(format!(
        "{:>9} {:>7} | {:>11} {:>11} {:>11} {:>11} | {:>9} {:>9}",
        "accounts", "slots", "all threads", "one thread", "cold cache", "serial trie", "of serial", "of anew"
    ));
    let sizes = [(200, 0), (600, 700), (1_000, 0), (1_000, 1_000), (10_000, 0), (5_000, 5_000)];
    for (accounts, slots) in
        sizes.into_iter().filter(|(accounts, _)| arguments.only.is_none_or(|only| only == *accounts))
    {
        let figures = bench.measure(ChangeSize { accounts, slots }, arguments.rounds)?;
        let median = |times: &[Duration]| {
            let mut times = times.to_vec();
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e3
        };
        let (parallel, serial) = (median(&figures.parallel), median(&figures.serial));
        report.line(format!(
            "{accounts:>9} {slots:>7} | {parallel:>8.2} ms {:>8.2} ms {:>8.2} ms {serial:>8.2} ms | {:>8.2}x {:>8.0}x",
            median(&figures.one_thread),
            median(&figures.cold),
            serial / parallel,
            rebuild * 1e3 / parallel
        ));
    }
    Ok(())
}
