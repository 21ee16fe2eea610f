//! Scores predictions against what transactions really touched.

use braid_bench::{
    defi_chain::{DefiChain, DefiChainSize},
    engine::Knowledge,
    harness::{self, Plan},
    machine::Machine,
    prediction::{self, Before, PredictionFigures, RanBlock, Report},
    report::gaps_closed,
    workload::{self, PROFILES, Profile, Size},
};
use braid_storage::{Database, DatabaseOptions};
use clap::Parser;
use std::{error::Error, path::PathBuf, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Scores predictions against what transactions really touched.
///
/// Precision, recall, keys in vain and cost of predictions, in total and per class of contract: of the mainnet blocks (each predicted by what was
/// learned from all others), of generated profiles (taught by a block of another seed), and after k blocks of a chain; and why keys were missed.
#[derive(Debug, Parser)]
#[command(
    name = "prediction-bench",
    after_help = "Examples:\n  \
        prediction-bench mainnet\n  \
        prediction-bench mainnet dex --misses /tmp/misses.txt\n  \
        prediction-bench --report docs/results-prediction.md --json scores.json --gap 2\n\n\
        Exit codes: 0 measured, 1 something could not be run."
)]
struct Arguments {
    /// Profiles, by name, beginning of a name or group (braid-bench --list); `chain` for blocks of a DeFi chain. All of them with calls in them when none is given.
    profiles: Vec<String>,
    /// Gas of generated blocks, such as 30M.
    #[arg(long, default_value = "30M")]
    size: Size,
    /// Seed of generated blocks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Numbers of blocks to learn from, for chains.
    #[arg(long, value_delimiter = ',', default_value = "0,1,2,4,8,16")]
    after: Vec<usize>,
    /// Also measure, in time, how much of the gap between no prediction and a perfect one is closed, with these thread counts (as braid-bench does, 10 pairs of runs).
    #[arg(long, value_delimiter = ',')]
    gap: Vec<usize>,
    /// Write every single miss to a file, in words.
    #[arg(long, value_name = "FILE")]
    misses: Option<PathBuf>,
    /// Write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

type Failure = Box<dyn Error>;

const CHAIN: &str = "chain";
/// Blocks of the DeFi chain, and transactions in each.
const CHAIN_BLOCKS: usize = 24;
const CHAIN_TRANSACTIONS: usize = 200;

fn chosen(names: &[String]) -> Result<Vec<&'static Profile>, String> {
    let matches = |profile: &Profile, name: &String| profile.group == *name || profile.name.starts_with(name.as_str());
    for name in names.iter().filter(|name| *name != CHAIN) {
        if !PROFILES.iter().any(|profile| matches(profile, name)) {
            return Err(format!("no profile is named or begins with {name:?}; braid-bench --list shows all of them"));
        }
    }
    let wanted = |profile: &&Profile| match names {
        [] => profile.group != "transfers",
        names => names.iter().any(|name| matches(profile, name)),
    };
    Ok(PROFILES.iter().filter(wanted).collect())
}

fn run_all(cases: &[workload::Case]) -> Result<Vec<RanBlock>, Failure> {
    Ok(cases.iter().map(prediction::run_block).collect::<Result<_, _>>()?)
}

fn measure_profile(profile: &Profile, arguments: &Arguments, figures: &mut PredictionFigures) -> Result<(), Failure> {
    let list = arguments.misses.is_some();
    let blocks = run_all(&workload::build(profile.name, arguments.size, arguments.seed)?.cases)?;
    if profile.is_generated() {
        let teachers = run_all(&workload::build(profile.name, arguments.size, arguments.seed ^ 0x5eed)?.cases)?;
        figures.warm.push(prediction::taught_by(profile.name, &teachers, &blocks, Before::Learned, list)?);
        return Ok(());
    }
    let learned = (&*format!("{}, warm", profile.name), Before::Learned);
    let read = (&*format!("{}, warm, unknown code read", profile.name), Before::LearnedAndRead);
    figures.warm.extend(prediction::leave_one_out([learned, read], &blocks, list)?);
    for (name, before) in [("cold, code read", Before::LearnedAndRead), ("cold", Before::Learned)] {
        let name = format!("{}, {name}", profile.name);
        figures.warm.push(prediction::taught_by(&name, &[], &blocks, before, false)?);
    }
    let name = format!("{} (the blocks of the set, which are far apart)", profile.name);
    figures.chains.push(prediction::after_blocks(&name, &blocks, &arguments.after));
    Ok(())
}

fn measure_chain(arguments: &Arguments, figures: &mut PredictionFigures) -> Result<(), Failure> {
    let size = DefiChainSize {
        blocks: CHAIN_BLOCKS,
        transactions: CHAIN_TRANSACTIONS,
        wallets: 2_000,
        bystanders: 0,
        seed: arguments.seed,
    };
    let mut chain = DefiChain::new(size)?;
    let folder = tempfile::tempdir()?;
    chain.build(Database::create(folder.path(), &chain.genesis, DatabaseOptions::default())?)?;
    let blocks = prediction::run_chain(&chain)?;
    figures.chains.push(prediction::after_blocks("DeFi chain, consecutive blocks", &blocks, &arguments.after));
    Ok(())
}

/// The gap in time, profile by profile, as the main benchmark finds it.
fn gaps(profiles: &[&Profile], arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    if arguments.gap.is_empty() {
        return Ok(lines);
    }
    let plan = Plan {
        paths: true,
        size: arguments.size,
        seed: arguments.seed,
        pairs: 10,
        threads: arguments.gap.clone(),
        knowledge: vec![Knowledge::Cold, Knowledge::Warm],
    };
    for profile in profiles {
        let measured = harness::measure(profile, &plan, &mut |stage| eprintln!("{}: {stage}", profile.name));
        match measured {
            Ok(measured) => lines.extend(gaps_closed(&measured)),
            Err(error) => lines.push(format!("`{}` could not be measured: {error}", profile.name)),
        }
    }
    Ok(lines)
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let profiles = chosen(&arguments.profiles)?;
    let mut report = Report {
        machine: Machine::here(),
        seed: arguments.seed,
        figures: PredictionFigures::default(),
        skipped: Vec::new(),
        gaps: Vec::new(),
    };
    for profile in &profiles {
        eprintln!("{}: {}", profile.name, profile.contents);
        if let Err(error) = measure_profile(profile, arguments, &mut report.figures) {
            eprintln!("{} is skipped: {error}", profile.name);
            report.skipped.push((profile.name.to_owned(), error.to_string()));
        }
    }
    if arguments.profiles.is_empty() || arguments.profiles.iter().any(|name| name == CHAIN) {
        eprintln!("{CHAIN}: {CHAIN_BLOCKS} consecutive blocks");
        if let Err(error) = measure_chain(arguments, &mut report.figures) {
            eprintln!("{CHAIN} is skipped: {error}");
            report.skipped.push((CHAIN.to_owned(), error.to_string()));
        }
    }
    report.gaps = gaps(&profiles, arguments)?;
    println!("{}", prediction::terminal(&report));
    if let Some(path) = &arguments.misses {
        let lines: Vec<_> = report.figures.warm.iter().flat_map(|set| set.misses.list.iter().cloned()).collect();
        std::fs::write(path, lines.join("\n") + "\n")?;
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &arguments.report {
        std::fs::write(path, prediction::markdown(&report))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("prediction-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
