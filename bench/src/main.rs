//! Measures the engine against plain serial revm on real contracts and real blocks.

use braid_bench::{
    engine::Knowledge,
    figures::ProfileFigures,
    harness::{self, Plan},
    machine::Machine,
    memory::{self, CountingAllocator},
    report,
    workload::{PROFILES, Profile, Size},
};
use clap::Parser;
use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Instant,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Measures the engine against the best serial baseline of plain revm.
///
/// Every figure is a ratio inside one run: baseline and engine execute the same block in turns (ABBA), and receipts and state change of
/// every single run are compared. Profiles with real contracts install them from npm into target/ on first use; without
/// npm these profiles are skipped, aloud.
#[derive(Debug, Parser)]
#[command(
    name = "braid-bench",
    after_help = "Examples:\n  \
        braid-bench --list\n  \
        braid-bench defi-mix --size 30M,100M --knowledge cold,warm,exact\n  \
        braid-bench transfers-independent erc20-independent --size 1G --threads 1,2\n  \
        braid-bench dex mainnet --knowledge cold,warm,exact --report results.md\n  \
        braid-bench --baselines-only --size 30M,1G\n\n\
        Exit codes: 0 measured, 1 something could not be run, 2 two sides gave different results."
)]
struct Arguments {
    /// Profiles to measure, by name, beginning of a name or group; all when none is given.
    profiles: Vec<String>,
    /// List all profiles and what they show, then stop.
    #[arg(long)]
    list: bool,
    /// Gas of generated blocks: 30M, 100M, 1G, any number between 1M and 4G, or several of them.
    #[arg(long, value_delimiter = ',', default_value = "100M")]
    size: Vec<Size>,
    /// Thread counts of the engine.
    #[arg(long, value_delimiter = ',', default_value = "2")]
    threads: Vec<usize>,
    /// What the engine knows beforehand: cold, warm, exact.
    #[arg(long, value_delimiter = ',', default_value = "warm")]
    knowledge: Vec<Knowledge>,
    /// Measure only the two serial baselines against each other.
    #[arg(long)]
    baselines_only: bool,
    /// Pairs of runs in every comparison.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,

    /// Interpret every transaction: what the engine is worth without paths
    #[arg(long)]
    without_paths: bool,
    /// Seed of generated blocks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn list() {
    for profile in PROFILES {
        let contracts = if profile.needs_contracts { " [contracts from npm]" } else { "" };
        println!("{:26}{}: {}{contracts}", profile.name, profile.contents, profile.shows);
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Profile>, String> {
    if let Some(unknown) = names.iter().find(|name| !PROFILES.iter().any(|profile| matches(profile, name))) {
        return Err(format!("no profile is named or begins with {unknown:?}; --list shows all of them"));
    }
    let wanted = |profile: &&Profile| names.is_empty() || names.iter().any(|name| matches(profile, name));
    Ok(PROFILES.iter().filter(wanted).collect())
}

/// A full name means that profile alone; otherwise groups and beginnings count.
fn matches(profile: &Profile, name: &str) -> bool {
    if PROFILES.iter().any(|other| other.name == name) {
        return profile.name == name || profile.group == name;
    }
    profile.group == name || profile.name.starts_with(name)
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let mut plan = Plan {
        size: arguments.size.first().copied().unwrap_or(Size::MEDIUM),
        seed: arguments.seed,
        pairs: usize::from(arguments.pairs),
        paths: !arguments.without_paths,
        threads: arguments.threads.clone(),
        knowledge: if arguments.baselines_only { Vec::new() } else { arguments.knowledge.clone() },
    };
    if plan.threads.contains(&0) {
        return Err("a thread count must be at least 1".to_owned());
    }
    // Generated blocks at every size, real ones once.
    let runs: Vec<(&Profile, Size)> = chosen(&arguments.profiles)?
        .into_iter()
        .flat_map(|profile| {
            let sizes =
                if profile.is_generated() { arguments.size.as_slice() } else { std::slice::from_ref(&plan.size) };
            sizes.iter().map(move |size| (profile, *size)).collect::<Vec<_>>()
        })
        .collect();
    let machine = Machine::here();
    eprintln!(
        "{}, {} cores; commit {}; seed {}, {} pairs",
        machine.processor, machine.cores, machine.commit, plan.seed, plan.pairs
    );
    let terminal = std::io::stderr().is_terminal();
    let (mut measured, mut skipped, mut mismatch) = (Vec::<ProfileFigures>::new(), Vec::new(), false);
    for (index, (profile, size)) in runs.iter().enumerate() {
        let started = Instant::now();
        plan.size = *size;
        let place = format!("[{}/{}] {} {size}", index + 1, runs.len(), profile.name);
        let mut progress = |step: &str| {
            if terminal {
                eprint!("\r\x1b[2K{place}: {step}");
                let _ = std::io::stderr().flush();
            }
        };
        let result = harness::measure(profile, &plan, &mut progress);
        if terminal {
            eprint!("\r\x1b[2K");
        }
        match result {
            Ok(figures) => {
                let speed_ups: Vec<_> =
                    figures.engine.iter().map(|engine| format!("{:.2}×", engine.comparison.ratio.median)).collect();
                eprintln!("{place}: {} ({:.1?})", speed_ups.join(", "), started.elapsed());
                for reason in figures.engine.iter().filter_map(|engine| engine.fallback_reason.as_ref()) {
                    eprintln!("  decided by serial revm in the end: {reason}");
                }
                measured.push(figures);
            }
            Err(error) => {
                eprintln!("{place}: NOT MEASURED: {error}");
                mismatch |= matches!(error, harness::MeasureError::Mismatch { .. });
                skipped.push((format!("{} {size}", profile.name), error.to_string()));
            }
        }
    }
    for figures in measured.iter().filter(|figures| Some(figures.name) == PROFILES.first().map(|profile| profile.name))
    {
        println!("{}: {}\n", figures.title(), figures.notes);
    }
    for line in report::headline(&measured) {
        println!("{line}");
    }
    println!("{}", report::terminal(&measured));
    if let Some(path) = &arguments.json {
        let json = serde_json::json!({
            "machine": machine, "seed": plan.seed, "pairs": plan.pairs,
            "profiles": measured, "not_measured": skipped,
        });
        write(path, &format!("{json:#}\n"))?;
    }
    if let Some(path) = &arguments.report {
        write(path, &report::markdown(&machine, &plan, &measured, &skipped))?;
    }
    Ok(if mismatch {
        ExitCode::from(2)
    } else if skipped.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn main() -> ExitCode {
    memory::keep_memory();
    let arguments = Arguments::parse();
    if arguments.list {
        list();
        return ExitCode::SUCCESS;
    }
    run(&arguments).unwrap_or_else(|message| {
        eprintln!("error: {message}");
        ExitCode::FAILURE
    })
}
