//! What the tests of the engine are made of: every block must come out of it as it comes out of serial execution.
//!
//! [`differential`] runs one block through the engine in many settings and compares everything with the oracle; [`misleading`] makes the
//! predictors that are wrong on purpose. The blocks come from [`conformance`] (the Ethereum suites), [`blocks`] (made by hand) and
//! [`generator`] (at random, over the contracts of [`contracts`], written in [`assembly`]). [`memory`] is the state they all start from, and
//! [`snapshots`] are states that do not answer everything, [`chains`] whole chains. [`shipped`] are the blocks in `fixtures/generated`, [`guide`] those of
//! the guide among them; [`crowd`] is one block of very many transactions, [`programs`] are contracts
//! written at random.

pub mod assembly;
pub mod blocks;
pub mod chains;
pub mod conformance;
pub mod contracts;
pub mod crowd;
pub mod differential;
pub mod generator;
pub mod guide;
pub mod memory;
pub mod misleading;
pub mod programs;
pub mod shipped;
pub mod snapshots;
