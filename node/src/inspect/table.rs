//! The report for a terminal, in plain words.

use super::{
    report::{Field, Report, WhatIf},
    words::short,
};
use crate::terminal::{Colour, paint};
use comfy_table::{CellAlignment, Table, presets::NOTHING};
use std::io::{self, IsTerminal, Write};

/// Transactions of the longest chain that are listed at each end.
const ENDS: usize = 6;
/// Longest name in a table, in characters.
const WIDTH: usize = 60;

/// Prints everything.
pub(super) fn print(report: &Report, top: usize, mut out: impl Write + IsTerminal) -> io::Result<()> {
    summary(report, &mut out)?;
    bounds(report, &mut out)?;
    engine(report, &mut out)?;
    if report.fields.is_empty() {
        return writeln!(out, "\nNo transaction waits for another one: there is nothing to improve.");
    }
    fields(report, top, &mut out)?;
    functions(report, top, &mut out)?;
    chain(report, &mut out)?;
    what_if(report, top, &mut out)
}

fn title(out: &mut (impl Write + IsTerminal), text: &str) -> io::Result<()> {
    let line = paint(out, Colour::Bold, text);
    writeln!(out, "\n{line}")
}

fn summary(report: &Report, out: &mut (impl Write + IsTerminal)) -> io::Result<()> {
    let count = report.transactions.len();
    let path = &report.critical_path;
    let line = format!("Block {} of chain {} ({} rules)", report.number, report.chain_id, report.fork);
    writeln!(out, "{}", paint(out, Colour::Bold, &line))?;
    writeln!(out, "{}", report.hash)?;
    writeln!(
        out,
        "{count} transactions, {:.2} Mgas, {:.2} ms one after the other on this machine",
        mega(report.gas),
        report.serial_ms
    )?;
    if count == 0 {
        return Ok(());
    }
    title(out, "Why not faster")?;
    let chain = path.transactions.len();
    let share = percent(path.gas_share);
    if chain == 1 {
        writeln!(
            out,
            "No chain of transactions that wait for each other is longer than the largest transaction alone,"
        )?;
        writeln!(out, "which takes {share} of the block's gas.")?;
    } else {
        writeln!(
            out,
            "The longest chain of transactions that wait for each other has {chain} of {count} transactions. It takes {} of the block's gas",
            paint(out, colour(path.gas_share), &share)
        )?;
        writeln!(
            out,
            "({:.2} Mgas) and {} of its time ({:.2} ms): that long the block takes at least, on however many cores.",
            mega(path.gas),
            percent(path.time_share),
            path.ms
        )?;
    }
    let waiting = count - report.what_if.as_it_is.independent;
    writeln!(out, "{waiting} of {count} transactions wait for an earlier one; the others could all start at once.")
}

fn bounds(report: &Report, out: &mut (impl Write + IsTerminal)) -> io::Result<()> {
    title(out, "How fast it could be")?;
    let mut table =
        table(&["threads", "B0 by gas", "B1 by gas", "B2 by gas", "B0 by time", "B1 by time", "B2 by time"]);
    for at in &report.bounds {
        let mut cells = vec![at.threads.to_string()];
        cells.extend([at.gas.b0, at.gas.b1, at.gas.b2, at.time.b0, at.time.b1, at.time.b2].map(times));
        table.add_row(cells);
    }
    right(&mut table);
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "Speed-up over one thread at most. B0: for any engine that waits for the values it reads. B1: when all conflicts are known in advance.\nB2: when all values are known in advance (an access list comes with the block), so that nobody waits."
    )
}

fn engine(report: &Report, out: &mut (impl Write + IsTerminal)) -> io::Result<()> {
    title(out, "How the engine ran it")?;
    let engine = &report.engine;
    let schedule = &engine.schedule;
    writeln!(
        out,
        "{} threads, {:.2} ms with notes; known beforehand: {}",
        engine.threads,
        engine.wall_ms,
        clean(&engine.predictor)
    )?;
    if let Some(reason) = schedule.path.strip_prefix("serial") {
        let reason = reason.trim_start_matches(": ");
        let reason = if reason.is_empty() { "as it was asked for" } else { reason };
        return writeln!(out, "Plain revm ran it, one transaction after the other: {}", clean(reason));
    }
    writeln!(
        out,
        "{} ran ahead of their turn in {} independent groups, {} at their turn, {} were plain transfers; {} executions were in vain",
        schedule.ahead, schedule.groups, schedule.ordered, schedule.native, schedule.re_executions
    )?;
    let prediction = &schedule.prediction;
    match (prediction.transactions, prediction.slots.right + prediction.slots.superfluous) {
        (0, _) => {
            writeln!(out, "Nothing was predicted: on few threads it is quicker to run ahead and to check afterwards.")
        }
        (_, 0) => writeln!(
            out,
            "No slot was predicted: nothing was known of {} transactions (--predictor brings knowledge of other blocks)",
            schedule.unknown
        ),
        (predicted, _) => writeln!(
            out,
            "Predicted were the slots of {predicted} transactions: {} of what was predicted was right, {} of what was used was predicted; nothing was known of {}",
            percent(prediction.slots.precision),
            percent(prediction.slots.recall),
            schedule.unknown
        ),
    }
}

fn fields(report: &Report, top: usize, out: &mut (impl Write + IsTerminal)) -> io::Result<()> {
    title(out, "What they wait for")?;
    let mut rows = table(&[
        "",
        "field",
        "contract",
        "waiting",
        "Mgas waiting",
        "changed by",
        "read by",
        "in longest chain",
        "used by",
    ]);
    for (place, field) in report.fields.iter().enumerate().take(top) {
        rows.add_row(vec![
            (place + 1).to_string(),
            cell(&field.name),
            contract(field),
            field.waiting.to_string(),
            format!("{:.2}", mega(field.waiting_gas)),
            field.writers.to_string(),
            field.readers.to_string(),
            if field.critical_links == 0 { "–".to_owned() } else { format!("{} ×", field.critical_links) },
            field.functions.iter().take(3).map(|one| method(&one.function.name)).collect::<Vec<_>>().join(", "),
        ]);
    }
    right(&mut rows);
    left(&mut rows, &[1, 2, 8]);
    writeln!(out, "{rows}")?;
    more(report.fields.len(), top, out)?;
    if report.fields.iter().take(top).any(|field| field.name.starts_with("keccak(")) {
        writeln!(
            out,
            "keccak(key . 3) is the entry `key` of the mapping at slot 3, keccak(5) + n lies in the array at slot 5; --layout gives them names."
        )?;
    }
    Ok(())
}

fn functions(report: &Report, top: usize, out: &mut (impl Write + IsTerminal)) -> io::Result<()> {
    if report.functions.is_empty() {
        return Ok(());
    }
    title(out, "In which functions they wait")?;
    let mut rows = table(&["function", "waiting", "Mgas waiting", "for"]);
    for function in report.functions.iter().take(top) {
        let names = function.fields.iter().take(3).filter_map(|place| report.fields.get(*place));
        let mut names: Vec<String> = names.map(|field| cell(&field.name)).collect();
        if function.fields.len() > 3 {
            names.push(format!("and {} more", function.fields.len() - 3));
        }
        rows.add_row(vec![
            cell(&function.function.name),
            function.waiting.to_string(),
            format!("{:.2}", mega(function.waiting_gas)),
            names.join(", "),
        ]);
    }
    right(&mut rows);
    left(&mut rows, &[0, 3]);
    writeln!(out, "{rows}")?;
    more(report.functions.len(), top, out)
}

fn chain(report: &Report, out: &mut (impl Write + IsTerminal)) -> io::Result<()> {
    let chain = &report.critical_path.transactions;
    if chain.len() < 2 {
        return Ok(());
    }
    title(out, "The longest chain")?;
    let mut rows = table(&["index", "transaction", "calls", "gas", "µs", "waits for the one before because of"]);
    for (position, index) in chain.iter().enumerate() {
        if chain.len() > 2 * ENDS && (ENDS..chain.len() - ENDS).contains(&position) {
            if position == ENDS {
                rows.add_row(vec!["…".to_owned(), format!("{} more", chain.len() - 2 * ENDS)]);
            }
            continue;
        }
        let before = position.checked_sub(1).map(|before| chain[before]);
        let edge = report.edges.iter().find(|edge| edge.to == *index && Some(edge.from) == before);
        let because = edge.into_iter().flat_map(|edge| &edge.fields).filter_map(|place| report.fields.get(*place));
        let mut because: Vec<String> = because.map(|field| cell(&field.name)).collect();
        if because.len() > 2 {
            let rest = because.len() - 2;
            because.truncate(2);
            because.push(format!("and {rest} more"));
        }
        let transaction = &report.transactions[*index];
        rows.add_row(vec![
            index.to_string(),
            short(&transaction.hash.to_string()),
            cell(&transaction.calls),
            transaction.gas.to_string(),
            format!("{:.0}", transaction.us),
            because.join(", "),
        ]);
    }
    right(&mut rows);
    left(&mut rows, &[1, 2, 5]);
    writeln!(out, "{rows}")
}

fn what_if(report: &Report, top: usize, out: &mut (impl Write + IsTerminal)) -> io::Result<()> {
    let what_if = &report.what_if;
    title(out, "What if they did not wait for it")?;
    writeln!(
        out,
        "Computed on the graph of who waits for whom, not executed: a contract that is written in another way uses other gas."
    )?;
    let bound = format!("B0 at {}", what_if.threads);
    let best = format!("B1 at {}", what_if.threads);
    let mut rows = table(&["without waiting for", "contract", "longest chain", "of the gas", &bound, &best]);
    let row = |name: String, contract: String, result: &WhatIf| {
        vec![
            name,
            contract,
            format!("{:.2} Mgas", mega(result.critical_path_gas)),
            percent(result.critical_path_share),
            times(result.bounds.b0),
            times(result.bounds.b1),
        ]
    };
    rows.add_row(row("nothing (as it is)".to_owned(), String::new(), &what_if.as_it_is));
    let known = |place: usize| report.fields.get(place).map(|field| (cell(&field.name), contract(field)));
    let as_it_is = &what_if.as_it_is;
    let helps = |result: &WhatIf| {
        result.critical_path_gas < as_it_is.critical_path_gas || result.bounds.b1 > as_it_is.bounds.b1 * 1.005
    };
    let helpful = what_if.alone.iter().filter(|one| helps(&one.result));
    let any = helpful.clone().next().is_some();
    for one in helpful.take(top) {
        let (name, contract) = known(one.field).unwrap_or_default();
        rows.add_row(row(name, contract, &one.result));
    }
    for (position, one) in what_if.together.iter().enumerate().take(top) {
        let (name, contract) = known(one.field).unwrap_or_default();
        let name = if position == 0 { format!("together: {name}") } else { format!("       + {name}") };
        rows.add_row(row(name, contract, &one.result));
    }
    if let Some(asked) = &what_if.asked {
        for (position, field) in asked.assumptions.iter().enumerate() {
            let name = format!(
                "--{} {} ({} of the fields above and below)",
                field.assumption,
                short(&clean(&field.name)),
                field.fields
            );
            let is_last = position + 1 == asked.assumptions.len();
            rows.add_row(if is_last { row(name, String::new(), &asked.result) } else { vec![name] });
        }
    }
    right(&mut rows);
    left(&mut rows, &[0, 1]);
    writeln!(out, "{rows}")?;
    match (any, what_if.together.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => writeln!(out, "No field holds the block up: without any of them it would take as long."),
        (false, false) => {
            writeln!(out, "No field helps alone: where it goes, another one holds the same transactions.")
        }
    }
}

fn table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(titles.iter().copied());
    table
}

fn right(table: &mut Table) {
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
        column.set_padding((0, 2));
    }
}

fn left(table: &mut Table, columns: &[usize]) {
    for index in columns {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Left);
        }
    }
}

fn more(all: usize, shown: usize, out: &mut impl Write) -> io::Result<()> {
    if all > shown { writeln!(out, "and {} more (--top, --json)", all - shown) } else { Ok(()) }
}

fn contract(field: &Field) -> String {
    let address = short(&field.address.to_string());
    field.contract.as_ref().map_or(address, |name| clean(name))
}

/// The part after the contract.
fn method(name: &str) -> String {
    cell(name.rsplit_once('.').map_or(name, |(_, method)| method))
}

/// Fit for a table.
fn cell(name: &str) -> String {
    let text = short(&clean(name));
    if text.chars().count() <= WIDTH {
        return text;
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// Names are of the user's making, and of the chain's: nothing in them may steer a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn mega(gas: u64) -> f64 {
    gas as f64 / 1e6
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn times(speed_up: f64) -> String {
    format!("{speed_up:.2}×")
}

/// How bad it is.
const fn colour(share: f64) -> Colour {
    match share {
        share if share > 0.5 => Colour::Red,
        share if share > 0.2 => Colour::Yellow,
        _ => Colour::Green,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(cell("a\x1b[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(cell(&"x".repeat(100)).chars().count(), WIDTH);
        assert_eq!(method("Token.transfer"), "transfer");
    }
}
