//! What `braid inspect` can be asked.

use super::artifact::FileFor;
use crate::cli::BlockName;
use alloy_primitives::{Address, U256};
use clap::Args;
use std::{path::PathBuf, str::FromStr};

const EXAMPLES: &str = "\
Examples:
  braid inspect --rpc-url http://127.0.0.1:8545 --block latest        the newest block of a node
  braid inspect --rpc-url http://127.0.0.1:8545 --block 19778575 --html block.html
  braid inspect block.braid                                           a block kept by `braid capture`

With names instead of numbers:
  forge build --extra-output storageLayout && braid inspect block.braid --artifacts out/
and of single contracts (TOKEN is the address of the contract or of its proxy):
  forge inspect Token storageLayout --json > token-layout.json
  braid inspect block.braid --abi out/Token.sol/Token.json --layout TOKEN=token-layout.json

What would it change?
  braid inspect block.braid --split TOKEN:3                           if slot 3 were many, one for each sender
  braid inspect block.braid --layout TOKEN=token-layout.json --split totalSupply
  braid inspect block.braid --commutative TOKEN:7                     if slot 7 were only ever added to

For programs:
  braid inspect block.braid --json - | jq '.fields[0]'

How to read it:
  A transaction waits when it reads what an earlier one of the block wrote. The longest chain of transactions that wait for each other is what the block
  takes at least, on however many cores. A hot field is a storage slot, balance or nonce for which many wait. docs/guide-parallel-contracts.md tells
  how to write contracts that wait less.

The node behind --rpc-url must offer debug_executionWitness or debug_traceBlockByNumber.

Exit codes:
  0  the block was explained
  1  it could not be: a file, the node or the block was not there, or not enough of it";

/// Explain a block to who wrote its contracts: what makes its transactions wait for each other, and what would help.
///
/// The block is executed a few times on this machine: watched, to see who reads what others wrote; with a clock; and in parallel. Shown are the
/// longest chain of transactions that wait for each other, the storage slots, contracts and functions to blame, how the parallel engine ran it, and what would
/// change if fields made nobody wait. The latter is computed on the graph of who waits for whom; changed contracts are not executed.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("from").required(true).args(["bundle", "rpc_url"]))]
pub(crate) struct InspectOptions {
    /// A block in a file: a bundle, or any layout that `replay` reads, with one block.
    #[arg(value_name = "BUNDLE")]
    pub(super) bundle: Option<PathBuf>,

    /// A node to ask instead: address of its JSON-RPC, over plain HTTP.
    #[arg(long, value_name = "URL", requires = "block")]
    pub(super) rpc_url: Option<String>,

    /// Which block of the node.
    #[arg(long, value_name = "N|latest|0xHASH", requires = "rpc_url")]
    pub(super) block: Option<BlockName>,

    /// Genesis file (geth's format) of the node's chain, if it is not public and the node does not offer debug_chainConfig.
    #[arg(long, value_name = "FILE", requires = "rpc_url")]
    pub(super) genesis: Option<PathBuf>,

    /// Names of functions and variables of all contracts: the folder of Foundry (`out`) or Hardhat (`artifacts`), or one file. Contracts are known by their deployed
    /// bytecode, proxies and clones by the code that ran for them. Can be given several times.
    #[arg(long, value_name = "FOLDER")]
    pub(super) artifacts: Vec<FileFor>,

    /// Names of functions: an artifact of Foundry or Hardhat, or output of solc. It is for the contracts that have its deployed bytecode, or for ADDRESS
    /// (behind a proxy: that of the implementation). Can be given several times.
    #[arg(long, value_name = "[ADDRESS=]FILE[:CONTRACT]")]
    pub(super) abi: Vec<FileFor>,

    /// Names of variables: the storage layout that solc writes, also inside of an artifact. ADDRESS is a proxy or its implementation: the layout is for all storage that
    /// the contract's code ran on. Without it, for the contracts that have the artifact's deployed bytecode. Can be given several times.
    #[arg(long, value_name = "[ADDRESS=]FILE[:CONTRACT]")]
    pub(super) layout: Vec<FileFor>,

    /// What if this slot were many, one for each sender? Nobody would wait because of it. A variable's name stands for all of it: `balances` for every entry.
    /// Can be given several times; all count together.
    #[arg(long, value_name = "ADDRESS:SLOT|NAME")]
    pub(super) split: Vec<FieldName>,

    /// What if this slot were a counter that is only ever added to, in any order? Only those who read it without changing it would wait.
    #[arg(long, value_name = "ADDRESS:SLOT|NAME")]
    pub(super) commutative: Vec<FieldName>,

    /// Threads of the parallel run [default: the number of available cores].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// What the engine knows beforehand: a file written by `braid replay --save-predictor`. Without it nothing: as on a node that has just started.
    #[arg(long, value_name = "FILE")]
    pub(super) predictor: Option<PathBuf>,

    /// Rows of each table.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(super) top: u16,

    /// Write everything as JSON; `-` is stdout, and the tables then go to stderr.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,

    /// Write a page with the parallel run, the graph of who waits for whom, and the tables. Needs nothing but a browser.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

/// A field of the state as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FieldName {
    /// A storage slot.
    Slot(Address, U256),
    /// A variable, by its name in a layout.
    Variable(String),
}

impl FromStr for FieldName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((address, slot)) = text.strip_prefix("0x").and_then(|_| text.split_once(':')) else {
            return match text.starts_with("0x") || text.is_empty() {
                true => Err("a slot is named ADDRESS:SLOT".to_owned()),
                false => Ok(Self::Variable(text.to_owned())),
            };
        };
        let address = address.parse().map_err(|_| format!("{address:?} is not an address"))?;
        let slot = slot.parse().map_err(|_| format!("{slot:?} is not the number of a slot"))?;
        Ok(Self::Slot(address, slot))
    }
}

impl std::fmt::Display for FieldName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slot(address, slot) => write!(formatter, "{address}:{slot:#x}"),
            Self::Variable(name) => formatter.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_slots_or_names() {
        let address = Address::repeat_byte(5);
        let slot = |number: u64| Ok(FieldName::Slot(address, U256::from(number)));
        assert_eq!(format!("{address}:3").parse(), slot(3));
        assert_eq!(format!("{address}:0x10").parse(), slot(16));
        assert_eq!("balances[7]".parse(), Ok(FieldName::Variable("balances[7]".to_owned())));
        for text in ["", "0x12:3", "0x12", &format!("{address}:x"), &address.to_string()] {
            assert!(text.parse::<FieldName>().is_err(), "{text}");
        }
    }
}
