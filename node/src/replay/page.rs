//! The page.

use super::figures::Figures;

pub(super) fn render(figures: &Figures) -> eyre::Result<String> {
    Ok(serde_json::to_string(figures)?)
}
