//! Nothing that was durable is lost: the real program is killed, starved and given damaged files.
//!
//! [`chain`] makes a chain of which everything is known, [`program`] runs the binary; then `kill` ends it at random moments,
//! `orderly` by signals, `faults` damages what it reads and takes away what it writes to, `bad_blocks` gives it blocks and
//! files that are wrong, and `rpc_suite` imports a chain made by others.

mod bad_blocks;
mod chain;
mod faults;
mod kill;
mod orderly;
mod program;
mod rpc_suite;
