//! How good predictions are, per class of contract, and why keys were missed.
//!
//! `ran` executes blocks on stock revm and keeps what every transaction really touched; `class` says what kind of contract a
//! transaction calls; `lessons` is what a predictor has learned from when it is asked; `tally` holds a prediction against the
//! truth; `misses` says why a key was missed; `measure` puts them together, and `report` writes what came out.
//!
//! The truth is revm's own journal, not what the predictor's recorder noted: every slot that the transaction loaded, and as written
//! every slot whose value it changed.

mod class;
mod lessons;
mod measure;
mod misses;
mod ran;
mod report;
mod tally;

pub use class::Class;
pub use lessons::{Teacher, learn_block};
pub use measure::{Before, ChainFigures, PredictionFigures, SetFigures, Study, after_blocks, leave_one_out, taught_by};
pub use misses::{Excess, Miss, MissCount, Misses};
pub use ran::{RanBlock, RanTransaction, TouchedSlot, run_block, run_chain};
pub use report::{Report, markdown, terminal};
pub use tally::{Tallies, Tally};
