//! The page of an inspection. The data are those of the JSON file; the script in `page.html` draws them.

use super::report::Report;
use crate::page;

const TEMPLATE: &str = include_str!("page.html");

/// The page as text.
pub(super) fn render(report: &Report) -> serde_json::Result<String> {
    page::fill(TEMPLATE, report)
}

#[cfg(test)]
mod tests;
