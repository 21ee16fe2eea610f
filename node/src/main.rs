//! The `braid` program: its command line, and what it prints.
//!
//! [`cli`] is what can be asked for; each command has a folder of its own. Everything here is wiring, files and presentation; the work is done in the libraries.

mod bundle;
mod capture;
mod cli;
mod damage;
mod datadir;
mod db;
mod export;
mod import;
mod init;
mod inspect;
mod memory;
mod node;
mod page;
mod replay;
mod shell;
mod signals;
mod suites;
mod terminal;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Everything was as it should be.
const SUCCESS: u8 = 0;
/// Something could not be run, read or written.
const FAILURE: u8 = 1;
/// Two results that must be equal are not.
const MISMATCH: u8 = 2;

/// Reads the command line, and the config file that it names.
fn parse() -> Result<Cli, ExitCode> {
    let print = |error: clap::Error| {
        // Help and version go to stdout and are no failure; nothing can be done if even printing fails.
        let _ = error.print();
        ExitCode::from(if error.use_stderr() { FAILURE } else { SUCCESS })
    };
    let cli = Cli::try_parse().map_err(print)?;
    let Command::Node(options) = &cli.command else { return Ok(cli) };
    let Some(config) = &options.config else { return Ok(cli) };
    let from_file = node::config_arguments(config).map_err(|error| {
        terminal::error(&terminal::describe(&error));
        ExitCode::from(FAILURE)
    })?;
    // What comes later goes before: the options of the command line are put behind those of the file.
    let mut all = std::env::args_os();
    let mut arguments: Vec<_> = all.by_ref().take(2).collect();
    arguments.extend(from_file);
    arguments.extend(all);
    Cli::try_parse_from(arguments).map_err(print)
}

fn main() -> ExitCode {
    memory::keep_memory();
    terminal::end_with_the_reader();
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let result = match cli.command {
        Command::Node(options) => {
            memory::give_back_memory();
            node::run(&options)
        }
        Command::Replay(options) => replay::run(&options),
        Command::Inspect(options) => inspect::run(&options),
        Command::Bundle(command) => bundle::run(&command),
        Command::Capture(options) => capture::run(&options),
        Command::Init(options) => init::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Db(command) => db::run(&command),
        Command::Statetest(options) => suites::state_tests(&options.suite),
        Command::Blocktest(options) => suites::block_tests(&options.suite),
        Command::Completions(options) => shell::completions(&options),
        Command::Man(options) => shell::man(&options),
        Command::Enginetest(options) => suites::engine_tests(&options.suite),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            terminal::error(&terminal::describe(&error));
            ExitCode::from(FAILURE)
        }
    }
}
