//! The table of a replay.

use super::figures::{BlockFigures, Figures, Prediction, Schedule, SpeedUpBounds};
use crate::terminal::{Colour, paint};
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
};

/// Prints the table and what is to be said about it.
pub(super) fn print(figures: &Figures, mut out: impl Write + IsTerminal) -> io::Result<()> {
    if !figures.blocks.is_empty() {
        writeln!(out, "{}", table(figures))?;
    }
    let total = &figures.total;
    for block in &figures.blocks {
        for mismatch in &block.mismatches {
            writeln!(out, "{} {}: {mismatch}", paint(&out, Colour::Red, "mismatch:"), block.name)?;
        }
    }
    for block in &figures.blocks {
        if let Some(reason) = block.schedule.as_ref().and_then(|schedule| schedule.path.strip_prefix("serial: ")) {
            writeln!(out, "{} {}: decided by stock revm: {reason}", paint(&out, Colour::Yellow, "note:"), block.name)?;
        }
    }
    let verdict = match (total.mismatched, figures.problems.len()) {
        (0, 0) => paint(&out, Colour::Green, &format!("{}: all results equal", count(total.blocks, "block"))),
        (0, problems) => {
            let text = format!(
                "{}: all results equal; {} could not be run",
                count(total.blocks, "block"),
                count(problems, "block")
            );
            paint(&out, Colour::Yellow, &text)
        }
        (mismatched, _) => {
            let text = format!("{} of {} with a mismatch", mismatched, count(total.blocks, "block"));
            paint(&out, Colour::Red, &text)
        }
    };
    writeln!(out, "{verdict}")?;
    writeln!(
        out,
        "compared: gas, receipts, receipts root, bloom, requests, withdrawals, blob gas, state changes, access lists; state root of {} (*)",
        count(total.state_roots_checked, "block")
    )?;
    if total.serial_ms.is_some() {
        writeln!(out, "serial: {}", figures.baseline)?;
    }
    if total.parallel_ms.is_some() {
        writeln!(
            out,
            "parallel: {} thread(s), {}; median of {} run(s)",
            figures.threads,
            match figures.mode {
                "exact" => "exact access lists".to_owned(),
                _ => format!("predictor {}", figures.predictor),
            },
            figures.repeat
        )?;
    }
    let exceeds = |block: &BlockFigures| block.speed_up.is_some_and(|speed_up| speed_up > figures.threads as f64);
    if figures.blocks.iter().any(exceeds) {
        writeln!(
            out,
            "more than {}×: plain transfers run without the EVM, and equal calls of costly precompiles within a block are computed once; serial revm does neither",
            figures.threads
        )?;
    }
    if total.bounds.is_some() {
        writeln!(
            out,
            "B0: no engine that waits for the values it reads is faster; B1: perfect prediction; B2: all values known (of the transactions alone, on {} thread(s), against stock revm)",
            figures.threads
        )?;
    }
    Ok(())
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A column: its title, and what it says of a row.
type Column = (&'static str, fn(&Row<'_>) -> String);

struct Row<'a> {
    label: String,
    transactions: usize,
    gas: u64,
    serial_ms: Option<f64>,
    parallel_ms: Option<f64>,
    speed_up: Option<f64>,
    schedule: Option<&'a Schedule>,
    bounds: Option<&'a SpeedUpBounds>,
}

fn table(figures: &Figures) -> Table {
    let total = &figures.total;
    let all = Row {
        label: "total".to_owned(),
        transactions: total.transactions,
        gas: total.gas,
        serial_ms: total.serial_ms,
        parallel_ms: total.parallel_ms,
        speed_up: total.speed_up,
        schedule: total.schedule.as_ref(),
        bounds: total.bounds.as_ref(),
    };
    let columns = columns(&all);
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(columns.iter().map(|(title, _)| *title));
    let mut seen = HashMap::<u64, usize>::new();
    for block in &figures.blocks {
        let row = row(block, seen.entry(block.number).or_default());
        table.add_row(columns.iter().map(|(_, cell)| cell(&row)));
    }
    if figures.blocks.len() > 1 {
        table.add_row(columns.iter().map(|(_, cell)| cell(&all)));
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((0, 2));
    }
    table
}

fn row<'a>(block: &'a BlockFigures, seen: &mut usize) -> Row<'a> {
    *seen += 1;
    let repeated = if *seen > 1 { format!(" ({seen})") } else { String::new() };
    let mark = match (block.mismatches.is_empty(), block.state_root_checked) {
        (false, _) => " !",
        (true, true) => " *",
        (true, false) => "  ",
    };
    Row {
        label: format!("{}{repeated}{mark}", block.number),
        transactions: block.transactions,
        gas: block.gas,
        serial_ms: block.serial_ms,
        parallel_ms: block.parallel_ms,
        speed_up: block.speed_up,
        schedule: block.schedule.as_ref(),
        bounds: block.bounds.as_ref(),
    }
}

fn columns(all: &Row<'_>) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![
        ("block", |row| row.label.clone()),
        ("txs", |row| row.transactions.to_string()),
        ("Mgas", |row| format!("{:.2}", row.gas as f64 / 1e6)),
    ];
    if all.serial_ms.is_some() {
        columns.push(("serial ms", |row| number(row.serial_ms, 2, "")));
    }
    if all.parallel_ms.is_some() {
        columns.push(("parallel ms", |row| number(row.parallel_ms, 2, "")));
    }
    if all.speed_up.is_some() {
        columns.push(("speed-up", |row| number(row.speed_up, 2, "×")));
    }
    if all.schedule.is_some() {
        columns.push(("groups", |row| of(row.schedule, |schedule| schedule.groups.to_string())));
    }
    if all.bounds.is_some() {
        columns.push(("crit. path", |row| number(row.bounds.map(|bounds| bounds.critical_path * 100.0), 0, " %")));
    }
    if all.schedule.is_some() {
        columns.push(("re-exec.", |row| of(row.schedule, |schedule| schedule.re_executions.to_string())));
        columns.push(("precision", |row| share(row.schedule, |prediction| prediction.slots.precision)));
        columns.push(("recall", |row| share(row.schedule, |prediction| prediction.slots.recall)));
    }
    if all.bounds.is_some() {
        columns.push(("B0", |row| number(row.bounds.map(|bounds| bounds.b0), 2, "×")));
        columns.push(("B1", |row| number(row.bounds.map(|bounds| bounds.b1), 2, "×")));
        columns.push(("B2", |row| number(row.bounds.map(|bounds| bounds.b2), 2, "×")));
    }
    columns
}

fn number(value: Option<f64>, decimals: usize, unit: &str) -> String {
    of(value, |value| format!("{value:.decimals$}{unit}"))
}

/// A share of predicted or touched slots; nothing was at stake when nothing was predicted.
fn share(schedule: Option<&Schedule>, of_prediction: fn(&Prediction) -> f64) -> String {
    let prediction = schedule.map(|schedule| &schedule.prediction).filter(|prediction| prediction.transactions > 0);
    number(prediction.map(|prediction| of_prediction(prediction) * 100.0), 0, " %")
}

fn of<T>(value: Option<T>, text: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), text)
}
