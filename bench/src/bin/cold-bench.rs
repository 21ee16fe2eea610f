//! Measures read-ahead: the engine against serial revm on a state that lies on a slow disk.

use braid_bench::{
    cold::{self, Plan, Report},
    engine::Knowledge,
    machine::Machine,
    memory,
    workload::{PROFILES, Profile, Size},
};
use clap::Parser;
use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Threads that execute, threads that read ahead, and what is known: `2x16:warm`.
type Engine = (usize, usize, Knowledge);

/// Measures the engine against serial revm where every first read waits for a disk.
#[derive(Debug, Parser)]
#[command(name = "cold-bench")]
struct Arguments {
    /// Profiles to measure, by name or group.
    #[arg(default_values_t = ["mainnet", "erc20-independent", "dex-v2-64", "transfers-independent"].map(str::to_owned))]
    profiles: Vec<String>,
    /// Gas of generated blocks.
    #[arg(long, default_value = "30M")]
    size: Size,
    /// Seed of generated blocks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds; every side runs once in each.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Blocks of a profile that are measured at most.
    #[arg(long, default_value_t = 12)]
    blocks: usize,
    /// Times that a read from the disk is asked to take, in microseconds.
    #[arg(long, value_delimiter = ',', default_value = "100,20,500")]
    delay: Vec<u64>,
    /// Reads that the disk serves at a time.
    #[arg(long, default_value_t = 32)]
    depth: usize,
    /// Reader threads of the serial side that has some.
    #[arg(long, default_value_t = 16)]
    readers: usize,
    /// Engines as THREADSxREADERS:cold|warm.
    #[arg(long, value_delimiter = ',', value_parser = engine,
          default_value = "1x0:cold,2x0:cold,1x16:cold,1x16:warm,2x16:cold,2x16:warm")]
    engines: Vec<Engine>,
    /// Write all figures as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as Markdown.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

fn engine(text: &str) -> Result<Engine, String> {
    let form = || format!("{text:?} is not of the form 2x16:warm");
    let (counts, knowledge) = text.split_once(':').ok_or_else(form)?;
    let (threads, readers) = counts.split_once('x').ok_or_else(form)?;
    let number = |text: &str| text.parse::<usize>().map_err(|_| form());
    Ok((number(threads)?, number(readers)?, knowledge.parse()?))
}

fn chosen(names: &[String]) -> Result<Vec<&'static Profile>, String> {
    let mut profiles = Vec::new();
    for name in names {
        let found: Vec<_> =
            PROFILES.iter().filter(|profile| profile.name == name || profile.group == name.as_str()).collect();
        if found.is_empty() {
            return Err(format!("no profile is named {name:?}; braid-bench --list shows all of them"));
        }
        profiles.extend(found);
    }
    Ok(profiles)
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut report = Report {
        machine: Machine::here(),
        seed: arguments.seed,
        size: arguments.size.to_string(),
        rounds: arguments.rounds,
        readers: arguments.readers,
        depth: arguments.depth,
        figures: Vec::new(),
        skipped: Vec::new(),
    };
    for profile in chosen(&arguments.profiles)? {
        for delay in &arguments.delay {
            let plan = Plan {
                size: arguments.size,
                seed: arguments.seed,
                rounds: arguments.rounds,
                blocks: arguments.blocks,
                readers: arguments.readers,
                engines: arguments.engines.clone(),
                delay: Duration::from_micros(*delay),
                depth: arguments.depth,
            };
            match cold::measure(profile, &plan, &mut |_| {}) {
                Ok(figures) => {
                    println!("{}\n", cold::terminal(&figures, arguments.readers));
                    report.figures.push(figures);
                }
                Err(error) => {
                    eprintln!("{} at {delay} µs is skipped: {error}", profile.name);
                    report.skipped.push((format!("{} at {delay} µs", profile.name), error.to_string()));
                }
            }
        }
    }
    if let Some(path) = &arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)?)?;
    }
    if let Some(path) = &arguments.report {
        std::fs::write(path, cold::markdown(&report))?;
    }
    Ok(())
}

fn main() -> ExitCode {
    memory::keep_memory();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cold-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
