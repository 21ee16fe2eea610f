//! The page of a replay.
//!
//! The data are the figures of the JSON file, and for each block its timeline in short form; the script in `page.html` draws them.

use super::figures::Figures;
use crate::page::{self, SpanRow};
use braid_runtime::{AccessKey, engine::Timings};
use serde::Serialize;

const TEMPLATE: &str = include_str!("page.html");
/// Mispredicted transactions of a block that are listed, and keys of each.
const LISTED: usize = 200;
const KEYS: usize = 24;

#[derive(Serialize)]
struct Data<'a> {
    figures: &'a Figures,
    /// One for each block; `null` where the engine did not run.
    timelines: Vec<Option<Timeline>>,
}

#[derive(Serialize)]
struct Timeline {
    wall_us: f64,
    spans: Vec<SpanRow>,
    hot_slots: Vec<HotSlot>,
    mispredictions: Vec<Misprediction>,
    /// How many there are, of which the list has the first.
    mispredicted: usize,
}

#[derive(Serialize)]
struct HotSlot {
    address: String,
    slot: String,
    transactions: u32,
    writers: u32,
    conflicts: u32,
}

#[derive(Serialize)]
struct Misprediction {
    transaction: u32,
    to: Option<String>,
    known: bool,
    missed: Keys,
    superfluous: Keys,
}

#[derive(Serialize)]
struct Keys {
    count: usize,
    first: Vec<String>,
}

/// The page as text.
pub(super) fn render(figures: &Figures) -> serde_json::Result<String> {
    let timelines = figures.blocks.iter().map(|block| block.timings.as_deref().map(Timeline::from)).collect();
    page::fill(TEMPLATE, &Data { figures, timelines })
}

impl From<&Timings> for Timeline {
    fn from(timings: &Timings) -> Self {
        let hot_slots = timings.hot_slots.iter().map(|hot| HotSlot {
            address: hot.address.to_string(),
            slot: format!("{:#x}", hot.slot),
            transactions: hot.transactions,
            writers: hot.writers,
            conflicts: hot.conflicts,
        });
        let mispredictions = timings.mispredictions.iter().take(LISTED).map(|wrong| Misprediction {
            transaction: wrong.transaction,
            to: wrong.to.map(|to| to.to_string()),
            known: wrong.known,
            missed: Keys::of(&wrong.missed),
            superfluous: Keys::of(&wrong.superfluous),
        });
        Self {
            wall_us: page::us(timings.wall_ns),
            spans: page::spans(timings),
            hot_slots: hot_slots.collect(),
            mispredictions: mispredictions.collect(),
            mispredicted: timings.mispredictions.len(),
        }
    }
}

impl Keys {
    fn of(keys: &[AccessKey]) -> Self {
        let text = |key: &AccessKey| match key {
            AccessKey::Storage(address, slot) => format!("{address} {slot:#x}"),
            other => format!("{other:?}"),
        };
        Self { count: keys.len(), first: keys.iter().take(KEYS).map(text).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::figures::{BlockFigures, LAYOUT, Total};
    use braid_runtime::engine::{Span, SpanKind};

    #[test]
    fn the_page_is_whole_and_names_cannot_break_out_of_the_data() {
        let span = Span { worker: 1, transaction: 7, start_ns: 1_000, end_ns: 2_500, kind: SpanKind::Retry };
        let block = BlockFigures {
            name: "</script><script>alert(1)</script>".to_owned(),
            timings: Some(Box::new(Timings { wall_ns: 9_000, spans: vec![span], ..Default::default() })),
            ..Default::default()
        };
        let figures = Figures {
            layout: LAYOUT,
            braid: "0",
            mode: "compare",
            threads: 2,
            predictor: "cold".to_owned(),
            repeat: 1,
            baseline: "",
            blocks: vec![block],
            problems: Vec::new(),
            total: Total::default(),
            exit_code: 0,
        };
        let page = render(&figures).unwrap();
        assert!(!page.contains("<script>alert"));
        assert!(page.contains("[1,7,1.0,2.5,3]"), "the span is in the data");
        assert!(!page.contains(page::DATA) && page.trim_end().ends_with("</html>"));
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            let found = page.matches(outside).filter(|_| outside != "http://").count();
            let namespaces = page.matches("http://www.w3.org/2000/svg").count();
            assert_eq!(found, 0, "{outside}");
            assert_eq!(page.matches("http://").count(), namespaces, "only names of namespaces");
        }
    }
}
