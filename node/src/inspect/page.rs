//! The page: one HTML file with its style, its script and its data inside, that needs nothing but a browser.
//!
//! The data are those of the JSON file. The script in `page.html` draws them, and puts text on the page as text only.

use super::report::Report;

const TEMPLATE: &str = include_str!("page.html");
const DATA: &str = "/*DATA*/";

/// The page as text.
pub(super) fn render(report: &Report) -> serde_json::Result<String> {
    // Names are of the user's making: nothing in them may end the script.
    let data = serde_json::to_string(report)?.replace('<', "\\u003c");
    Ok(TEMPLATE.replacen(DATA, &data, 1))
}

#[cfg(test)]
mod tests;
