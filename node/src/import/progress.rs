//! How far an import is: a bar on a terminal, a line now and then elsewhere.

use super::pipeline::Reading;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

/// Time between two lines where there is no terminal.
const LINE: Duration = Duration::from_secs(10);
/// Time between two changes of the bar.
const REDRAW: Duration = Duration::from_millis(100);

/// What was imported so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) blocks: u64,
    pub(super) transactions: u64,
    pub(super) gas: u64,
    /// Number of the last block.
    pub(super) number: u64,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines,
}

/// Tells how far an import is.
pub(super) struct Teller<'a> {
    reading: &'a Reading,
    shown: Shown,
    begin: Instant,
    last: Instant,
    /// The counts at the last line.
    before: Counts,
}

impl<'a> Teller<'a> {
    pub(super) fn new(reading: &'a Reading, is_wanted: bool) -> Self {
        let shown = match is_wanted {
            false => Shown::Nothing,
            true if io::stderr().is_terminal() => Shown::Bar(bar(reading.total())),
            true => Shown::Lines,
        };
        let now = Instant::now();
        Self { reading, shown, begin: now, last: now, before: Counts::default() }
    }

    /// A block was imported.
    pub(super) fn tell(&mut self, counts: &Counts) {
        let since = self.last.elapsed();
        match &self.shown {
            Shown::Bar(bar) if since >= REDRAW => {
                let seconds = self.begin.elapsed().as_secs_f64();
                bar.set_position(self.reading.position());
                bar.set_message(format!("block {}, {}", counts.number, rates(counts, seconds)));
                self.last = Instant::now();
            }
            Shown::Lines if since >= LINE => {
                let recent = Counts {
                    blocks: counts.blocks - self.before.blocks,
                    transactions: counts.transactions - self.before.transactions,
                    gas: counts.gas - self.before.gas,
                    number: counts.number,
                };
                let part = match self.reading.total() {
                    Some(total) if total > 0 => {
                        let part = self.reading.position() as f64 / total as f64;
                        let left = self.begin.elapsed().as_secs_f64() * (1.0 - part) / part.max(1e-9);
                        format!("{:.1} % read, {left:.0} s left, ", part * 100.0)
                    }
                    _ => String::new(),
                };
                eprintln!("block {}, {part}{}", counts.number, rates(&recent, since.as_secs_f64()));
                self.before = *counts;
                self.last = Instant::now();
            }
            _ => {}
        }
    }

    /// Says something that must not be overwritten.
    pub(super) fn say(&self, line: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(|| eprintln!("{line}")),
            Shown::Lines | Shown::Nothing => eprintln!("{line}"),
        }
    }

    pub(super) fn end(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = match total {
        Some(_) => "{bar:28} {percent}% {wide_msg} {eta} left",
        None => "{spinner} {wide_msg}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

fn rates(counts: &Counts, seconds: f64) -> String {
    let seconds = seconds.max(1e-9);
    format!("{:.1} Mgas/s, {:.0} blocks/s", counts.gas as f64 / seconds / 1e6, counts.blocks as f64 / seconds)
}
