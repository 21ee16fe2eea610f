//! What came of building, as tables.

use super::{
    measure::{CORES, PolicyFigures, PoolFigures},
    pools::PoolSize,
};
use crate::{figures::Spread, machine::Machine};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct BuildingReport {
    /// Where.
    pub machine: Machine,
    /// Gas limit of a block.
    pub block_gas: u64,
    /// Blocks that what waits fills, about.
    pub blocks: u64,
    /// Seed of all choices.
    pub seed: u64,
    /// Pairs of runs in every comparison.
    pub pairs: usize,
    /// By pool.
    pub pools: Vec<PoolFigures>,
    /// Pools that could not be measured, and why.
    pub skipped: Vec<(String, String)>,
}

impl BuildingReport {
    /// A report without pools.
    pub fn new(size: &PoolSize, pairs: usize) -> Self {
        let PoolSize { block_gas, blocks, seed } = *size;
        Self { machine: Machine::here(), block_gas, blocks, seed, pairs, pools: Vec::new(), skipped: Vec::new() }
    }
}

fn spread(spread: &Spread) -> String {
    format!("{:.2} ({:.2}–{:.2})", spread.median, spread.low, spread.high)
}

fn by_block(policy: &PolicyFigures, of: impl Fn(&super::BlockLine) -> String) -> String {
    policy.blocks.iter().map(of).collect::<Vec<_>>().join(" ")
}

fn structure(pool: &PoolFigures) -> String {
    let mut table = table();
    let bounds = |name: &str| CORES.map(|cores| format!("{name} {cores}"));
    let mut header = vec!["order".to_owned(), "longest chains, Mgas".to_owned(), "worst".to_owned()];
    header.extend(bounds("B0"));
    header.extend(bounds("B1"));
    header.extend(
        ["tips by block, %", "all tips, %", "waits: hot / other", "passed over", "moved", "µs/candidate"]
            .map(str::to_owned),
    );
    table.set_header(header);
    let plain = pool.policies.first();
    for policy in &pool.policies {
        let worst = policy.blocks.iter().map(|block| block.critical_path).max().unwrap_or_default();
        let tips_of =
            |figures: &PolicyFigures, number: usize| figures.blocks.get(number).map_or(0.0, |block| block.tips);
        let compared: Vec<String> = (0..policy.blocks.len())
            .map(|number| match plain.map_or(0.0, |plain| tips_of(plain, number)) {
                0.0 => "–".to_owned(),
                before => format!("{:.1}", 100.0 * tips_of(policy, number) / before),
            })
            .collect();
        let candidates: usize = policy.blocks.iter().map(|block| block.candidates).sum();
        let micros: f64 = policy.blocks.iter().map(|block| block.ordering_us).sum();
        let mut row = vec![
            policy.name.to_owned(),
            by_block(policy, |block| format!("{:.1}", block.critical_path as f64 / 1e6)),
            format!("{:.1}", worst as f64 / 1e6),
        ];
        row.extend(policy.b0.iter().chain(&policy.b1).map(|bound| format!("{bound:.2}")));
        row.push(compared.join(" "));
        row.push(format!("{:.2}", 100.0 * policy.tips() / plain.map_or(1.0, PolicyFigures::tips)));
        row.push(format!("{:.2} / {:.2}", policy.delay.0, policy.delay.1));
        row.push(by_block(policy, |block| block.passed_over.to_string()));
        row.push(by_block(policy, |block| block.moved.to_string()));
        row.push(if candidates == 0 { "–".to_owned() } else { format!("{:.1}", micros / candidates as f64) });
        table.add_row(row);
    }
    right(&mut table);
    table.to_string()
}

fn times(pool: &PoolFigures) -> Option<String> {
    let mut table = table();
    table.set_header([
        "order",
        "serial ms",
        "warm: engine ms",
        "serial / engine",
        "again",
        "cold: engine ms",
        "serial / engine",
        "again",
    ]);
    let mut is_any = false;
    for policy in &pool.policies {
        let [warm, cold] = &policy.timed[..] else { continue };
        is_any = true;
        table.add_row([
            policy.name.to_owned(),
            format!("{:.1}", warm.serial_ms),
            format!("{:.1}", warm.engine_ms),
            spread(&warm.ratio),
            warm.re_executions.to_string(),
            format!("{:.1}", cold.engine_ms),
            spread(&cold.ratio),
            cold.re_executions.to_string(),
        ]);
    }
    right(&mut table);
    is_any.then(|| table.to_string())
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table
}

fn right(table: &mut Table) {
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
}

fn body(report: &BuildingReport, markdown: bool) -> String {
    let mut text = String::new();
    for pool in &report.pools {
        let heading = if markdown { "## " } else { "" };
        text += &format!("\n{heading}{}\n\n{}, {} transactions.\n\n", pool.name, pool.contents, pool.transactions);
        text += &structure(pool);
        text += "\n";
        if let Some(times) = times(pool) {
            text += &format!("\nExecuted with two threads, {} pairs:\n\n{times}\n", report.pairs);
        }
    }
    for (pool, reason) in &report.skipped {
        text += &format!("\n{pool} could not be measured: {reason}\n");
    }
    text
}

/// For the terminal.
pub fn terminal(report: &BuildingReport) -> String {
    body(report, false)
}

/// As Markdown.
pub fn markdown(report: &BuildingReport) -> String {
    let BuildingReport { machine, block_gas, blocks, seed, .. } = report;
    format!(
        "# Blocks built from pools with contended contracts\n\n\
        Made by `cargo run --release -p braid-bench --bin building-bench -- --report docs/results-building.md`, commit {}, {} with {} cores; \
        blocks of {} Mgas, {blocks} blocks of transactions waiting, seed {seed}.\n\n\
        A pool is built into blocks until it is empty, through the Engine API's door, on a chain that was taught by one smaller block of the same kind. 60 % of the wallets offer a tip of 1 gwei, 12 % 2, \
        8 % 1.5, 8 % 0.1, the others anything between 0.01 and 10. *Longest chains* are those of the blocks in turn, in gas, from a traced serial execution; B0 and B1 the bounds on the \
        speed-up over all blocks by gas (B1: list schedule), at {:?} cores; *tips* are in per cent of those by fees alone, where a block of another order need not hold the same transactions; *waits* are blocks until a transaction is in one, mean. \
        *Passed over* and *moved* are transactions, by block. `fees` is the order of fees alone; `spreading` changes the order within a block only, `selection` which transactions of equal tips are in it, `5 %` says that tips \
        count as equal within that. Where an order moves and passes over nothing, its blocks are those of `fees`: how far their ratios lie apart tells how noisy the machine was, and what smaller differences are worth.\n{}",
        machine.commit,
        machine.processor,
        machine.cores,
        block_gas / 1_000_000,
        CORES,
        body(report, true)
    )
}
