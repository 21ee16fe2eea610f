//! The small conformance suites of Ethereum, each against the code that a node runs. What is skipped is said. The GenesisTests are with the tests of
//! `braid-chain`.

mod basic;
mod difficulty;
mod rlp;
mod suite;
mod transaction;
mod trie;
