//! Blocks on a cold state: every first read of an account, a slot or a code waits for a disk.
//!
//! [`DelayedSnapshot`] is the disk: reads sleep, a bounded number at a time, and the time really slept is counted. [`SerialSide`] is plain
//! serial revm on it, with or without threads that run all transactions ahead only to read what they need, as nodes pre-warm their caches;
//! [`EngineSide`] is the engine with and without its reader threads. [`measure`] compares them, [`report`] writes it down.

mod delayed;
mod engine_side;
mod measure;
mod report;
mod serial_side;

pub use delayed::{DelayedSnapshot, DiskStats};
pub use engine_side::EngineSide;
pub use measure::{ColdFigures, Plan, Row, measure};
pub use report::{Report, markdown, terminal};
pub use serial_side::SerialSide;
