//! Runs the same JSON-RPC load against Braid and anvil and compares them.

use braid_bench::{
    machine::Machine,
    memory,
    rpc_load::{
        BacklogScenario, ContractScenario, Figures, Kind, LoadError, MemoryScenario, Program, ReadScenario, Scenario,
        Sending, StartScenario, TransferScenario, fetch_anvil,
    },
};
use clap::{Parser, ValueEnum};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the same JSON-RPC load against Braid and anvil and compares them.
///
/// Every round starts each node anew with equal settings, the order of the nodes alternates, and the table shows medians with the least and
/// the most of all rounds. The client is one thread that shares the machine with the node: its processor time is shown too.
#[derive(Debug, Parser)]
#[command(name = "rpc-bench", arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    /// What to measure.
    #[arg(value_enum, required = true)]
    scenarios: Vec<What>,
    /// Measure only one of the nodes.
    #[arg(long, value_enum, help_heading = "Nodes")]
    only: Option<Side>,
    /// Braid's program; without this, the one beside this program.
    #[arg(long, value_name = "FILE", help_heading = "Nodes")]
    braid: Option<PathBuf>,
    /// anvil's program; without this, anvil 1.7.1 is fetched with npm into target/bench-anvil.
    #[arg(long, value_name = "FILE", help_heading = "Nodes")]
    anvil: Option<PathBuf>,
    /// One more option for Braid; may be given several times.
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true, help_heading = "Nodes")]
    braid_option: Vec<String>,
    /// One more option for anvil; may be given several times.
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true, help_heading = "Nodes")]
    anvil_option: Vec<String>,
    /// Times that each node is measured. Memory is measured once.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Transactions that are signed for the scenario "transfers"; it sends those that it can in its time.
    #[arg(long, default_value_t = 1_000_000, help_heading = "Load")]
    transactions: usize,
    /// Seconds for which the scenario "transfers" sends.
    #[arg(long, default_value_t = 12.0, value_name = "SECONDS", help_heading = "Load")]
    send_time: f64,
    /// Transactions of the scenario "backlog".
    #[arg(long, default_value_t = 50_000, help_heading = "Load")]
    backlog: usize,
    /// Gas limit of the blocks in the scenario "backlog".
    #[arg(long, default_value_t = 30_000_000, value_name = "GAS", help_heading = "Load")]
    backlog_gas_limit: u64,
    /// Seconds without any progress after which a node counts as stalled.
    #[arg(long, default_value_t = 20, value_name = "SECONDS", help_heading = "Load")]
    patience: u64,
    /// Transactions of the scenario "memory".
    #[arg(long, default_value_t = 1_000_000, help_heading = "Load")]
    memory_transactions: usize,
    /// The same for anvil, which is slower by far; growth is per transaction.
    #[arg(long, default_value_t = 100_000, help_heading = "Load")]
    anvil_memory_transactions: usize,
    /// Blocks that are kept where history is pruned, in the scenario "memory".
    #[arg(long, default_value_t = 16, value_name = "BLOCKS", help_heading = "Load")]
    history: u64,
    /// Transactions of each kind in the scenario "contracts".
    #[arg(long, default_value_t = 40_000, help_heading = "Load")]
    contract_transactions: usize,
    /// Pools of the swaps in the scenario "contracts".
    #[arg(long, default_value_t = 16, help_heading = "Load")]
    pairs: usize,
    /// Logs of the scenario "reads".
    #[arg(long, default_value_t = 10_000, help_heading = "Load")]
    logs: usize,
    /// Connections of the scenario "reads".
    #[arg(long, default_value_t = 16, help_heading = "Load")]
    readers: usize,
    /// Seconds for each kind of call in the scenario "reads".
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", help_heading = "Load")]
    read_time: f64,
    /// Node starts in each round of the scenario "start".
    #[arg(long, default_value_t = 5, help_heading = "Load")]
    starts: usize,
    /// Accounts that send transactions.
    #[arg(long, default_value_t = 128, value_parser = at_least_one, help_heading = "Load")]
    senders: usize,
    /// Connections that send transactions.
    #[arg(long, default_value_t = 4, value_parser = at_least_one, help_heading = "Load")]
    connections: usize,
    /// Transactions of a request.
    #[arg(long, default_value_t = 100, value_parser = at_least_one, help_heading = "Load")]
    batch: usize,
    /// Append the table to a Markdown file.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    report: Option<PathBuf>,
    /// Print JSON instead of the table.
    #[arg(long, help_heading = "Output")]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  rpc-bench all --report docs/results-rpc.md    everything, as in the results that are published (about 40 minutes)
  rpc-bench transfers                           both nodes, three rounds
  rpc-bench transfers reads --rounds 1          a quick look
  rpc-bench backlog --only braid --backlog 200000
  rpc-bench contracts --braid-option --threads --braid-option 4
  rpc-bench all --json > figures.json

Build both programs first: cargo build --release -p braid -p braid-bench";

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum What {
    /// All of them.
    All,
    /// From the start to the first answer, and idle memory.
    Start,
    /// Plain transfers at one-second blocks: rates, processor time, memory.
    Transfers,
    /// Many transfers at once under instant mining.
    Backlog,
    /// eth_chainId, eth_getBalance, eth_call, batches, eth_getLogs.
    Reads,
    /// ERC-20 transfers and Uniswap v2 swaps at one-second blocks.
    Contracts,
    /// Memory over many transactions, with all history and pruned.
    Memory,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Side {
    Braid,
    Anvil,
}

impl Side {
    fn is(self, kind: Kind) -> bool {
        matches!((self, kind), (Self::Braid, Kind::Braid) | (Self::Anvil, Kind::Anvil))
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

fn main() -> ExitCode {
    memory::keep_memory();
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let programs = arguments.programs()?;
    // One thread: the client must leave the cores to the node.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut figures = Figures::default();
    let mut failures = 0;
    for what in arguments.wanted() {
        for round in 0..arguments.rounds_of(what) {
            let mut programs: Vec<&Program> = programs.iter().collect();
            if round % 2 == 1 {
                programs.reverse();
            }
            for program in programs {
                let scenario = arguments.prepare(what, program.kind)?;
                let (name, node) = (scenario.name(), program.kind.name());
                eprintln!("{name}, round {}: {node} ...", round + 1);
                match runtime.block_on(scenario.run(program)) {
                    Ok(outcome) => {
                        figures.add(name, program.kind, outcome.readings);
                        for note in outcome.notes {
                            figures.note(format!("{name}, round {}: {note}", round + 1));
                        }
                    }
                    // One node's failure must not take the figures of the others.
                    Err(error) => {
                        figures.note(format!("{name}, round {}: {node} FAILED: {error}", round + 1));
                        eprintln!("error: {name}: {node}: {error}");
                        failures += 1;
                    }
                }
            }
        }
    }
    if arguments.json {
        let machine = Machine::here();
        let report = serde_json::json!({"machine": machine, "figures": figures.json()});
        println!("{report:#}");
    } else {
        println!("{}", figures.table());
    }
    if let Some(file) = &arguments.report {
        append(file, &figures)?;
    }
    match failures {
        0 => Ok(()),
        count => Err(format!("{count} runs failed").into()),
    }
}

impl Arguments {
    fn wanted(&self) -> Vec<What> {
        if self.scenarios.contains(&What::All) {
            return vec![What::Start, What::Transfers, What::Backlog, What::Reads, What::Contracts, What::Memory];
        }
        self.scenarios.clone()
    }

    const fn rounds_of(&self, what: What) -> usize {
        if matches!(what, What::Memory) { 1 } else { self.rounds }
    }

    fn programs(&self) -> Result<Vec<Program>, LoadError> {
        let mut programs = Vec::new();
        for kind in Kind::ALL {
            if self.only.is_some_and(|only| !only.is(kind)) {
                continue;
            }
            let (path, options) = match kind {
                Kind::Braid => (self.braid.clone().unwrap_or_else(beside_this), &self.braid_option),
                Kind::Anvil => (self.anvil.clone().map_or_else(fetch_anvil, Ok)?, &self.anvil_option),
            };
            programs.push(Program { kind, path, options: options.clone() });
        }
        Ok(programs)
    }

    /// What a run needs. Signatures come from the first time.
    fn prepare(&self, what: What, kind: Kind) -> Result<Scenario, LoadError> {
        let Self { senders, connections, batch, .. } = *self;
        let sending = Sending { senders, connections, batch };
        Ok(match what {
            What::All | What::Start => Scenario::Start(StartScenario { starts: self.starts }),
            What::Transfers => {
                let time = Duration::try_from_secs_f64(self.send_time).unwrap_or_default();
                Scenario::Transfers(TransferScenario::prepare(self.transactions, time, sending)?)
            }
            What::Backlog => {
                let patience = Duration::from_secs(self.patience);
                let scenario = BacklogScenario::prepare(self.backlog, self.backlog_gas_limit, patience, sending)?;
                Scenario::Backlog(scenario)
            }
            What::Reads => {
                let time = Duration::try_from_secs_f64(self.read_time).unwrap_or_default();
                Scenario::Reads(ReadScenario::prepare(self.logs, self.readers, time, sending)?)
            }
            What::Contracts => {
                Scenario::Contracts(ContractScenario::prepare(self.contract_transactions, self.pairs, sending)?)
            }
            What::Memory => {
                let count = match kind {
                    Kind::Braid => self.memory_transactions,
                    Kind::Anvil => self.anvil_memory_transactions,
                };
                Scenario::Memory(MemoryScenario::prepare(count, self.history, sending)?)
            }
        })
    }
}

fn beside_this() -> PathBuf {
    let folder = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.to_owned()));
    folder.unwrap_or_default().join("braid")
}

/// Appends the table to a Markdown file, below the command and the machine.
fn append(file: &Path, figures: &Figures) -> std::io::Result<()> {
    const INTRODUCTION: &str = "# Measured: the node under load

Appended by `cargo build --release -p braid -p braid-bench` and `target/release/rpc-bench … --report docs/results-rpc.md`. Braid and
anvil 1.7.1 get the same load with the same settings in one run, in turns; the client shares their cores. Medians with least and most.
";
    let machine = Machine::here();
    let command: Vec<String> = std::env::args().skip(1).collect();
    let text = format!(
        "\n## `rpc-bench {}`\n\n{}, {} cores, commit {}\n\n```text\n{}\n```\n",
        command.join(" "),
        machine.processor,
        machine.cores,
        machine.commit,
        figures.table()
    );
    let introduction = if file.exists() { "" } else { INTRODUCTION };
    fs::OpenOptions::new().create(true).append(true).open(file)?.write_all(format!("{introduction}{text}").as_bytes())
}
