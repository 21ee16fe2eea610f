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
mod memory;
mod replay;
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

fn main() -> ExitCode {
    memory::keep_memory();
    terminal::end_with_the_reader();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no failure; nothing can be done if even printing fails.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { FAILURE } else { SUCCESS });
        }
    };
    let result = match cli.command {
        Command::Replay(options) => replay::run(&options),
        Command::Bundle(command) => bundle::run(&command),
        Command::Capture(options) => capture::run(&options),
        Command::Init(options) => init::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Db(command) => db::run(&command),
        Command::Statetest(options) => suites::state_tests(&options.suite),
        Command::Blocktest(options) => suites::block_tests(&options.suite),
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
