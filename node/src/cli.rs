//! The command line.

use crate::{
    db::DbCommand,
    export::ExportOptions,
    import::ImportOptions,
    init::InitOptions,
    inspect::InspectOptions,
    node::NodeOptions,
    shell::{CompletionOptions, ManOptions},
    suites::SuiteOptions,
};
use alloy_primitives::B256;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{convert::Infallible, path::PathBuf, str::FromStr};

/// Executes the transactions of Ethereum blocks in parallel, always with the result of serial execution.
#[derive(Debug, Parser)]
#[command(name = "braid", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node: JSON-RPC for wallets and tools, and blocks of its own or the Engine API.
    Node(Box<NodeOptions>),
    /// Execute blocks serially and in parallel, check both against the header and each other, and compare the times.
    Replay(ReplayOptions),
    /// Explain a block to who wrote its contracts: what makes its transactions wait for each other, and what would help.
    Inspect(Box<InspectOptions>),
    /// Convert and look into bundles: single files with a block and everything needed to execute it.
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Make bundles from the blocks of a running node.
    Capture(CaptureOptions),
    /// Make a folder for a chain from its genesis file.
    Init(InitOptions),
    /// Import blocks from files: execute them, check every root, and store them.
    Import(ImportOptions),
    /// Write the blocks of a chain into a file.
    Export(ExportOptions),
    /// Look after the database of a chain.
    #[command(subcommand)]
    Db(DbCommand),
    /// Run state tests of the Ethereum conformance suites: one transaction each.
    Statetest(StateTestOptions),
    /// Run blockchain tests of the Ethereum conformance suites: blocks on a genesis.
    Blocktest(BlockTestOptions),
    /// Run engine tests of the Ethereum conformance suites: payloads of the Engine API.
    Enginetest(EngineTestOptions),
    /// Write completions for a shell to stdout.
    Completions(CompletionOptions),
    /// Write the manual: the page of `braid` to stdout, or the pages of all commands into a folder.
    Man(ManOptions),
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  braid replay                               the blocks shipped with Braid
  braid replay blocks/ more.tar.zst          everything found in a folder and in an archive
  braid replay --predictor warm blocks/      each block with what the others teach
  braid replay --mode exact block.braid      with the block's own access list (EIP-7928)
  braid replay --json - blocks/ | jq .total  figures for programs
  braid replay --html replay.html blocks/    a page with the schedule of every block

Exit codes:
  0  every block gave the same result serially and in parallel, and the result its header states
  2  some result differs; the first differing field is named
  1  some block could not be read or run (the others were), or the command itself failed";

/// Execute blocks serially and in parallel, check both against the header and each other, and compare the times.
///
/// Takes bundles (.braid), blocks with a witness (.json), folders with block.json and pre_state.json, .tar.zst archives of any of
/// these, and folders that hold any of these. Without a path the blocks shipped with Braid are replayed.
///
/// Each outcome is checked: gas used, receipts, receipts root, logs bloom, requests, withdrawals, blob gas, and the state root where
/// the bundle has a witness. Serial and parallel outcomes must be equal down to the last slot.
#[derive(Args, Debug)]
#[command(after_help = REPLAY_EXAMPLES)]
pub(crate) struct ReplayOptions {
    /// Bundles, block files, archives, or folders of these.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Threads that execute [default: the number of available cores].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// What to run.
    #[arg(long, short, value_enum, default_value_t = Mode::Compare)]
    pub(crate) mode: Mode,

    /// Timed runs of each block and side; the median counts. With more than one, a first run that warms memory up is added and dropped.
    #[arg(long, short, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) repeat: u32,

    /// What the engine knows beforehand: `cold` (nothing, and it learns nothing inside the block: that takes as long as executing it), `warm` (what the other blocks of this run teach, never
    /// the block itself or its transactions), or a file written by --save-predictor.
    #[arg(long, short, value_name = "cold|warm|FILE", default_value = "cold")]
    pub(crate) predictor: PredictorSource,

    /// Write what all blocks of this run teach to a file, for --predictor.
    #[arg(long, value_name = "FILE")]
    pub(crate) save_predictor: Option<PathBuf>,

    /// Write all figures as JSON; `-` is stdout, and the table then goes to stderr.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write a page with the speed-ups, and for each block its schedule, its hot slots and its mispredictions. Needs nothing but a browser.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

const STATETEST_EXAMPLES: &str = "\
Examples:
  braid statetest eest-state_tests.tar.zst                 everything in an archive, serially and in parallel
  braid statetest GeneralStateTests/ --fork Berlin         one fork of everything in a folder
  braid statetest tests/ --filter eip7702 --filter 4844    what has one of the texts in its name
  braid statetest tests/ --json results.jsonl              a line for each case, for programs

Exit codes:
  0  every case that was run passed
  2  some case failed; each is printed with the first thing that differs
  1  some path could not be read, no case was found, or the command itself failed";

/// Run state tests of the Ethereum conformance suites: one transaction each.
///
/// Each transaction is executed by plain revm and by the parallel engine. The root of the state, the logs and the state must be as the suite says, and
/// a transaction that must be refused must be refused. What fails and what is skipped is printed; the last line has the counts.
#[derive(Args, Debug)]
#[command(after_help = STATETEST_EXAMPLES)]
pub(crate) struct StateTestOptions {
    #[command(flatten)]
    pub(crate) suite: SuiteOptions,
}

const BLOCKTEST_EXAMPLES: &str = "\
Examples:
  braid blocktest eest-blockchain_tests.tar.zst            everything in an archive, serially and in parallel
  braid blocktest BlockchainTests/ --fork Berlin           one fork of everything in a folder
  braid blocktest tests/ --filter uncle --mode parallel    what has the text in its name, on the engine only
  braid blocktest tests/ --json - | jq .result             a line for each case, for programs

Exit codes:
  0  every case that was run passed
  2  some case failed; each is printed with the first thing that differs
  1  some path could not be read, no case was found, or the command itself failed";

/// Run blockchain tests of the Ethereum conformance suites: blocks on a genesis.
///
/// Each chain is made anew in memory, once for plain revm and once for the parallel engine, and the blocks come in one after the other. Blocks that must be
/// refused must be refused, and head and state must be as the suite says in the end. Of the fork Amsterdam, blocks and access lists are checked
/// as such, and whether execution agrees is only told. What fails and what is skipped is printed; the last line has the counts.
#[derive(Args, Debug)]
#[command(after_help = BLOCKTEST_EXAMPLES)]
pub(crate) struct BlockTestOptions {
    #[command(flatten)]
    pub(crate) suite: SuiteOptions,
}

const ENGINETEST_EXAMPLES: &str = "\
Examples:
  braid enginetest eest-benchmark.tar.zst                  everything in an archive, serially and in parallel
  braid enginetest tests/ --fork Prague --threads 8        one fork of everything in a folder, on eight threads
  braid enginetest tests/ --json results.jsonl             a line for each case, for programs

Exit codes:
  0  every case that was run passed
  2  some case failed; each is printed with the first thing that differs
  1  some path could not be read, no case was found, or the command itself failed";

/// Run engine tests of the Ethereum conformance suites: payloads of the Engine API.
///
/// Every engine_newPayload is answered as a node would: wrong parameters are an error, a payload that breaks a rule is INVALID, and a valid one becomes the head. Head
/// and state must be as the suite says in the end, with plain revm and with the parallel engine. What fails and what is skipped is
/// printed; the last line has the counts.
#[derive(Args, Debug)]
#[command(after_help = ENGINETEST_EXAMPLES)]
pub(crate) struct EngineTestOptions {
    #[command(flatten)]
    pub(crate) suite: SuiteOptions,
}

/// What a replay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Plain revm alone, checked against the header.
    Serial,
    /// The engine alone, checked against the header and the oracle.
    Parallel,
    /// Plain revm against the engine with the block's exact access list (EIP-7928).
    Exact,
    /// Plain revm against the engine.
    Compare,
}

impl Mode {
    /// Name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::Parallel => "parallel",
            Self::Exact => "exact",
            Self::Compare => "compare",
        }
    }

    pub(crate) const fn times_serial(self) -> bool {
        !matches!(self, Self::Parallel)
    }

    pub(crate) const fn times_engine(self) -> bool {
        !matches!(self, Self::Serial)
    }
}

/// Where the predictor comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PredictorSource {
    Cold,
    Warm,
    File(PathBuf),
}

impl FromStr for PredictorSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "cold" => Self::Cold,
            "warm" => Self::Warm,
            file => Self::File(file.into()),
        })
    }
}

impl std::fmt::Display for PredictorSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cold => formatter.write_str("cold"),
            Self::Warm => formatter.write_str("warm"),
            Self::File(path) => path.display().fmt(formatter),
        }
    }
}

const CAPTURE_EXAMPLES: &str = "\
Examples:
  braid capture --rpc-url http://127.0.0.1:8545 --blocks 19000000..19000099 --out bundles/
  braid capture --rpc-url http://127.0.0.1:8545 --blocks 7..9 --out bundles/ --genesis genesis.json
  braid replay bundles/

The node must offer debug_executionWitness or debug_traceBlockByNumber. Running the command again goes on where it stopped.";

/// Make bundles from the blocks of a running node.
///
/// Each block is executed when it is captured, and its bundle is written only if that leads to the block's header. Bundles that are there already are
/// skipped.
#[derive(Args, Debug)]
#[command(after_help = CAPTURE_EXAMPLES)]
pub(crate) struct CaptureOptions {
    /// Address of the node's JSON-RPC, over plain HTTP.
    #[arg(long, value_name = "URL")]
    pub(crate) rpc_url: String,

    /// Numbers of the first and the last block, or of one block.
    #[arg(long, value_name = "A..B")]
    pub(crate) blocks: BlockRange,

    /// Folder for the bundles, made if missing.
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Where the state before each block comes from.
    #[arg(long, value_enum, default_value_t = CaptureSource::Auto)]
    pub(crate) source: CaptureSource,

    /// Genesis file (geth's format) of a chain that is not public.
    #[arg(long, value_name = "FILE")]
    pub(crate) genesis: Option<PathBuf>,

    /// Requests per second, at most.
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// Blocks at a time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) concurrency: u8,

    /// Further tries of a request that fails, with growing pauses.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(..100))]
    pub(crate) retries: u32,

    /// Seconds to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,
}

/// Where the state before a block comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CaptureSource {
    /// A witness if the node has it, else the tracer.
    Auto,
    /// debug_executionWitness: state with proofs, so that the state root can be checked.
    Witness,
    /// debug_traceBlockByNumber with the prestate tracer.
    Prestate,
}

/// Blocks from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl FromStr for BlockRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("{text:?} is not a block number"));
        let range = Self { first: number(first)?, last: number(last)? };
        match range.first <= range.last {
            true => Ok(range),
            false => Err(format!("{first} comes after {last}")),
        }
    }
}

/// A block of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockName {
    /// The newest one.
    Latest,
    Number(u64),
    Hash(B256),
}

impl FromStr for BlockName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Self::Number);
        let name = match text.strip_prefix("0x") {
            _ if text == "latest" => Some(Self::Latest),
            Some(digits) if digits.len() == 64 => text.parse().ok().map(Self::Hash),
            Some(digits) => number(digits, 16),
            None => number(text, 10),
        };
        name.ok_or_else(|| format!("{text:?} is neither a block number, nor a block hash, nor `latest`"))
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("a number above zero is needed".to_owned()),
    }
}

const CONVERT_EXAMPLES: &str = "\
Example:
  braid bundle convert mainnet-blocks.tar.zst --out bundles/    one .braid file for each block";

#[derive(Debug, Subcommand)]
pub(crate) enum BundleCommand {
    /// Turn blocks in any layout that `replay` reads into bundles, one file each.
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert {
        /// Block files, archives, or folders of these.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Folder for the bundles, made if missing.
        #[arg(long, short, value_name = "DIR")]
        out: PathBuf,
    },
    /// Say what is in bundles, or in blocks of any layout.
    Info {
        /// Bundles, block files, archives, or folders of these.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn predictors_are_words_or_files() {
        for (text, expected) in [
            ("cold", PredictorSource::Cold),
            ("warm", PredictorSource::Warm),
            ("./warm", PredictorSource::File("./warm".into())),
        ] {
            let cli = Cli::try_parse_from(["braid", "replay", "--predictor", text]).unwrap();
            let Command::Replay(options) = cli.command else { panic!("replay") };
            assert_eq!(options.predictor, expected);
            assert_eq!(options.predictor.to_string(), text);
        }
    }

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!("5..9".parse(), Ok(BlockRange { first: 5, last: 9 }));
        assert_eq!("5".parse(), Ok(BlockRange { first: 5, last: 5 }));
        for text in ["9..5", "..", "a..b", "5..", "-1"] {
            assert!(text.parse::<BlockRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn blocks_have_numbers_and_hashes() {
        let hash = B256::repeat_byte(7);
        for (text, name) in [
            ("latest", BlockName::Latest),
            ("12", BlockName::Number(12)),
            ("0x12", BlockName::Number(18)),
            (&hash.to_string(), BlockName::Hash(hash)),
        ] {
            assert_eq!(text.parse(), Ok(name));
        }
        for text in ["", "0x", "safe", "-1", "0x12345678901234567"] {
            assert!(text.parse::<BlockName>().is_err(), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            &["braid", "replay", "--threads", "0"][..],
            &["braid", "replay", "--repeat", "0"],
            &["braid", "replay", "--mode", "fast"],
            &["braid", "replay", "--no-such-flag"],
            &["braid", "bundle", "convert", "a.json"],
        ] {
            assert!(Cli::try_parse_from(arguments).is_err(), "{arguments:?}");
        }
    }
}
