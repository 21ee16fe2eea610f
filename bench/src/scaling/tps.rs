//! "100,000 transactions per second": what each layer of a node takes for a transaction of each class, and how many cores that would need.
//!
//! Execution comes from the [`ProfileScaling`] of the class's profile, [`layers`](super::layers) are measured here, and what taking transactions in over JSON-RPC costs is read from
//! the report of `rpc-bench`.

use super::{
    ScalingError,
    layers::{self, LayerCosts},
    measure::{Plan, ProfileScaling},
};
use crate::{engine::Knowledge, workload};
use serde::Serialize;

/// The goal, transactions per second.
pub const GOAL: f64 = 100_000.0;

/// Classes and the profiles that stand for them. A profile that does not exist is left out.
pub const CLASSES: &[(&str, &str)] = &[
    ("ETH transfer", "transfers-independent"),
    ("ERC-20 transfer", "erc20-hot-0"),
    ("Uniswap v2 swap, own pools", "dex-v2-independent"),
    ("Uniswap v2 swap, 16 pools", "dex-v2-16"),
    ("Uniswap v3 swap, own pools", "dex-v3-independent"),
    ("Uniswap v3 swap, 16 pools", "dex-v3-16"),
    ("lending (Aave v3)", "lending-cascade"),
    ("NFT mint, counter", "counters"),
    ("the same over 16 contracts", "counters-16"),
    ("mainnet mix", "mainnet"),
    ("DeFi mix", "defi-mix"),
];

/// What taking a transaction in over JSON-RPC costs, as `rpc-bench` reported it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ingestion {
    /// Core time of the server for each transfer (µs), all that the node does for it: senders, pool, building, execution and root included.
    pub micros: f64,
    /// Transfers that it mined in a second while the client shared the machine.
    pub mined: f64,
}

impl Ingestion {
    /// Reads the first table of the report. `None` when a figure is not found.
    pub fn read(report: &str) -> Option<Self> {
        let (_, transfers) = report.split_once("| TRANSFERS ")?;
        let figure = |name: &str| {
            let cells = transfers.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
            let row = cells.into_iter().find(|cells| cells.get(1) == Some(&name))?;
            row.get(3)?.replace(',', "").parse::<f64>().ok()
        };
        Some(Self { micros: figure("server CPU")?, mined: figure("mined while more is sent")? })
    }
}

/// One class. Costs are microseconds of one core for each transaction.
#[derive(Clone, Debug, Serialize)]
pub struct ClassFigures {
    /// What the transactions are.
    pub class: &'static str,
    /// The profile that stands for it.
    pub profile: &'static str,
    /// Gas of a transaction.
    pub gas: f64,
    /// Execution by the best serial baseline.
    pub serial: f64,
    /// Core time of the engine on one thread.
    pub engine: f64,
    /// Core time of the engine on two threads, all of them together.
    pub engine_on_two: Option<f64>,
    /// Senders, root and commit.
    pub layers: LayerCosts,
    /// Transactions executed in a second on one thread and on two, really.
    pub executed: [Option<f64>; 2],
    /// Without RPC: senders, execution, root and commit, on one core.
    pub import_on_one: f64,
    /// With RPC.
    pub node_on_one: Option<f64>,
    /// Cores that the goal needs if everything scales perfectly: without and with RPC.
    pub cores: [Option<f64>; 2],
    /// The least simulated number of cores on which execution alone reaches the goal.
    pub execution_cores: Option<usize>,
    /// Cores with that, and the other layers scaling perfectly: without and with RPC.
    pub simulated_cores: [Option<f64>; 2],
    /// Most transactions that execution reaches on any simulated number of cores, and that number.
    pub execution_limit: (f64, usize),
    /// Most that one writer commits in a second.
    pub commit_limit: f64,
}

impl ClassFigures {
    /// The layer that limits the class on any number of cores, and its limit in transactions per second.
    pub fn limit(&self) -> (&'static str, f64) {
        if self.execution_limit.0 < self.commit_limit {
            ("execution", self.execution_limit.0)
        } else {
            ("commit", self.commit_limit)
        }
    }
}

/// Figures of one class.
pub fn class_figures(
    class: &'static str,
    scaling: &ProfileScaling,
    plan: &Plan,
    ingestion: Option<Ingestion>,
) -> Result<ClassFigures, ScalingError> {
    let workload = workload::build(scaling.name, plan.size, plan.seed)?;
    let layers = layers::measure(&workload.cases)?;
    Ok(figures(class, scaling, layers, ingestion))
}

fn figures(
    class: &'static str,
    scaling: &ProfileScaling,
    layers: LayerCosts,
    ingestion: Option<Ingestion>,
) -> ClassFigures {
    let transactions = scaling.transactions as f64;
    let micros = |ms: f64| ms * 1e3 / transactions;
    // What a node knows that has run for a while.
    let warm = scaling.knowledge.iter().find(|of| of.knowledge == Knowledge::Warm).or(scaling.knowledge.first());
    let real = |threads: usize| {
        let runs = warm.into_iter().flat_map(|of| &of.validations);
        runs.map(|validation| &validation.real).find(|real| real.threads == threads)
    };
    let serial = micros(scaling.serial_ms);
    let engine = real(1).map_or(serial, |run| micros(run.cpu_ms));
    let rate = |ms: f64| transactions / ms * 1e3;
    let points: Vec<(f64, usize)> =
        warm.into_iter().flat_map(|of| &of.points).map(|point| (rate(point.ms), point.cores)).collect();
    let execution_limit = points.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((1e6 / serial, 1));
    let execution_cores = points.iter().filter(|point| point.0 >= GOAL).map(|point| point.1).min();
    let rest = layers.senders + layers.root + layers.commit;
    // The report's figure has the senders in it.
    let taken_in = ingestion.map(|ingestion| (ingestion.micros - layers.senders).max(0.0));
    let import_on_one = engine + rest;
    let node_on_one = taken_in.map(|taken_in| import_on_one + taken_in);
    let cores = |micros: f64| micros * GOAL / 1e6;
    let simulated = |others: f64| execution_cores.map(|execution| execution as f64 + cores(others).ceil());
    ClassFigures {
        class,
        profile: scaling.name,
        gas: scaling.gas as f64 / transactions,
        serial,
        engine,
        engine_on_two: real(2).map(|run| micros(run.cpu_ms)),
        layers,
        executed: [real(1).map(|run| rate(run.ms.median)), real(2).map(|run| rate(run.ms.median))],
        import_on_one,
        node_on_one,
        cores: [Some(cores(import_on_one)), node_on_one.map(cores)],
        execution_cores,
        simulated_cores: [simulated(rest), taken_in.and_then(|taken_in| simulated(rest + taken_in))],
        execution_limit,
        commit_limit: 1e6 / layers.commit_wall.max(1e-9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_the_rpc_benchmark_is_read() {
        let report = "| START | | |\n| TRANSFERS         |         |           |\n\
                      | mined while more is sent   | tx/s    |    61,192 |  7,794 | 7.85× |\n\
                      | server CPU                 | µs/tx   |        28 |    237 | 8.46× |\n\
                      | BACKLOG |\n| server CPU | µs/tx | 35.8 | – |\n";
        let ingestion = Ingestion::read(report).unwrap();
        assert_eq!((ingestion.micros, ingestion.mined), (28.0, 61_192.0));
        assert!(Ingestion::read("| TRANSFERS | nothing |").is_none());
    }

    #[test]
    fn the_report_in_the_repository_can_be_read() {
        let report = include_str!("../../../docs/results-rpc.md");
        assert!(Ingestion::read(report).is_some_and(|ingestion| ingestion.micros > 1.0 && ingestion.mined > 1.0));
    }
}
