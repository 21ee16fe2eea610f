//! Tables: on the terminal, and as the Markdown report.

use crate::{
    engine::Knowledge,
    figures::{EngineFigures, ProfileFigures},
    harness::Plan,
    machine::Machine,
    workload::PROFILES,
};
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write;

const HEADINGS: [&str; 19] = [
    "profile",
    "engine",
    "Mgas",
    "txs",
    "serial a ms",
    "serial b ms",
    "c ms",
    "parallel ms",
    "speed-up",
    "quartiles",
    "B0 / B1 / B2",
    "of B0",
    "prediction",
    "CPU",
    "again",
    "paths",
    "Ggas/s",
    "ktx/s",
    "memory",
];

/// Precision and recall, where the predictor was asked at all.
fn prediction(engine: &EngineFigures) -> String {
    match engine.prediction.transactions {
        0 => "–".to_owned(),
        _ => format!("{:.0} / {:.0} %", 100.0 * engine.prediction.precision, 100.0 * engine.prediction.recall),
    }
}

fn row(profile: &ProfileFigures, engine: Option<&EngineFigures>) -> [String; 19] {
    let ms = |value: f64| format!("{value:.2}");
    let none = || "–".to_owned();
    let (gas, transactions) = (profile.gas as f64, profile.transactions as f64);
    let start = [
        profile.title(),
        engine.map_or_else(none, |engine| format!("{} × {}", engine.threads, engine.knowledge)),
        format!("{:.1}", gas / 1e6),
        profile.transactions.to_string(),
        ms(profile.baselines.a_ms),
        ms(profile.baselines.b_ms),
        ms(profile.leanest.b_ms * profile.baselines.b_ms / profile.leanest.a_ms),
    ];
    let serial_peak = profile.baseline_peak_bytes[usize::from(profile.best == "b")].max(1) as f64;
    let rest = match engine {
        Some(engine) => {
            let (comparison, milliseconds) = (&engine.comparison, engine.comparison.b_ms);
            [
                ms(milliseconds),
                format!("{:.2}×", comparison.ratio.median),
                format!("{:.2}–{:.2}", comparison.ratio.low, comparison.ratio.high),
                format!("{:.2} / {:.2} / {:.2}", engine.limits.b0, engine.limits.b1, engine.limits.b2),
                format!("{:.0} %", 100.0 * comparison.ratio.median / engine.limits.b0),
                prediction(engine),
                format!("{:.2}×", comparison.b_cpu / comparison.a_cpu),
                engine.re_executions.to_string(),
                engine.replayed.to_string(),
                format!("{:.2}", gas / milliseconds / 1e6),
                format!("{:.1}", transactions / milliseconds),
                format!("{:.2}×", engine.peak_bytes as f64 / serial_peak),
            ]
        }
        None => {
            let milliseconds = profile.serial_ms();
            [
                none(),
                none(),
                none(),
                none(),
                none(),
                none(),
                none(),
                none(),
                none(),
                format!("{:.2}", gas / milliseconds / 1e6),
                format!("{:.1}", transactions / milliseconds),
                none(),
            ]
        }
    };
    let mut cells = start.into_iter().chain(rest);
    std::array::from_fn(|_| cells.next().unwrap_or_default())
}

fn rows(profiles: &[&ProfileFigures]) -> Vec<[String; 19]> {
    profiles
        .iter()
        .flat_map(|profile| {
            if profile.engine.is_empty() {
                vec![row(profile, None)]
            } else {
                profile.engine.iter().map(|engine| row(profile, Some(engine))).collect()
            }
        })
        .collect()
}

/// The table of all profiles for the terminal.
pub fn terminal(profiles: &[ProfileFigures]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADINGS);
    for cells in rows(&profiles.iter().collect::<Vec<_>>()) {
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

pub(crate) fn markdown_table(text: &mut String, headings: &[&str], rows: &[Vec<String>]) {
    let _ = writeln!(text, "| {} |", headings.join(" | "));
    let alignment: Vec<_> = (0..headings.len()).map(|column| if column < 1 { "---" } else { "---:" }).collect();
    let _ = writeln!(text, "| {} |", alignment.join(" | "));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text.push('\n');
}

/// The headline: what the first profile of the table, the mix measured on mainnet, came to. Nothing when it was not measured.
pub fn headline(profiles: &[ProfileFigures]) -> Vec<String> {
    let headline = PROFILES.first().map(|profile| profile.name);
    let mut lines = Vec::new();
    for profile in profiles.iter().filter(|profile| Some(profile.name) == headline) {
        for engine in &profile.engine {
            let (comparison, milliseconds) = (&engine.comparison, engine.comparison.b_ms);
            lines.push(format!(
                "{}, {} thread(s), {}: {:.2}× serial revm ({:.2}–{:.2}; bounds {:.2} / {:.2} / {:.2}), {:.2} Ggas/s, {:.1} thousand transactions/s",
                profile.title(),
                engine.threads,
                engine.knowledge,
                comparison.ratio.median,
                comparison.ratio.low,
                comparison.ratio.high,
                engine.limits.b0,
                engine.limits.b1,
                engine.limits.b2,
                profile.gas as f64 / milliseconds / 1e6,
                profile.transactions as f64 / milliseconds,
            ));
        }
    }
    lines
}

/// How much of the way from no prediction to perfect prediction was made by what was learned: `(S − S_cold) / (B1 − S_cold)`.
pub fn gaps_closed(profile: &ProfileFigures) -> Vec<String> {
    let mut lines = Vec::new();
    for warm in profile.engine.iter().filter(|engine| engine.knowledge == Knowledge::Warm) {
        let is_cold = |engine: &&EngineFigures| engine.knowledge == Knowledge::Cold && engine.threads == warm.threads;
        let Some(cold) = profile.engine.iter().find(is_cold) else { continue };
        let (without, with) = (cold.comparison.ratio.median, warm.comparison.ratio.median);
        let gap = warm.limits.b1 - without;
        let verdict = if gap < 0.05 {
            "nothing that prediction could close".to_owned()
        } else {
            format!("{:.0} % closed", 100.0 * (with - without) / gap)
        };
        lines.push(format!(
            "Gap between no prediction and a perfect one, `{}`, {} thread(s): {without:.2}× cold, {with:.2}× warm, at most {:.2}×: {verdict}.",
            profile.title(),
            warm.threads,
            warm.limits.b1,
        ));
    }
    lines
}

/// Blocks that serial revm had to decide are slow and must be seen.
fn fallbacks(text: &mut String, profile: &ProfileFigures) {
    for engine in &profile.engine {
        if let Some(reason) = &engine.fallback_reason {
            let _ = writeln!(
                text,
                "`{}`, {} × {}: {} block(s) decided by serial revm in the end, the first because: {reason}\n",
                profile.title(),
                engine.threads,
                engine.knowledge,
                engine.fallbacks,
            );
        }
    }
}

fn blocks(text: &mut String, profile: &ProfileFigures) {
    for engine in &profile.engine {
        if engine.comparison.blocks.len() < 2 {
            continue;
        }
        let _ = writeln!(text, "Block by block, {} thread(s), {}:\n", engine.threads, engine.knowledge);
        let rows: Vec<_> = engine
            .comparison
            .blocks
            .iter()
            .map(|block| {
                vec![
                    block.name.clone(),
                    block.transactions.to_string(),
                    format!("{:.2}", block.gas as f64 / 1e6),
                    format!("{:.3}", block.a_ms),
                    format!("{:.3}", block.b_ms),
                    format!("{:.2}×", block.ratio.median),
                    format!("{:.2}–{:.2}", block.ratio.low, block.ratio.high),
                ]
            })
            .collect();
        markdown_table(text, &["block", "txs", "Mgas", "serial ms", "parallel ms", "speed-up", "quartiles"], &rows);
    }
}

/// The Markdown report. `skipped` names the profiles that could not be measured, with the reason.
pub fn markdown(machine: &Machine, plan: &Plan, profiles: &[ProfileFigures], skipped: &[(String, String)]) -> String {
    let mut text = String::from("# Measured results\n\n");
    let _ = writeln!(
        text,
        "Written by `cargo run --release -p braid-bench -- --report docs/results.md`; not edited by hand.\n\n\
         * Machine: {}, {} cores, {} GiB, {}.\n* Commit: `{}`.\n\
         * Generated blocks: seed {}. {} pairs of runs in each comparison, order ABBA.\n",
        machine.processor, machine.cores, machine.memory_gib, machine.system, machine.commit, plan.seed, plan.pairs,
    );
    let lines = headline(profiles);
    if !lines.is_empty() {
        text.push_str("## Headline: the mix measured on mainnet\n\n");
        for line in lines {
            let _ = writeln!(text, "* {line}");
        }
        text.push('\n');
    }
    text.push_str(EXPLANATION);
    let mut groups: Vec<&str> = Vec::new();
    for profile in profiles {
        if !groups.contains(&profile.group) {
            groups.push(profile.group);
        }
    }
    for group in groups {
        let members: Vec<_> = profiles.iter().filter(|profile| profile.group == group).collect();
        let _ = writeln!(text, "## {group}\n");
        for profile in &members {
            let _ = writeln!(text, "* `{}`: {}.", profile.title(), profile.notes);
        }
        text.push('\n');
        let rows: Vec<_> = rows(&members).into_iter().map(Vec::from).collect();
        markdown_table(&mut text, &HEADINGS, &rows);
        for profile in &members {
            for gap in gaps_closed(profile) {
                let _ = writeln!(text, "{gap}\n");
            }
            fallbacks(&mut text, profile);
            blocks(&mut text, profile);
        }
    }
    if !skipped.is_empty() {
        text.push_str("## Not measured\n\n");
        for (name, reason) in skipped {
            let _ = writeln!(text, "* `{name}`: {reason}");
        }
        text.push('\n');
    }
    text.push_str(LIMITS);
    text
}

const EXPLANATION: &str = "\
How to read the tables. Every speed-up is a ratio inside one run: the quicker of two serial baselines of plain revm against the engine, \
executed in turns on the same block, the median of all pairs with the quartiles beside it. Baseline a is one EVM over \
revm's `State` up to `take_bundle`; baseline b is one EVM over flat maps written in place, with each transaction's state change kept. Beside them stands c, which is b with \
those results dropped and so less than the protocol asks of a baseline; a speed-up against it is the one printed, times c ms over the \
quicker of a and b. All sides start with recovered senders and end \
with receipts and the merged state change; the digests of both are compared on every single run. *engine* is threads × \
what it knew beforehand: cold (nothing; learning takes as long as executing and therefore happens between blocks, so it learns nothing inside the \
block either), warm (templates from other blocks, never this one; below three threads predictions order nothing, because running a transaction again now and \
then costs less, so cold and warm differ by chance there), exact (the block's access list). \
B0 / B1 / B2 are bounds for that number of threads, from one traced serial run: the conflict bound, a list schedule with perfect prediction, \
and the value oracle (exact list, every transaction independent). *of B0* is the speed-up as a part of the conflict bound; native transfers are not in \
the bounds, so it can be more than all. *prediction* is the precision and the recall of the predicted storage \
slots of all transactions for which the predictor was asked. \
*CPU* is processor time relative to the baseline, *again* counts transactions executed a second time, *paths* executions along recorded paths, without the interpreter, *memory* is the peak of live heap \
bytes in a first run relative to the same baseline. Figures are execution only: no state root, no disk, no signatures.

";

const LIMITS: &str = "\
## Limits of these figures

* 100,000 transactions per second mean 2.1 Ggas/s of plain transfers, 2.7–6.2 of ERC-20 transfers, 6.8 of the mainnet mix and 13–15 of \
Uniswap v3 swaps. A rate of transactions means nothing without its mix.
* Recovering senders costs about 42 µs of one core per transaction and is done before the clock starts here. 100,000 signed transactions per \
second need four to five cores for that alone; on two cores the end-to-end ceiling is about 47,000.
* A speed-up above the number of cores is possible where the engine skips work that serial revm does: plain transfers run \
without an EVM. Everywhere else it would mean a broken baseline.
* Profiles that are serial by nature (one chain, one pool, one market) should show about 1.
* Blocks are in memory. Reads from disk, state roots and commits are measured elsewhere.
";
