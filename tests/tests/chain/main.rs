//! The chain as a whole: blocks come in, are validated and executed, branch off, are taken back and written.

mod concurrent;
mod deep;
mod forks;
mod invalid;
mod proof_of_work;
mod stake;
mod writing;
