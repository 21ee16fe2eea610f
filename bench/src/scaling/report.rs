//! Tables: on the terminal, and as the Markdown report.

use super::{
    measure::{KnowledgeScaling, ProfileScaling, Validation},
    simulate::ThreadCosts,
    tps::{ClassFigures, GOAL, Ingestion},
};
use crate::{import::ImportFigures, machine::Machine, report::markdown_table};
use serde::Serialize;
use std::fmt::Write;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// The command line without the program.
    pub command: String,
    /// Gas of generated blocks.
    pub size: String,
    /// Pairs of real runs, and clocked runs.
    pub pairs: usize,
    /// Costs of threads: waking one of the pool, giving it work, waking a worker, telling it, looking around (ns).
    pub threads: [u64; 5],
    /// Profiles.
    pub profiles: Vec<ProfileScaling>,
    /// Classes for the goal.
    pub classes: Vec<ClassFigures>,
    /// From the report of `rpc-bench`.
    pub ingestion: Option<Ingestion>,
    /// A chain of DeFi blocks imported on one core and on all: transactions per second, and µs of core time for each.
    pub imports: Vec<ImportRate>,
    /// What could not be measured, and why.
    pub skipped: Vec<(String, String)>,
}

/// An import that really ran.
#[derive(Clone, Debug, Serialize)]
pub struct ImportRate {
    /// How.
    pub mode: &'static str,
    /// Transactions per second.
    pub per_second: f64,
    /// Gas per second.
    pub gas_per_second: f64,
    /// Core time of a transaction (µs).
    pub micros: f64,
}

impl ImportRate {
    /// Rates of an import.
    pub fn of(mode: &'static str, figures: &ImportFigures, transactions: usize, gas: u64) -> Self {
        let (wall, cpu) = (figures.wall.as_secs_f64(), figures.cpu.as_secs_f64());
        let transactions = transactions as f64;
        Self {
            mode,
            per_second: transactions / wall,
            gas_per_second: gas as f64 / wall,
            micros: cpu * 1e6 / transactions,
        }
    }
}

impl Report {
    /// Costs of threads as they are written down.
    pub const fn thread_costs(costs: &ThreadCosts) -> [u64; 5] {
        [costs.pool_wake, costs.spawn, costs.wake, costs.notify, costs.look]
    }
}

fn percent(part: f64) -> String {
    format!("{:+.0} %", 100.0 * part)
}

fn or_none(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

fn thousands(rate: f64) -> String {
    format!("{:.1}k", rate / 1e3)
}

/// What is printed at the end.
pub fn terminal(report: &Report) -> String {
    let mut text = String::new();
    validation(&mut text, report);
    for profile in &report.profiles {
        scaling(&mut text, profile);
    }
    goal(&mut text, report);
    text
}

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let machine = &report.machine;
    let mut text = String::from("# Measured: scaling, and 100,000 transactions per second\n\n");
    let _ = writeln!(
        text,
        "Written by `scaling-bench {}`; not edited by hand.\n\n\
         * Machine: {}, {} cores, {} GiB, {}; commit `{}`. **Everything on more than {} cores is simulated.**\n\
         * Generated blocks of {} gas; {} pairs of real runs, order ABBA, and as many clocked runs; medians.\n",
        report.command,
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.system,
        machine.commit,
        machine.cores,
        report.size,
        report.pairs,
    );
    let [pool_wake, spawn, wake, notify, look] = report.threads.map(|nanos| nanos as f64 / 1e3);
    let _ = writeln!(
        text,
        "* Threads here: {pool_wake:.0} µs until a sleeping thread of the pool is at work ({spawn:.1} µs for the one who wakes it), {wake:.0} µs for a \
         worker that sleeps in the queue ({notify:.1} µs for the one who tells it), {look:.1} µs of looking around before it sleeps.\n",
    );
    text.push_str(EXPLANATION);
    text.push_str("## How far the simulation can be trusted\n\n");
    validation(&mut text, report);
    text.push_str("## Scaling\n\n");
    for profile in &report.profiles {
        scaling(&mut text, profile);
    }
    text.push_str("## 100,000 transactions per second\n\n");
    goal(&mut text, report);
    if !report.skipped.is_empty() {
        text.push_str("## Not measured\n\n");
        for (name, reason) in &report.skipped {
            let _ = writeln!(text, "* `{name}`: {reason}");
        }
    }
    text
}

fn validations(report: &Report) -> impl Iterator<Item = &Validation> {
    report.profiles.iter().flat_map(|profile| &profile.knowledge).flat_map(|of| &of.validations)
}

fn validation(text: &mut String, report: &Report) {
    let mut rows = Vec::new();
    for profile in &report.profiles {
        for of in &profile.knowledge {
            for validation in &of.validations {
                let real = &validation.real;
                rows.push(vec![
                    profile.name.to_owned(),
                    of.knowledge.to_string(),
                    real.threads.to_string(),
                    format!("{:.2}", real.serial_ms),
                    format!("{:.2}", real.ms.median),
                    format!("{:.2}–{:.2}", real.ms.low, real.ms.high),
                    format!("{:.2}", real.least_ms),
                    format!("{:.2}", validation.simulated_ms),
                    percent(validation.error),
                    percent(validation.error_of_least),
                    format!("{:.2}×", real.speed_up),
                    format!("{:.2}×", real.cpu),
                    format!("{} / {}", real.again, validation.again),
                    format!("{:.0} %", 100.0 * real.disturbed),
                ]);
            }
        }
    }
    let mut threads: Vec<usize> = validations(report).map(|validation| validation.real.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    for threads in threads {
        let of = || validations(report).filter(|validation| validation.real.threads == threads);
        let mean = |error: fn(&Validation) -> f64| {
            100.0 * of().map(|validation| error(validation).abs()).sum::<f64>() / of().count() as f64
        };
        let worst = of().map(|validation| validation.error.abs()).fold(0.0, f64::max);
        let disturbed = of().map(|validation| validation.real.disturbed).sum::<f64>() / of().count() as f64;
        let _ = writeln!(
            text,
            "On {threads} thread(s): mean error of the simulated time {:.0} % (worst {:.0} %), against the least real runs {:.0} %, over {} comparisons; \
             during {:.0} % of the real runs the system took a core away.\n",
            mean(|validation| validation.error),
            100.0 * worst,
            mean(|validation| validation.error_of_least),
            of().count(),
            100.0 * disturbed,
        );
    }
    let headings = [
        "profile",
        "knows",
        "threads",
        "serial ms",
        "real ms",
        "quartiles",
        "least",
        "simulated ms",
        "error",
        "of least",
        "real speed-up",
        "CPU",
        "again, real / simulated",
        "disturbed",
    ];
    markdown_table(text, &headings, &rows);
}

fn scaling(text: &mut String, profile: &ProfileScaling) {
    let _ = writeln!(
        text,
        "### {}\n\n{}. {} transactions, {:.1} Mgas; serial {:.2} ms ({}).",
        profile.name,
        profile.notes,
        profile.transactions,
        profile.gas as f64 / 1e6,
        profile.serial_ms,
        profile.baseline,
    );
    let [turn, ahead, commit, plan_turn, plan_ahead, plan_predicted] = profile.micros;
    let _ = writeln!(
        text,
        "On one core, µs a transaction: {turn:.2} at its turn; {ahead:.2} ahead and {commit:.2} for its commit (× {:.2} from another core); \
         planning {plan_turn:.2}, {plan_ahead:.2} ahead, {plan_predicted:.2} with prediction. One thread around it {:.2} ms, fold {:.2} ms. Two cores at work slow each other \
         down by {:.0} %.\n",
        profile.remote_commit,
        profile.fixed_ms,
        profile.fold_ms,
        100.0 * profile.contention,
    );
    for of in &profile.knowledge {
        points(text, profile, of);
    }
}

fn points(text: &mut String, profile: &ProfileScaling, of: &KnowledgeScaling) {
    let rows: Vec<Vec<String>> = of
        .points
        .iter()
        .map(|point| {
            let real = of.validations.iter().find(|validation| validation.real.threads == point.cores);
            vec![
                format!("{} {}", of.knowledge, point.cores),
                real.map_or_else(|| "–".to_owned(), |real| format!("{:.2}×", real.real.speed_up)),
                format!("{:.2}×", point.speed_up),
                format!("{:.2}×", point.pessimistic),
                format!("{:.2} / {:.2} / {:.2}", point.limits.b0, point.limits.b1, point.limits.b2),
                format!("{:.0} %", 100.0 * point.efficiency),
                format!("{:.2}×", point.cpu),
                format!("{} ({:.0} %)", point.bound, 100.0 * point.bound_share),
                point.again.to_string(),
                thousands(profile.transactions as f64 / point.ms * 1e3),
                format!("{:.2}", profile.gas as f64 / point.ms / 1e6),
            ]
        })
        .collect();
    let headings = [
        "knows, cores",
        "measured",
        "simulated",
        "pessimistic",
        "B0 / B1 / B2",
        "efficiency",
        "CPU",
        "bound by",
        "again",
        "tx/s",
        "Ggas/s",
    ];
    markdown_table(text, &headings, &rows);
}

fn goal(text: &mut String, report: &Report) {
    let rows: Vec<Vec<String>> = report.classes.iter().map(costs).collect();
    let headings = [
        "µs of one core for each",
        "profile",
        "gas",
        "senders",
        "execution, serial revm",
        "engine",
        "engine on 2",
        "root",
        "commit",
        "all without RPC",
        "all with RPC",
    ];
    markdown_table(text, &headings, &rows);
    let rows: Vec<Vec<String>> = report.classes.iter().map(rates).collect();
    let headings = [
        "transactions per second",
        "executed on 1 thread",
        "on 2 (measured)",
        "Ggas/s on 2",
        "whole node on 1 core",
        "with RPC",
        "Ggas/s at 100,000",
        "cores, perfect",
        "with RPC",
        "cores for execution, simulated",
        "cores, simulated",
        "with RPC",
        "most, on any cores",
        "limited by",
        "of 100,000",
    ];
    markdown_table(text, &headings, &rows);
    if !report.imports.is_empty() {
        let rows: Vec<Vec<String>> = report
            .imports
            .iter()
            .map(|import| {
                vec![
                    import.mode.to_owned(),
                    thousands(import.per_second),
                    format!("{:.2}", import.gas_per_second / 1e9),
                    format!("{:.1}", import.micros),
                    format!("{:.0} %", 100.0 * import.per_second / GOAL),
                ]
            })
            .collect();
        text.push_str("Whole imports that really ran, of a chain of DeFi blocks with senders, roots and commits:\n\n");
        markdown_table(text, &["import", "tx/s", "Ggas/s", "core µs a transaction", "of 100,000"], &rows);
    }
    if let Some(Ingestion { micros, mined }) = report.ingestion {
        let _ = writeln!(
            text,
            "Taking transactions in is not measured here: `docs/results-rpc.md` says {micros:.1} µs of the server's cores for a plain transfer sent over JSON-RPC, with \
             sender, pool, building, execution and root, of which the senders measured here are taken off and the rest is added to every class. It is an upper bound of \
             what RPC adds. The node mined {mined:.0} transfers a second there, {:.0} % of the goal, on two cores that it shared with the client.\n",
            100.0 * mined / GOAL,
        );
    }
}

fn costs(class: &ClassFigures) -> Vec<String> {
    vec![
        class.class.to_owned(),
        class.profile.to_owned(),
        format!("{:.0}", class.gas),
        format!("{:.1}", class.layers.senders),
        format!("{:.2}", class.serial),
        format!("{:.2}", class.engine),
        or_none(class.engine_on_two, 2),
        format!("{:.2}", class.layers.root),
        format!("{:.2}", class.layers.commit),
        format!("{:.1}", class.import_on_one),
        or_none(class.node_on_one, 1),
    ]
}

fn rates(class: &ClassFigures) -> Vec<String> {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), thousands);
    let (layer, most) = class.limit();
    vec![
        class.class.to_owned(),
        rate(class.executed[0]),
        rate(class.executed[1]),
        or_none(class.executed[1].map(|rate| rate * class.gas / 1e9), 2),
        thousands(1e6 / class.import_on_one),
        rate(class.node_on_one.map(|micros| 1e6 / micros)),
        format!("{:.1}", GOAL * class.gas / 1e9),
        or_none(class.cores[0], 1),
        or_none(class.cores[1], 1),
        class.execution_cores.map_or_else(|| "none".to_owned(), |cores| cores.to_string()),
        class.simulated_cores[0].map_or_else(|| "none".to_owned(), |cores| format!("{cores:.0}")),
        class.simulated_cores[1].map_or_else(|| "none".to_owned(), |cores| format!("{cores:.0}")),
        format!("{} ({} cores execute)", thousands(most), class.execution_limit.1),
        layer.to_owned(),
        format!("{:.0} %", 100.0 * most / GOAL),
    ]
}

const EXPLANATION: &str = "\
How to read it. Every part of a block is clocked in real runs of the engine on one and two threads: executions at their turn and ahead of it, commits, planning with and without \
prediction, runs of plain transfers, folding, and what one thread does around all that. A discrete-event simulation then runs the engine's own schedule with these costs on more \
cores. It knows what each transaction really relies on, from a traced serial run, and so which executions ahead of their turn turn out wrong; the planner's edges are what the predictor really says. \
*measured* and *simulated* are speed-ups over the best serial baseline (plain revm). The simulation takes each core to be as much slower as it is here when two work (measured: both cores execute \
the same block, each for itself, by core time); *pessimistic* takes every further core to disturb as much as the second did. That is all that two cores can tell of the limit that memory sets: short transactions wait \
for memory most of their time, and a machine with many cores shares its last-level cache and its channels differently. Waiting for the short locks of the queue and the state, several sockets, and cores that share an execution unit are not simulated. \
B0 / B1 / B2 bound the speed-up of any engine that waits for values, of a list schedule with perfect prediction, and of exact lists, in costs of serial revm; natively executed transfers are not in them. *efficiency* is the part of the cores' time that is work, *CPU* \
that work by the baseline's. *bound by* names what takes the largest part of the wall time, with its share: the critical path (the longest chain of true dependencies), the commit cursor, the planner, one thread around it (system \
calls, receipts, whatever is done once for each block), waking threads, the fold, memory, or the cores themselves. *error* is the simulated time against the median of the real runs, *of least* against the least.

";
