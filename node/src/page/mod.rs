//! Pages: one HTML file each, with its style, its script and its data inside, that needs nothing but a browser.
//!
//! A command brings a template and data; what all pages share, colours, tables and the making of elements, is in `style.css`, `script.js` and `lanes.js` (the timeline), and is put
//! into the template. The script puts text on the page as text only.

use braid_runtime::engine::{SpanKind, Timings};
use serde::Serialize;

const STYLE: &str = "/*STYLE*/";
const SCRIPT: &str = "/*SCRIPT*/";
pub(crate) const DATA: &str = "/*DATA*/";

/// An execution on a page: worker, transaction, start and end (µs), kind as in `script.js`.
pub(crate) type SpanRow = (u32, u32, f64, f64, u8);

/// The page as text.
pub(crate) fn fill(template: &str, data: &impl Serialize) -> serde_json::Result<String> {
    // Names are of the user's making: nothing in them may end the script.
    let data = serde_json::to_string(data)?.replace('<', "\\u003c");
    Ok(empty(template).replacen(DATA, &data, 1))
}

/// A template with all but its data.
pub(crate) fn empty(template: &str) -> String {
    let script = concat!(include_str!("script.js"), include_str!("lanes.js"));
    template.replacen(STYLE, include_str!("style.css"), 1).replacen(SCRIPT, script, 1)
}

/// Nanoseconds as microseconds, to two digits.
pub(crate) fn us(ns: u64) -> f64 {
    (ns / 10) as f64 / 100.0
}

/// The executions of a block.
pub(crate) fn spans(timings: &Timings) -> Vec<SpanRow> {
    let row = |span: &braid_runtime::engine::Span| {
        let kind = match span.kind {
            SpanKind::Ahead => 0,
            SpanKind::Ordered => 1,
            SpanKind::Native => 2,
            SpanKind::Retry => 3,
        };
        (span.worker, span.transaction, us(span.start_ns), us(span.end_ns), kind)
    };
    timings.spans.iter().map(row).collect()
}
