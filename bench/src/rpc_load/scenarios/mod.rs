//! What is measured. A scenario prepares its transactions once; a run starts a node of its own and yields readings.

mod backlog;
mod contracts;
mod memory;
mod reads;
mod start;
mod transfers;

pub use backlog::BacklogScenario;
pub use contracts::ContractScenario;
pub use memory::MemoryScenario;
pub use reads::ReadScenario;
pub use start::StartScenario;
pub use transfers::TransferScenario;

use super::{Better, Goal, LoadError, LoadRun, Mining, Program, Reading, ServerSettings, load::Batch};

/// Something that can be measured again and again.
#[derive(Debug)]
pub enum Scenario {
    /// Start-up time and idle memory.
    Start(StartScenario),
    /// Plain transfers at one-second blocks.
    Transfers(TransferScenario),
    /// Many transfers under instant mining.
    Backlog(BacklogScenario),
    /// Calls that read.
    Reads(ReadScenario),
    /// Token transfers and swaps at one-second blocks.
    Contracts(ContractScenario),
    /// Memory over many transactions.
    Memory(MemoryScenario),
}

impl Scenario {
    /// Name in tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Transfers(_) => "transfers",
            Self::Backlog(_) => "backlog",
            Self::Reads(_) => "reads",
            Self::Contracts(_) => "contracts",
            Self::Memory(_) => "memory",
        }
    }

    /// Measures a node once.
    pub async fn run(&self, program: &Program) -> Result<Vec<Reading>, LoadError> {
        match self {
            Self::Start(scenario) => scenario.run(program).await,
            Self::Transfers(scenario) => scenario.run(program).await,
            Self::Backlog(scenario) => scenario.run(program).await,
            Self::Reads(scenario) => scenario.run(program).await,
            Self::Contracts(scenario) => scenario.run(program).await,
            Self::Memory(scenario) => scenario.run(program).await,
        }
    }
}

/// How loads are sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Accounts that send.
    pub senders: usize,
    /// Connections of the client.
    pub connections: usize,
    /// Transactions of a request.
    pub batch: usize,
}

impl Default for Sending {
    fn default() -> Self {
        Self { senders: 128, connections: 4, batch: 100 }
    }
}

/// Requests of all connections.
type Requests = Vec<Vec<Batch>>;

/// Gas limit of blocks where it is not to be the limit.
const WIDE_BLOCKS: u64 = 1_000_000_000;

/// One-second blocks with room for all.
fn one_second_blocks(accounts: usize) -> ServerSettings {
    ServerSettings {
        mining: Mining::Interval(1),
        gas_limit: Some(WIDE_BLOCKS),
        accounts: Some(accounts),
        ..ServerSettings::default()
    }
}

const MIB: f64 = (1 << 20) as f64;

/// Prints what should not have happened in a load; the figures of such a run say less than they seem to.
fn warn_about(run: &LoadRun, program: &Program) {
    let name = program.kind.name();
    if let Some(message) = &run.first_refusal {
        eprintln!("warning: {name} refused {} of {} transactions: {message}", run.refused, run.planned);
    }
    if run.stalled {
        eprintln!("warning: {name} stalled with {} of {} accepted transactions mined", run.mined, run.accepted);
    }
}

/// The figures that all loads have.
fn load_readings(prefix: &str, run: &LoadRun) -> Vec<Reading> {
    let milliseconds = |percent| run.latencies.percentile(percent).as_secs_f64() * 1e3;
    let accepted_micros = run.server_cpu_accepted.as_secs_f64() * 1e6 / run.accepted.max(1) as f64;
    let of_planned = |count: u64| run.planned.saturating_sub(count) as f64;
    let mut readings = vec![
        Reading::new("accepted", "tx/s", Better::More, run.accepted_rate()),
        Reading::new("mined", "tx/s", Better::More, run.mined_rate()).with_goal(Goal::None),
        Reading::new("server CPU", "µs/tx", Better::Less, run.server_micros()),
        Reading::new("server CPU until all are accepted", "µs/tx", Better::Less, accepted_micros),
        Reading::new("batch latency p50", "ms", Better::Less, milliseconds(50.0)),
        Reading::new("batch latency p99", "ms", Better::Less, milliseconds(99.0)),
        Reading::new("not mined", "tx", Better::Less, of_planned(run.mined)).with_goal(Goal::AtMost(0.0)),
        Reading::new("client CPU", "µs/tx", Better::Less, run.client_micros()),
    ];
    for reading in &mut readings {
        reading.name = format!("{prefix}{}", reading.name);
    }
    readings
}
