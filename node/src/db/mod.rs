//! `braid db`: looking after the database of a chain.

mod stats;
mod verify;

use crate::{SUCCESS, datadir::DataDir};
use braid_storage::{Database, DatabaseOptions, Head};
use clap::Subcommand;
use serde_json::{Value, json};
use std::path::PathBuf;

const VERIFY_HELP: &str = "\
Everything is computed again from what is stored: hashes and parents of all headers, roots of transactions, ommers, withdrawals and (from
Byzantium on) receipts, the place of every transaction, the state root of the head from the plain accounts and slots, every trie node, every code,
and the history. Works while another process imports: what is checked is the state at the beginning.

Exit codes:
  0  everything agrees
  1  something does not, or cannot be read; the first place is named";

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Say how large the database is and up to where it goes.
    Stats {
        #[command(flatten)]
        folder: Folder,
    },
    /// Check everything that is stored against everything else.
    #[command(after_help = VERIFY_HELP)]
    Verify {
        #[command(flatten)]
        folder: Folder,
        /// Threads [default: the number of available cores].
        #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,
    },
    /// Take all blocks above one back.
    Unwind {
        #[command(flatten)]
        folder: Folder,
        /// The block that becomes the head.
        #[arg(long, value_name = "N")]
        to: u64,
    },
    /// Write the database anew without its free pages. No other process may have it open.
    Compact {
        #[command(flatten)]
        folder: Folder,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Folder {
    /// Folder of the chain.
    #[arg(long, value_name = "DIR")]
    datadir: PathBuf,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Folder {
    fn datadir(&self) -> DataDir {
        DataDir::new(&self.datadir)
    }

    /// Prints the result for programs or for people.
    fn print(&self, json: &Value, text: &str) {
        if self.json {
            println!("{json:#}");
        } else {
            println!("{text}");
        }
    }
}

pub(crate) fn run(command: &DbCommand) -> eyre::Result<u8> {
    match command {
        DbCommand::Stats { folder } => stats::run(folder),
        DbCommand::Verify { folder, threads } => verify::run(folder, *threads),
        DbCommand::Unwind { folder, to } => unwind(folder, *to),
        DbCommand::Compact { folder } => compact(folder),
    }
}

fn unwind(folder: &Folder, to: u64) -> eyre::Result<u8> {
    let datadir = folder.datadir();
    let (_, database) = datadir.open(DatabaseOptions::default())?;
    let before = database.head()?;
    let head = database.unwind(to).map_err(|error| datadir.explain(&error, None))?;
    let text =
        format!("{} blocks taken back; the head is block {} ({})", before.number - head.number, head.number, head.hash);
    folder.print(&json!({ "removed": before.number - head.number, "head": head_json(&head) }), &text);
    Ok(SUCCESS)
}

fn compact(folder: &Folder) -> eyre::Result<u8> {
    let datadir = folder.datadir();
    // Refuses what is no database of this program before it writes anything.
    drop(datadir.open(DatabaseOptions::default())?);
    let (before, after) = Database::compact(&datadir.database_path(), DatabaseOptions::default())
        .map_err(|error| datadir.explain(&error, None))?;
    let text = format!("{before} bytes before, {after} bytes now");
    folder.print(&json!({ "bytes_before": before, "bytes_after": after }), &text);
    Ok(SUCCESS)
}

pub(crate) fn head_json(head: &Head) -> Value {
    json!({ "number": head.number, "hash": head.hash, "stateRoot": head.state_root })
}
