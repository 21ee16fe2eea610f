//! Real clients talk to the real program.
//!
//! Each test starts its own `braid node` ([`node`]), lays out a client's published packages once in `target/clients`
//! ([`packages`]), and runs a driver of ours against the node ([`driver`]): a short program in the client's own language
//! which states what must hold and exits non-zero if something does not. The drivers lie in the folders beside this file,
//! one a set of packages; `contracts/` is what they deploy.
//!
//! `BRAID_TEST_NODE=anvil cargo test -p braid --test clients` runs the same drivers against anvil. What another node is known to
//! do differently is named where it is skipped, so a failure here is ours and not the driver's.
//!
//! Tests without packages: [`protocol`] sends what no client should, [`ipc`] talks over the Unix socket, [`config`] starts from a file, [`rpc_suite`] runs
//! the public conformance suite. [`inspect`] looks at the pages that the program writes in a real browser, and names what a real compiler laid out.

mod browser;
mod config;
mod defi;
mod driver;
mod foundry;
mod hardhat;
mod http;
mod inspect;
mod ipc;
mod javascript;
mod metamask;
mod node;
mod packages;
mod prometheus;
mod protocol;
mod python;
mod rpc_suite;
