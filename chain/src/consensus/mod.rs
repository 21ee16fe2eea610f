//! Rules of Ethereum that need no execution.
//!
//! * [`difficulty`]: how hard the next block of proof of work is.

pub mod difficulty;

pub use difficulty::next_difficulty;
