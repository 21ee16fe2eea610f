//! Tables of a cold-state measurement.

use super::ColdFigures;
use crate::{figures::Spread, machine::Machine, report::markdown_table};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::fmt::Write;

const HEADINGS: [&str; 8] = [
    "side",
    "ms",
    "against serial",
    "against serial reading ahead",
    "the same over blocks",
    "reads",
    "CPU ms",
    "again",
];

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The machine and the code.
    pub machine: Machine,
    /// Seed of generated blocks.
    pub seed: u64,
    /// Gas of generated blocks.
    pub size: String,
    /// Rounds of every measurement.
    pub rounds: usize,
    /// Reader threads of the serial side that has some.
    pub readers: usize,
    /// Reads that the disk serves at a time.
    pub depth: usize,
    /// The measurements.
    pub figures: Vec<ColdFigures>,
    /// What could not be measured, and why.
    pub skipped: Vec<(String, String)>,
}

fn ratio(spread: &Spread) -> String {
    format!("{:.2}× ({:.2}–{:.2})", spread.median, spread.low, spread.high)
}

fn rows(figures: &ColdFigures) -> Vec<Vec<String>> {
    figures
        .rows
        .iter()
        .map(|row| {
            vec![
                row.name.clone(),
                format!("{:.1}", row.ms),
                ratio(&row.against_serial),
                ratio(&row.against_reading_ahead),
                ratio(&row.over_blocks),
                format!("{:.0}", row.reads),
                format!("{:.1}", row.cpu_ms),
                row.again.to_string(),
            ]
        })
        .collect()
}

/// What is said above each table.
fn heading(figures: &ColdFigures, readers: usize) -> String {
    format!(
        "{}, {:.0} µs asked for, {:.0} µs slept: {} block(s), {} transactions; {:.1} ms in memory, disk floor {:.1} ms with {} threads reading",
        figures.profile,
        figures.delay_us,
        figures.true_delay_us,
        figures.blocks,
        figures.transactions,
        figures.in_memory_ms,
        figures.disk_floor_ms(readers),
        readers,
    )
}

/// One measurement for the terminal.
pub fn terminal(figures: &ColdFigures, readers: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADINGS);
    for cells in rows(figures) {
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n{table}", heading(figures, readers))
}

/// The Markdown report.
pub fn markdown(report: &Report) -> String {
    let mut text = String::from("# Cold state\n\n");
    let machine = &report.machine;
    let _ = writeln!(
        text,
        "Written by `cargo run --release -p braid-bench --bin cold-bench -- --report docs/results-cold.md`; not edited by hand.\n\n\
         * Machine: {}, {} cores, {} GiB, {}.\n* Commit: `{}`.\n* Generated blocks: {} gas, seed {}. {} rounds; every side runs once in each, in turns forwards \
         and backwards.\n* Disk: at most {} reads at a time.\n",
        machine.processor,
        machine.cores,
        machine.memory_gib,
        machine.system,
        machine.commit,
        report.size,
        report.seed,
        report.rounds,
        report.depth,
    );
    text.push_str(EXPLANATION);
    for figures in &report.figures {
        let _ = writeln!(
            text,
            "## {} at {:.0} µs\n\n{}.\n",
            figures.profile,
            figures.delay_us,
            heading(figures, report.readers)
        );
        markdown_table(&mut text, &HEADINGS, &rows(figures));
    }
    if !report.skipped.is_empty() {
        text.push_str("## Not measured\n\n");
        for (name, reason) in &report.skipped {
            let _ = writeln!(text, "* `{name}`: {reason}");
        }
    }
    text
}

const EXPLANATION: &str = "\
The state lies on a disk that is a sleep: the first read of every account, slot and code in a run waits, who asks for the same key meanwhile \
waits for that read, and later reads find it in memory. The time really slept is printed beside the time asked for. *serial* is plain serial revm (flat \
maps, results kept) on it. *serial, N run ahead to read* has N more threads that run all transactions in block order on the parent state, with nonces taken \
for granted, and drop the results: what they read is in memory when the executor comes; their last waits are not on its clock. *engine, T + N* is the engine \
with T threads that execute and N that read ahead, cold (knows nothing) or warm (templates learned from other blocks); all its threads are waited for on \
the clock. Receipts and state change of every run are compared with those of serial revm.

The *disk floor* is what the reads of plain serial execution take when N threads do nothing but wait for them: no side with N readers can be much quicker, and \
where serial execution with read-ahead is already near it, nothing else can be much quicker than that. *The same over blocks* takes each block's \
own ratio, and of those the median and the quartiles: of several blocks one with a single very long transaction may outweigh all others in the sum. *again* counts \
transactions executed a second time.

";
