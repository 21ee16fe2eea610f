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

use super::{Better, Goal, Kind, LoadError, LoadRun, Mining, Program, Reading, ServerSettings, load::Batch};

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
    pub async fn run(&self, program: &Program) -> Result<Outcome, LoadError> {
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

/// Gas limit of blocks where it is not to be the limit: 190,000 transfers.
const WIDE_BLOCKS: u64 = 4_000_000_000;

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

/// What one run of a scenario yielded.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The figures.
    pub readings: Vec<Reading>,
    /// What must be known to understand them: refusals, stalls.
    pub notes: Vec<String>,
}

impl Outcome {
    fn add(&mut self, reading: Reading) {
        self.readings.push(reading);
    }

    /// Adds the figures that all loads have, their names after `prefix`.
    ///
    /// A load that was not mined to its end has no rates: they would be those of the part that was.
    fn add_load(&mut self, prefix: &str, kind: Kind, run: &LoadRun) {
        let node = kind.name();
        if let Some(message) = &run.first_refusal {
            self.notes
                .push(format!("{prefix}{node} refused {} of {} transactions: {message}", run.refused, run.planned));
        }
        if run.stalled {
            let seconds = run.mined_in.as_secs_f64();
            self.notes.push(format!(
                "{prefix}{node} stalled after {seconds:.1} s: of {} transactions, {} were accepted and {} mined",
                run.planned, run.accepted, run.mined
            ));
        }
        let mut add = |name: &str, unit, better, value| {
            self.readings.push(Reading::new(format!("{prefix}{name}"), unit, better, value));
        };
        if !run.stalled {
            let milliseconds = |percent| run.latencies.percentile(percent).as_secs_f64() * 1e3;
            let accepted_micros = run.server_cpu_accepted.as_secs_f64() * 1e6 / run.accepted.max(1) as f64;
            add("mined", "tx/s", Better::More, run.mined_rate());
            if let Some(rate) = run.steady_rate() {
                add("mined while more is sent", "tx/s", Better::More, rate);
            }
            add("accepted", "tx/s", Better::More, run.accepted_rate());
            add("server CPU", "µs/tx", Better::Less, run.server_micros());
            add("server CPU until all are accepted", "µs/tx", Better::Less, accepted_micros);
            add("client CPU", "µs/tx", Better::Less, run.client_micros());
            add("batch latency p50", "ms", Better::Less, milliseconds(50.0));
            add("batch latency p99", "ms", Better::Less, milliseconds(99.0));
        }
        let missing = run.planned.saturating_sub(run.mined) as f64;
        self.add(Reading::new(format!("{prefix}not mined"), "tx", Better::Less, missing).with_goal(Goal::AtMost(0.0)));
    }

    fn extend(&mut self, other: Self) {
        self.readings.extend(other.readings);
        self.notes.extend(other.notes);
    }

    /// Sets the goal of a figure that was added before.
    fn set_goal(&mut self, name: &str, goal: Goal) {
        for reading in self.readings.iter_mut().filter(|reading| reading.name == name) {
            reading.goal = goal;
        }
    }
}
