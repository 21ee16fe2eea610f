//! Finds where the engine stops scaling, and what 100,000 transactions per second would take.

use braid_bench::{
    defi_chain::{DefiChain, DefiChainSize},
    engine::Knowledge,
    import::{self, Cores, ImportMode},
    machine::Machine,
    memory,
    scaling::{
        self, ImportRate, Plan, Report, machine_costs,
        tps::{self, CLASSES, Ingestion},
    },
    workload::{PROFILES, Profile, Size},
};
use braid_storage::{Database, DatabaseOptions};
use clap::Parser;
use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Finds where the engine stops scaling, and what 100,000 transactions per second would take.
///
/// Clocks the parts of each block in real runs of the engine on one and two threads, simulates the engine's own schedule with these costs on more cores, and prints how
/// far the simulation is off where real runs are possible: on one thread, on two, and on sixteen if the machine has them. Beside each figure stand the
/// bounds for that number of cores and what takes most of the time. Then come the other layers of a node (senders, state root, commit, RPC), and
/// the number of cores that 100,000 transactions of each class in a second would need.
#[derive(Debug, Parser)]
#[command(
    name = "scaling-bench",
    after_help = "Examples:\n  \
        scaling-bench erc20-hot-30 --size 30M            one profile, quickly\n  \
        scaling-bench dex mainnet --cores 2,16,64 --no-tps\n  \
        scaling-bench --report docs/results-scaling.md --json scaling.json\n\n\
        Reading the tables: \"measured\" ran on this machine, \"simulated\" did not. Look at the errors first: a simulation that is off on two threads says nothing about \
        sixty-four. \"bound by\" says what to improve next.\n\n\
        Exit codes: 0 measured, 1 something could not be run, 2 two sides gave different results."
)]
struct Arguments {
    /// Profiles, by name, beginning of a name or group (braid-bench --list); those of the classes of transactions, and some with conflicts, when none is given.
    profiles: Vec<String>,
    /// Gas of generated blocks, such as 100M.
    #[arg(long, default_value = "100M")]
    size: Size,
    /// Cores to simulate.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16,32,64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: Vec<u16>,
    /// Threads of real runs; those beyond the cores of the machine are left out.
    #[arg(long, value_delimiter = ',', default_value = "1,2,16", value_parser = clap::value_parser!(u16).range(1..=1024))]
    real: Vec<u16>,
    /// What the engine knows beforehand: cold, warm, exact.
    #[arg(long, value_delimiter = ',', default_value = "cold,warm,exact")]
    knowledge: Vec<Knowledge>,
    /// Pairs of real runs in every comparison, and clocked runs of every block.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Seed of generated blocks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave out the other layers, imports, and the table for 100,000 transactions per second.
    #[arg(long)]
    no_tps: bool,
    /// The report of `rpc-bench` that says what RPC costs.
    #[arg(long, value_name = "FILE", default_value_os_t = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/results-rpc.md"))]
    rpc: PathBuf,
    /// Write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Beside the classes: conflicts of several kinds.
const CONFLICTS: &[&str] =
    &["transfers-hot-recipient", "erc20-hot-30", "erc20-zipf", "dex-v2-4", "dex-v2-1", "dex-hot-multihop"];

fn chosen(names: &[String]) -> Result<Vec<&'static Profile>, String> {
    let matches = |profile: &Profile, name: &str| {
        let is_whole = PROFILES.iter().any(|other| other.name == name);
        profile.name == name || profile.group == name || (!is_whole && profile.name.starts_with(name))
    };
    if let Some(unknown) = names.iter().find(|name| !PROFILES.iter().any(|profile| matches(profile, name))) {
        return Err(format!("no profile is named or begins with {unknown:?}; braid-bench --list shows all of them"));
    }
    let wanted = |profile: &&Profile| match names {
        [] => CLASSES.iter().any(|(_, name)| profile.name == *name) || CONFLICTS.contains(&profile.name),
        names => names.iter().any(|name| matches(profile, name)),
    };
    Ok(PROFILES.iter().filter(wanted).collect())
}

/// Imports a chain of DeFi blocks on one core and on all of them.
fn imports(threads: usize) -> Result<Vec<ImportRate>, Box<dyn Error>> {
    let size = DefiChainSize { blocks: 60, transactions: 440, wallets: 4_000, bystanders: 200_000, seed: 1 };
    let mut chain = DefiChain::new(size)?;
    let folder = tempfile::tempdir()?;
    chain.build(Database::create(folder.path(), &chain.genesis, DatabaseOptions::default())?)?;
    let encoded = import::encode(&chain);
    let cores = Cores::available();
    let modes = [ImportMode::OneCore, ImportMode::Parallel];
    let mut runs = [Vec::new(), Vec::new()];
    for round in 0..4 {
        // ABBA.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for index in order {
            let folder = tempfile::tempdir()?;
            if modes[index] == ImportMode::OneCore {
                cores.use_one();
            }
            let database = Database::create(folder.path(), &chain.genesis, DatabaseOptions::default())?;
            let run = import::import(&chain, &encoded, database, modes[index], threads, 64);
            cores.use_all();
            runs[index].push(run?);
        }
    }
    let rates = modes.iter().zip(&mut runs).map(|(mode, runs)| {
        runs.sort_unstable_by_key(|run| run.wall);
        ImportRate::of(mode.name(), &runs[runs.len() / 2], chain.transactions(), chain.gas())
    });
    Ok(rates.collect())
}

fn write(arguments: &Arguments, report: &Report) -> Result<(), Box<dyn Error>> {
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(report)?)?;
    }
    if let Some(path) = &arguments.report {
        std::fs::write(path, scaling::markdown(report))?;
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let profiles = chosen(&arguments.profiles)?;
    let machine = Machine::here();
    let of = |numbers: &[u16]| -> Vec<usize> { numbers.iter().copied().map(usize::from).collect() };
    let real: Vec<usize> = of(&arguments.real).into_iter().filter(|threads| *threads <= machine.cores).collect();
    eprintln!("{}, {} cores; real runs on {real:?} thread(s); what threads cost ...", machine.processor, machine.cores);
    let threads = machine_costs::thread_costs();
    let plan = Plan {
        size: arguments.size,
        seed: arguments.seed,
        pairs: usize::from(arguments.pairs),
        cores: of(&arguments.cores),
        real,
        knowledge: arguments.knowledge.clone(),
        threads,
    };
    let ingestion = std::fs::read_to_string(&arguments.rpc).ok().and_then(|report| Ingestion::read(&report));
    let cores = machine.cores;
    let mut report = Report {
        command: command(std::env::args().skip(1)),
        machine,
        size: plan.size.to_string(),
        pairs: plan.pairs,
        threads: Report::thread_costs(&threads),
        profiles: Vec::new(),
        classes: Vec::new(),
        ingestion,
        imports: Vec::new(),
        skipped: Vec::new(),
    };
    let mut mismatch = false;
    for (index, profile) in profiles.iter().enumerate() {
        let started = Instant::now();
        let place = format!("[{}/{}] {}", index + 1, profiles.len(), profile.name);
        let measured = scaling::measure(profile, &plan, &mut |step| eprintln!("{place}: {step}"));
        let measured = match measured {
            Ok(measured) => measured,
            Err(error) => {
                eprintln!("{place}: NOT MEASURED: {error}");
                mismatch |= matches!(error, scaling::ScalingError::Mismatch { .. });
                report.skipped.push((profile.name.to_owned(), error.to_string()));
                continue;
            }
        };
        let class = CLASSES.iter().find(|(_, name)| *name == profile.name).filter(|_| !arguments.no_tps);
        if let Some((class, _)) = class {
            eprintln!("{place}: senders, roots and commits");
            match tps::class_figures(class, &measured, &plan, ingestion) {
                Ok(figures) => report.classes.push(figures),
                Err(error) => report.skipped.push((format!("{class}, other layers"), error.to_string())),
            }
        }
        report.profiles.push(measured);
        // A run takes minutes: what was found is kept if it is stopped.
        write(arguments, &report)?;
        eprintln!("{place}: done in {:.1?}", started.elapsed());
    }
    if !arguments.no_tps && arguments.profiles.is_empty() {
        eprintln!("importing a chain of DeFi blocks");
        match imports(cores) {
            Ok(rates) => report.imports = rates,
            Err(error) => report.skipped.push(("imports".to_owned(), error.to_string())),
        }
    }
    println!("{}", scaling::terminal(&report));
    write(arguments, &report)?;
    Ok(if mismatch {
        ExitCode::from(2)
    } else if report.skipped.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What to call to get the same report; where else figures are written does not matter.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut arguments = arguments;
    let mut kept = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--json" {
            arguments.next();
        } else if !argument.starts_with("--json=") {
            kept.push(argument);
        }
    }
    kept.join(" ")
}

fn main() -> ExitCode {
    memory::keep_memory();
    run(&Arguments::parse()).unwrap_or_else(|error| {
        eprintln!("scaling-bench: {error}");
        ExitCode::FAILURE
    })
}
