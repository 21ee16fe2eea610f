//! The scores as tables, on the terminal and as Markdown.

use super::{ChainFigures, Class, Excess, Miss, PredictionFigures, SetFigures, Tallies, Tally};
use crate::machine::Machine;
use crate::report::markdown_table;
use braid_runtime::predict::Score;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::fmt::Write;

/// All that is reported.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The machine and the code.
    pub machine: Machine,
    /// Seed of generated blocks.
    pub seed: u64,
    /// The scores.
    pub figures: PredictionFigures,
    /// Sets that could not be had, with the reason.
    pub skipped: Vec<(String, String)>,
    /// How much of the gap between no prediction and a perfect one was closed, in time; one line for each profile and number of threads.
    pub gaps: Vec<String>,
}

const HEADINGS: [&str; 13] = [
    "class",
    "txs",
    "seen",
    "slots",
    "recall",
    "of seen",
    "precision",
    "in vain / tx",
    "reads",
    "writes r / p",
    "shared r / p",
    "accounts r / p",
    "µs / tx",
];

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// What reading code cost.
fn studied(set: &SetFigures) -> String {
    let study = &set.studied;
    if study.functions == 0 {
        return String::new();
    }
    format!(
        " Read beforehand: {} functions ({} said nothing), {:.1} µs each, {:.1} µs a transaction.",
        study.functions,
        study.unreadable,
        study.nanos as f64 / 1e3 / study.functions as f64,
        set.tallies.total.micros(study.nanos)
    )
}

fn touched(score: &Score) -> u64 {
    score.true_positive + score.false_negative
}

/// A share of nothing is no share.
fn recall(score: &Score) -> String {
    if touched(score) == 0 { "–".to_owned() } else { percent(score.recall()) }
}

fn precision(score: &Score) -> String {
    if score.true_positive + score.false_positive == 0 { "–".to_owned() } else { percent(score.precision()) }
}

fn row(name: &str, tally: &Tally) -> Vec<String> {
    let both = |score: &Score| format!("{} / {}", recall(score), precision(score));
    vec![
        name.to_owned(),
        tally.transactions.to_string(),
        percent(tally.known as f64 / f64::max(tally.transactions as f64, 1.0)),
        touched(&tally.slots).to_string(),
        recall(&tally.slots),
        recall(&tally.known_slots),
        precision(&tally.slots),
        format!("{:.2}", tally.in_vain()),
        recall(&tally.reads),
        both(&tally.writes),
        both(&tally.shared),
        both(&tally.accounts),
        format!("{:.2} ({:.2})", tally.micros(tally.nanos), tally.micros(tally.nanos_without_hashes)),
    ]
}

fn rows(tallies: &Tallies) -> Vec<Vec<String>> {
    let classes = Class::ALL.iter().filter_map(|class| Some(row(class.name(), tallies.classes.get(class)?)));
    std::iter::once(row("all", &tallies.total)).chain(classes).collect()
}

fn chain_rows(chain: &ChainFigures) -> Vec<Vec<String>> {
    chain.rows.iter().map(|(k, tallies)| row(&format!("k = {k}"), &tallies.total)).collect()
}

fn miss_rows(set: &SetFigures) -> Vec<Vec<String>> {
    let missed = Miss::ALL.iter().filter_map(|reason| {
        let count = set.misses.missed.get(reason)?;
        Some(vec![
            "missed".to_owned(),
            reason.describe().to_owned(),
            count.slots.to_string(),
            count.transactions.to_string(),
        ])
    });
    let in_vain = Excess::ALL.iter().filter_map(|reason| {
        let count = set.misses.in_vain.get(reason)?;
        Some(vec![
            "in vain".to_owned(),
            reason.describe().to_owned(),
            count.slots.to_string(),
            count.transactions.to_string(),
        ])
    });
    missed.chain(in_vain).collect()
}

const MISS_HEADINGS: [&str; 4] = ["", "reason", "slots", "txs"];

fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(headings);
    rows.iter().for_each(|row| {
        table.add_row(row);
    });
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The tables for the terminal.
pub fn terminal(report: &Report) -> String {
    let mut text = String::new();
    for set in &report.figures.warm {
        let _ = writeln!(text, "{} ({} blocks, {} templates){}", set.name, set.blocks, set.templates, studied(set));
        let _ = writeln!(text, "{}", table(&HEADINGS, &rows(&set.tallies)));
        if !set.misses.missed.is_empty() || !set.misses.in_vain.is_empty() {
            let _ = writeln!(text, "{}", table(&MISS_HEADINGS, &miss_rows(set)));
        }
        text.push('\n');
    }
    for chain in &report.figures.chains {
        let _ = writeln!(text, "{} ({} blocks, after the k before each)", chain.name, chain.blocks);
        let _ = writeln!(text, "{}\n", table(&HEADINGS, &chain_rows(chain)));
    }
    report.gaps.iter().for_each(|gap| {
        let _ = writeln!(text, "{gap}");
    });
    text
}

/// The Markdown report.
pub fn markdown(report: &Report) -> String {
    let mut text = String::from("# How good predictions are\n\n");
    let machine = &report.machine;
    let _ = writeln!(
        text,
        "Written by `cargo run --release -p braid-bench --bin prediction-bench -- --report docs/results-prediction.md`; not edited by hand.\n\n\
         * Machine: {}, {} cores, {} GiB, {}.\n* Commit: `{}`.\n* Generated blocks: seed {}; a block of another seed teaches.\n",
        machine.processor, machine.cores, machine.memory_gib, machine.system, machine.commit, report.seed,
    );
    text.push_str(EXPLANATION);
    for set in &report.figures.warm {
        let _ = writeln!(text, "## {}\n", set.name);
        let total = &set.tallies.total;
        let _ = writeln!(
            text,
            "{} blocks, {} transactions, {} templates. Recall of storage slots {} %, precision {} %, {:.2} slots in vain a transaction, {:.1} % of \
             transactions exact to the slot; {:.2} µs a transaction, {:.2} µs when the hashes are known, {:.2} µs in the first pass. With the keys of the envelope counted, \
             recall would read {} %.{}\n",
            set.blocks,
            total.transactions,
            set.templates,
            recall(&total.slots),
            precision(&total.slots),
            total.in_vain(),
            100.0 * total.exact as f64 / f64::max(total.transactions as f64, 1.0),
            total.micros(total.nanos),
            total.micros(total.nanos_without_hashes),
            total.micros(total.nanos_first),
            percent(total.recall_with_envelope()),
            studied(set),
        );
        markdown_table(&mut text, &HEADINGS, &rows(&set.tallies));
        if set.misses.missed.is_empty() && set.misses.in_vain.is_empty() {
            continue;
        }
        let unseen: u64 =
            set.misses.missed.iter().filter(|(reason, _)| reason.is_unseen()).map(|(_, count)| count.slots).sum();
        let all = touched(&total.slots);
        let _ = writeln!(
            text,
            "Why keys were missed, and why some were predicted in vain. {unseen} of the missed slots are below code or functions that no other block of the set calls: without them \
             recall would be {} %.\n",
            percent(total.slots.true_positive as f64 / f64::max((all - unseen) as f64, 1.0)),
        );
        markdown_table(&mut text, &MISS_HEADINGS, &miss_rows(set));
        let worst: Vec<_> = set
            .misses
            .worst
            .iter()
            .map(|worst| {
                vec![
                    format!("`{}` `{}`", worst.to, worst.selector),
                    worst.transactions.to_string(),
                    worst.missed.to_string(),
                    worst.in_vain.to_string(),
                    worst.reason.map_or("–", Miss::describe).to_owned(),
                ]
            })
            .collect();
        text.push_str("The functions with the most of both:\n\n");
        markdown_table(
            &mut text,
            &["contract, function", "txs", "missed", "in vain", "missed most often because"],
            &worst,
        );
    }
    for chain in &report.figures.chains {
        let _ = writeln!(
            text,
            "## {}: after k blocks\n\nThe same {} blocks in every row, each predicted by what was learned from the k blocks of the set before it; k = 0 is cold.\n",
            chain.name, chain.blocks
        );
        let mut headings = HEADINGS;
        headings[0] = "learned from";
        markdown_table(&mut text, &headings, &chain_rows(chain));
    }
    text.push_str("## The gap between no prediction and a perfect one, in time\n\n");
    if report.gaps.is_empty() {
        text.push_str(
            "After each table of [the main results](results.md); `--gap THREADS` measures it here as well.\n\n",
        );
    } else {
        report.gaps.iter().for_each(|gap| {
            let _ = writeln!(text, "* {gap}");
        });
        text.push('\n');
    }
    if !report.skipped.is_empty() {
        text.push_str("## Not measured\n\n");
        for (name, reason) in &report.skipped {
            let _ = writeln!(text, "* `{name}`: {reason}");
        }
        text.push('\n');
    }
    text
}

const EXPLANATION: &str = "\
How to read the tables. Every block is executed by stock revm; a **slot** is touched if revm's journal holds it when the transaction ends (slots of parts \
that were reverted too), and **written** if the transaction leaves another value than it found. Predictions are made before the block runs, on the state before it, by \
a predictor that never learned from this block: it learned from other blocks as the engine does between blocks, seeing only those transactions that it asks for. Keys that are \
merely assumed (slots invented for unknown code) do not count at all.

*seen*: share of transactions whose function was seen elsewhere, in %. *slots*: slots touched. *recall*: share of them that was predicted; *of seen*: the same among those transactions. \
*precision*: share of the predicted slots that were touched. *in vain / tx*: slots predicted and not touched, a transaction. *reads*: recall of slots that were read and not changed. *writes r / p*: \
recall and precision of slots that were changed, against those predicted to be written. *shared r / p*: of slots that another transaction of the block changes; only these make the schedule. \
*accounts r / p*: accounts of which inner calls observe or change the balance, the nonce or the life. Sender, recipient and beneficiary are known without \
any prediction and are in none of these figures. *µs / tx*: one thread, the predictor alone, median of five passes; in brackets with the hashes of slots known already, as they \
are to the execution afterwards. *code read*: before the block, the code of functions that were never seen is read (symbolically, nothing is run); what that costs is stated with the set and is in no other figure. A dash: there is nothing to count.

Classes, the first that fits: no code at the recipient (ETH transfer); EIP-4337 entry points, EIP-7702 (account abstraction); functions of Safe and of older wallets (multisig); functions of nitro-protocol's adjudicator (state channel); functions of Aave's pools (lending, though they are proxies); a recipient that hands its \
input on with DELEGATECALL, a minimal proxy, or code with the slots of EIP-1967 (proxy, whatever is behind it: USDC is here); code of ERC-721 or ERC-1155, functions of NFT markets (NFT); \
then functions of other lending markets, of Uniswap v2's kind, of v3's and v4's kind, of ERC-20; for functions that no list knows, the first pool that is called. Functions are \
recognised by selector: a contract that uses a standard selector for something else is in the wrong class. Creations are among the others.

";
