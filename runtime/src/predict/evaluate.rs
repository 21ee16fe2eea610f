//! Evaluation of templates.

/// Buffers reused from prediction to prediction.
#[derive(Debug, Default)]
pub(super) struct Scratch {}

impl Scratch {
    pub(super) const fn clear(&mut self) {}
}
