//! What can be asked of `braid node`.

use crate::import::HistoryOption;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, U256};
use clap::{Args, ValueEnum};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// The mnemonic of the accounts that every development tool knows.
pub(crate) const DEV_MNEMONIC: &str = "test test test test test test test test test test test junk";

const EXAMPLES: &str = "\
Examples:
  braid node                                   a chain for development on http://127.0.0.1:8545, gone when it ends
  braid node --datadir chain/                  the same, kept: accounts, contracts and nonces are there again next time
  braid node --block-time 2                    a block every two seconds instead of one for each transaction
  braid node --chain genesis.json --dev        blocks on a genesis of your own
  braid node --datadir mainnet/                a chain that `braid init` made: a consensus client drives it over the Engine API
  braid node --config braid.toml               options from a file; those of the command line go before

Point MetaMask at http://127.0.0.1:8545 with chain id 31337; `cast`, `forge`, Hardhat, viem, ethers and web3.py need nothing but the address.

A config file has the same names as the options:
  datadir = \"chain\"
  block-time = 2
  [http]
  port = 8545
  corsdomain = [\"http://localhost:3000\"]

Exit codes:
  0  ended by Ctrl-C or SIGTERM; everything that was mined is on disk, if there is a --datadir
  1  it could not start or go on";

/// Run a node: JSON-RPC for wallets and tools, and blocks of its own or the Engine API.
///
/// Without options it is a chain for development: ten accounts with ether, a block for each transaction, everything in a temporary folder.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, args_override_self = true)]
pub(crate) struct NodeOptions {
    /// Folder in which everything is kept. A temporary one, if there is none.
    #[arg(long, value_name = "DIR")]
    pub(crate) datadir: Option<PathBuf>,

    /// Genesis file to begin with, in geth's format, if the folder holds no chain.
    #[arg(long, value_name = "GENESIS", visible_alias = "init")]
    pub(crate) chain: Option<PathBuf>,

    /// File with options, in TOML.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Threads that execute transactions [default: the number of available cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,

    /// For how long the state at past blocks can be read: `all`, or so many blocks below the head.
    #[arg(long, value_name = "all|BLOCKS", default_value = "all")]
    pub(crate) history: HistoryOption,

    #[command(flatten)]
    pub(crate) dev: DevOptions,

    #[command(flatten)]
    pub(crate) http: HttpOptions,

    #[command(flatten)]
    pub(crate) engine: EngineOptions,

    #[command(flatten)]
    pub(crate) builder: BuilderOptions,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,

    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

/// Options of a chain for development.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Development chain")]
pub(crate) struct DevOptions {
    /// Make blocks, and offer what development tools need, also on a genesis of your own (--chain) or a folder that `braid init` made.
    #[arg(long)]
    pub(crate) dev: bool,

    /// Make a block every so many seconds, instead of one as soon as there are transactions.
    #[arg(long, short, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) block_time: Option<Duration>,

    /// Make blocks only when asked to (`evm_mine`).
    #[arg(long, conflicts_with = "block_time")]
    pub(crate) no_mining: bool,

    /// Accounts to make.
    #[arg(long, short, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) accounts: u32,

    /// What each of them has, in ether.
    #[arg(long, value_name = "ETHER", default_value = "10000", value_parser = ether)]
    pub(crate) balance: U256,

    /// Words from which the accounts are derived (BIP-39).
    #[arg(long, short, value_name = "WORDS", default_value = DEV_MNEMONIC)]
    pub(crate) mnemonic: String,

    /// Path from which the accounts are derived (BIP-32); the index is put behind it.
    #[arg(long, value_name = "PATH", default_value = "m/44'/60'/0'/0/")]
    pub(crate) derivation_path: String,

    /// Chain id [default: 31337].
    #[arg(long, value_name = "ID", visible_alias = "networkid")]
    pub(crate) chain_id: Option<u64>,

    /// Gas limit of blocks, in gas [default: 30000000].
    #[arg(long, value_name = "GAS", value_parser = clap::value_parser!(u64).range(100_000..))]
    pub(crate) gas_limit: Option<u64>,

    /// Base fee of the first block, in wei [default: 1000000000].
    #[arg(long, value_name = "WEI", visible_aliases = ["block-base-fee-per-gas"])]
    pub(crate) base_fee: Option<u64>,

    /// Fork whose rules hold [default: osaka].
    #[arg(long, value_name = "FORK", value_parser = hardfork)]
    pub(crate) hardfork: Option<EthereumHardfork>,

    /// Timestamp of the first block, in seconds [default: now].
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timestamp: Option<u64>,

    /// Who gets the tips.
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::ZERO)]
    pub(crate) coinbase: Address,

    /// Let anybody send transactions from any account without a signature.
    #[arg(long)]
    pub(crate) auto_impersonate: bool,
}

/// Options of the open port.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "HTTP and WebSocket")]
pub(crate) struct HttpOptions {
    /// Port for HTTP and WebSocket; 0 lets the system choose.
    #[arg(id = "http.port", long = "http.port", short = 'p', value_name = "PORT", visible_aliases = ["port", "ws.port"], default_value_t = 8545)]
    pub(crate) port: u16,

    /// Address to listen on. Anything but a loopback address lets other machines in.
    #[arg(id = "http.addr", long = "http.addr", value_name = "IP", visible_aliases = ["host", "ws.addr"], default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) address: IpAddr,

    /// Web pages that may use the node: origins, or `*` for all [default: * on a development chain, none otherwise].
    #[arg(long = "http.corsdomain", value_name = "ORIGIN", visible_aliases = ["allow-origin", "ws.origins"], value_delimiter = ',')]
    pub(crate) cors: Option<Vec<String>>,

    /// Names under which the node may be addressed (`Host`), or `*` for all; IP addresses always may.
    #[arg(long = "http.vhosts", value_name = "HOST", value_delimiter = ',', default_value = "localhost")]
    pub(crate) hosts: Vec<String>,

    /// Namespaces to offer, or `all` [default: all on a development chain, otherwise all but admin, testing and those of development tools].
    #[arg(long = "http.api", value_name = "NAMESPACE", visible_alias = "ws.api", value_delimiter = ',')]
    pub(crate) namespaces: Option<Vec<String>>,

    /// Offer all methods on a Unix socket too [default path: braid.ipc in the folder of the chain].
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "")]
    pub(crate) ipc: Option<PathBuf>,
}

/// Options of the Engine API.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Engine API")]
pub(crate) struct EngineOptions {
    /// Port of the Engine API; 0 lets the system choose [default: 8551, and none on a development chain].
    #[arg(id = "authrpc.port", long = "authrpc.port", value_name = "PORT")]
    pub(crate) port: Option<u16>,

    /// Address to listen on for the Engine API.
    #[arg(id = "authrpc.addr", long = "authrpc.addr", value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) address: IpAddr,

    /// Names under which the Engine API may be addressed, or `*` for all.
    #[arg(
        id = "authrpc.vhosts",
        long = "authrpc.vhosts",
        value_name = "HOST",
        value_delimiter = ',',
        default_value = "localhost"
    )]
    pub(crate) hosts: Vec<String>,

    /// File with the secret of the Engine API, 64 hex digits; made if it is not there [default: jwt.hex in the folder of the chain].
    #[arg(id = "authrpc.jwtsecret", long = "authrpc.jwtsecret", value_name = "FILE")]
    pub(crate) secret: Option<PathBuf>,

    /// Offer the Engine API on a Unix socket too, without a token: who may open the file may call [default path: engine.ipc in the folder of the chain].
    #[arg(
        id = "authrpc.ipc",
        long = "authrpc.ipc",
        visible_alias = "auth-ipc",
        value_name = "PATH",
        num_args = 0..=1,
        default_missing_value = ""
    )]
    pub(crate) ipc: Option<PathBuf>,
}

/// How blocks are built, under the Engine API and on a development chain alike.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Block building")]
pub(crate) struct BuilderOptions {
    /// Which transactions a block takes, and in which order: the best tips first, always. `parallel`: of those that pay the same, calls that would make the block one long
    /// chain (mints of one collection, swaps in one pool) share it with others; when more is waiting than fits, some of them wait for a later block, four blocks at most.
    /// `fees`: who was sent first comes first. Needs two threads, from which on the node learns what calls touch; what is not known keeps its place.
    #[arg(id = "builder.order", long = "builder.order", value_name = "ORDER", value_enum, default_value_t = BuilderOrder::Parallel)]
    pub(crate) order: BuilderOrder,

    /// By how much tips per gas may differ for transactions to count as paying the same, in hundredths of a percent. A block earns at most this part less by tips; 0
    /// loses nothing.
    #[arg(
        id = "builder.tip-tolerance",
        long = "builder.tip-tolerance",
        value_name = "BASIS POINTS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u16).range(0..=5_000)
    )]
    pub(crate) tip_tolerance: u16,
}

/// The order of transactions that pay the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuilderOrder {
    /// First come, first served.
    Fees,
    /// What can run side by side.
    Parallel,
}

/// Limits.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Most gas that a simulated call may use.
    #[arg(long = "rpc.gascap", value_name = "GAS", default_value_t = 50_000_000)]
    pub(crate) gas_cap: u64,

    /// Longest time that a call may take, in seconds.
    #[arg(long = "rpc.evmtimeout", value_name = "SECONDS", value_parser = seconds, default_value = "30")]
    pub(crate) call_timeout: Duration,

    /// Most that a transaction sent here may pay for its gas, in ether; 0 is no limit [default: none on a development chain, 1 otherwise].
    #[arg(long = "rpc.txfeecap", value_name = "ETHER", value_parser = ether)]
    pub(crate) fee_cap: Option<U256>,

    /// Largest request, in MiB.
    #[arg(long = "rpc.max-request-size", value_name = "MIB", default_value_t = 30)]
    pub(crate) max_request: u32,

    /// Largest response, in MiB.
    #[arg(long = "rpc.max-response-size", value_name = "MIB", default_value_t = 256)]
    pub(crate) max_response: u32,

    /// Most calls in one batch.
    #[arg(long = "rpc.batch-request-limit", value_name = "N", default_value_t = 10_000)]
    pub(crate) max_batch: u32,

    /// Most connections at once.
    #[arg(long = "rpc.max-connections", value_name = "N", default_value_t = 1000)]
    pub(crate) max_connections: u32,

    /// Most blocks that one eth_getLogs may span; 0 is no limit.
    #[arg(long = "rpc.max-blocks-per-filter", value_name = "N", default_value_t = 0)]
    pub(crate) max_log_blocks: u64,

    /// Most logs in one answer; 0 is no limit.
    #[arg(long = "rpc.max-logs-per-response", value_name = "N", default_value_t = 0)]
    pub(crate) max_logs: usize,

    /// Most transactions in the pool that could be executed now [default: 200000 on a development chain, 5120 otherwise].
    #[arg(long = "txpool.max-transactions", value_name = "N")]
    pub(crate) max_transactions: Option<usize>,
}

/// What is printed and measured.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Offer metrics for Prometheus on http://ADDRESS/metrics [default address: 127.0.0.1:9001].
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:9001")]
    pub(crate) metrics: Option<SocketAddr>,

    /// How the log is written, on stderr.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace, also for single modules (`info,braid_rpc=debug`).
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub(crate) log_filter: String,

    /// Print nothing but errors.
    #[arg(long, short, visible_alias = "quiet")]
    pub(crate) silent: bool,

    /// Print one line of JSON when the node is ready, instead of the text: addresses and accounts.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is not a number of seconds"))?;
    if seconds > 0.0 && seconds <= 1e9 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("must be above 0".to_owned())
    }
}

fn ether(text: &str) -> Result<U256, String> {
    alloy_primitives::utils::parse_ether(text).map_err(|_| format!("{text:?} is not an amount of ether"))
}

fn hardfork(text: &str) -> Result<EthereumHardfork, String> {
    let known = [
        "frontier",
        "homestead",
        "tangerine",
        "spuriousdragon",
        "byzantium",
        "petersburg",
        "istanbul",
        "berlin",
        "london",
        "paris",
        "shanghai",
        "cancun",
        "prague",
        "osaka",
    ];
    let name = match text.to_lowercase().as_str() {
        "latest" => "osaka".to_owned(),
        "merge" => "paris".to_owned(),
        name => name.to_owned(),
    };
    match name.parse() {
        Ok(fork) if known.contains(&name.as_str()) => Ok(fork),
        _ => Err(format!("forks are {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_units() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("0").is_err() && seconds("x").is_err() && seconds("inf").is_err());
        assert_eq!(ether("1.5"), Ok(U256::from(1_500_000_000_000_000_000_u64)));
        assert!(ether("lots").is_err());
        assert_eq!(hardfork("Merge"), Ok(EthereumHardfork::Paris));
        assert_eq!(hardfork("latest"), Ok(EthereumHardfork::Osaka));
        assert!(hardfork("amsterdam").is_err() && hardfork("x").is_err());
    }
}
