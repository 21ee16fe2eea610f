//! What can be asked of `braid import`.

use braid_storage::{Durability, HistoryLimit};
use clap::{Args, ValueEnum};
use std::{path::PathBuf, str::FromStr, time::Duration};

const EXAMPLES: &str = "\
Examples:
  braid import chain.rlp --datadir chain/ --genesis genesis.json     make the chain if it is not there, then import
  braid import mainnet-0000*.era1 --datadir chain/                   archives, in the order of the command line
  braid import chain.rlp --datadir chain/ --durability every-block   nothing that was imported is ever lost

Running the command again goes on where it stopped: blocks that are there already are skipped. Ctrl-C ends in order, after the block at hand.

Exit codes:
  0    every block of every file is there
  1    a file or a block is not as it should be, or something cannot be read or written; every block before it stays
  130  ended by Ctrl-C; 143: ended by SIGTERM";

/// Import blocks from files: execute them, check every root, and store them.
///
/// Takes blocks as RLP one after the other, era1 archives, either in gzip, and bundles or folders of bundles. What a file is shows in its content.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportOptions {
    /// Files of blocks, in the order of the blocks.
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,

    /// Folder of the chain.
    #[arg(long, value_name = "DIR")]
    pub(super) datadir: PathBuf,

    /// Genesis file, to make the chain if the folder has none.
    #[arg(long, value_name = "FILE")]
    pub(super) genesis: Option<PathBuf>,

    /// Threads that execute [default: the number of available cores].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// How blocks are executed. The result is the same.
    #[arg(long, short, value_enum, default_value_t = ImportMode::Parallel)]
    pub(super) mode: ImportMode,

    /// When blocks survive a loss of power: every-block, interval[=SECONDS] (after so many seconds, 5 if not stated), or none (at the end). A crash of the process alone
    /// leaves all blocks that were written, which are all but the last few hundred.
    #[arg(long, value_name = "WHEN", default_value = "interval")]
    pub(super) durability: DurabilityOption,

    /// Blocks written in one transaction.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) blocks_per_commit: u16,

    /// For how long the state at past blocks can be read: `all`, or so many blocks below the head.
    #[arg(long, value_name = "all|BLOCKS", default_value = "all")]
    pub(super) history: HistoryOption,

    /// Say nothing on the way.
    #[arg(long)]
    pub(super) no_progress: bool,

    /// Print the result as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// How blocks are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportMode {
    /// On several threads, with senders recovered ahead and blocks written behind.
    Parallel,
    /// One transaction after the other with plain revm, and everything else on the same core: to compare with.
    Serial,
}

/// When blocks survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DurabilityOption(pub(super) Durability);

impl FromStr for DurabilityOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const DEFAULT: Duration = Duration::from_secs(5);
        Ok(Self(match text.split_once('=') {
            None if text == "every-block" => Durability::EveryBlock,
            None if text == "interval" => Durability::Interval(DEFAULT),
            None if text == "none" => Durability::None,
            Some(("interval", seconds)) => match seconds.parse::<f64>().ok().map(Duration::try_from_secs_f64) {
                Some(Ok(interval)) if !interval.is_zero() => Durability::Interval(interval),
                _ => return Err(format!("{seconds:?} is not a number of seconds above zero")),
            },
            _ => return Err("known: every-block, interval, interval=SECONDS, none".to_owned()),
        }))
    }
}

/// For how long the state at past blocks can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HistoryOption(pub(crate) HistoryLimit);

impl FromStr for HistoryOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(HistoryLimit::All)),
            number => match number.parse() {
                Ok(blocks) => Ok(Self(HistoryLimit::Blocks(blocks))),
                Err(_) => Err("`all` or a number of blocks is needed".to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durabilities_by_name() {
        let parse = |text: &str| text.parse::<DurabilityOption>().map(|option| option.0);
        assert_eq!(parse("every-block"), Ok(Durability::EveryBlock));
        assert_eq!(parse("none"), Ok(Durability::None));
        assert_eq!(parse("interval"), Ok(Durability::Interval(Duration::from_secs(5))));
        assert_eq!(parse("interval=0.5"), Ok(Durability::Interval(Duration::from_millis(500))));
        for text in ["", "interval=", "interval=0", "interval=-1", "interval=1e300", "always", "none=1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn histories_by_length() {
        assert_eq!("all".parse(), Ok(HistoryOption(HistoryLimit::All)));
        assert_eq!("90000".parse(), Ok(HistoryOption(HistoryLimit::Blocks(90_000))));
        for text in ["", "none", "-1", "1.5"] {
            assert!(text.parse::<HistoryOption>().is_err(), "{text}");
        }
    }
}
