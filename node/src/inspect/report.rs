//! What is known about a block, as data: the JSON is this, the tables and the page are made of it.

use crate::{page::SpanRow, replay::Schedule};
use alloy_primitives::{Address, B256, Selector, U256};
use serde::Serialize;

/// Version of the JSON layout.
pub(super) const LAYOUT: u32 = 1;
/// Threads for which what-if runs tell the bound.
pub(super) const WHAT_IF_THREADS: usize = 8;

/// A block, explained.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Version of this layout.
    pub(super) layout: u32,
    /// Version of the program.
    pub(super) braid: &'static str,
    /// Where the block came from.
    pub(super) source: String,
    pub(super) number: u64,
    pub(super) hash: B256,
    pub(super) chain_id: u64,
    pub(super) fork: String,
    pub(super) gas: u64,
    /// Time of all transactions, one after the other, on this machine.
    pub(super) serial_ms: f64,
    pub(super) critical_path: Path,
    pub(super) bounds: Vec<BoundsAt>,
    pub(super) engine: EngineRun,
    /// Fields for which transactions wait, the most contended first.
    pub(super) fields: Vec<Field>,
    /// Functions in which transactions wait, those with the most gas first.
    pub(super) functions: Vec<WaitingFunction>,
    pub(super) what_if: WhatIfs,
    /// All of them, in their order.
    pub(super) transactions: Vec<Transaction>,
    /// Who waits for whom.
    pub(super) edges: Vec<Edge>,
    /// What was asked for and could not be done.
    pub(super) warnings: Vec<String>,
}

/// The longest chain of transactions that wait for each other, by gas.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Path {
    pub(super) gas: u64,
    /// Part of the block's gas, from 0 to 1.
    pub(super) gas_share: f64,
    /// Time of its transactions on this machine.
    pub(super) ms: f64,
    /// Part of the time of all transactions.
    pub(super) time_share: f64,
    /// Indices of its transactions.
    pub(super) transactions: Vec<usize>,
}

/// How much faster than one transaction after the other the block can be at most.
#[derive(Clone, Debug, Serialize)]
pub(super) struct BoundsAt {
    pub(super) threads: usize,
    /// With gas as the cost: the same on every machine.
    pub(super) gas: Bounds,
    /// With the time measured here.
    pub(super) time: Bounds,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Bounds {
    /// Conflict bound: for any engine that waits for the values it reads.
    pub(super) b0: f64,
    /// For a scheduler that knows everything in advance.
    pub(super) b1: f64,
    /// When all values are known in advance, so that nobody waits.
    pub(super) b2: f64,
}

/// How the parallel engine ran the block, here and now.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EngineRun {
    pub(super) threads: usize,
    /// What it knew beforehand.
    pub(super) predictor: String,
    /// From the start of the first worker to the last commit. Keeping notes makes it slower than a run without them.
    pub(super) wall_ms: f64,
    #[serde(flatten)]
    pub(super) schedule: Schedule,
    /// Executions; kind: 0 ahead of its turn, 1 at its turn, 2 plain transfer, 3 run again at its turn.
    pub(super) spans: Vec<SpanRow>,
}

/// A field for which transactions wait.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Field {
    /// `storage`, `balance`, `nonce`, `code` or `life`.
    pub(super) kind: &'static str,
    pub(super) address: Address,
    /// Name of the contract, if an interface or a layout was given; that of the implementation behind a proxy.
    pub(super) contract: Option<String>,
    pub(super) slot: Option<U256>,
    /// `balances[0x…]` by a layout, else `keccak(0x… . 3)`.
    pub(super) name: String,
    /// Names of the variables in the slot, if a layout tells.
    pub(super) variables: Vec<String>,
    /// In other words.
    pub(super) about: Option<String>,
    /// Transactions that relied on its value.
    pub(super) readers: usize,
    /// Transactions that changed it.
    pub(super) writers: usize,
    /// Transactions that relied on its value after another one of the block had changed it.
    pub(super) waiting: usize,
    /// Gas of those.
    pub(super) waiting_gas: u64,
    /// Links of the longest chain that it is to blame for.
    pub(super) critical_links: usize,
    /// Who used it.
    pub(super) functions: Vec<FieldUse>,
}

/// A function that used a field.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FieldUse {
    #[serde(flatten)]
    pub(super) function: FunctionName,
    pub(super) readers: usize,
    pub(super) writers: usize,
}

/// A function.
#[derive(Clone, Debug, Serialize)]
pub(super) struct FunctionName {
    /// `Token.transfer`, or as near to it as it gets.
    pub(super) name: String,
    /// Whose code it is.
    pub(super) code: Address,
    pub(super) selector: Option<Selector>,
    /// With the types of its parameters, if known.
    pub(super) signature: Option<String>,
}

/// A function in which transactions wait.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WaitingFunction {
    #[serde(flatten)]
    pub(super) function: FunctionName,
    /// Transactions that wait for a field which it uses.
    pub(super) waiting: usize,
    /// Gas of those.
    pub(super) waiting_gas: u64,
    /// Positions of the fields in `fields`.
    pub(super) fields: Vec<usize>,
}

/// What would change. Computed on the graph of who waits for whom; nothing is executed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WhatIfs {
    /// Always true: a changed contract would use other gas, and might meet others elsewhere.
    pub(super) computed_not_executed: bool,
    pub(super) threads: usize,
    pub(super) as_it_is: WhatIf,
    /// If one field alone made nobody wait.
    pub(super) alone: Vec<FieldWhatIf>,
    /// One field after the other, always the one that helps most, together with those before.
    pub(super) together: Vec<FieldWhatIf>,
    /// What was asked for.
    pub(super) asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct WhatIf {
    /// Longest chain.
    pub(super) critical_path_gas: u64,
    pub(super) critical_path_share: f64,
    pub(super) critical_path_ms: f64,
    /// Bounds by gas.
    pub(super) bounds: Bounds,
    /// Transactions that wait for nobody.
    pub(super) independent: usize,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct FieldWhatIf {
    /// Position in `fields`.
    pub(super) field: usize,
    pub(super) result: WhatIf,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Asked {
    pub(super) assumptions: Vec<AskedField>,
    pub(super) result: WhatIf,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct AskedField {
    /// As it was asked for.
    pub(super) name: String,
    /// `split` or `commutative`.
    pub(super) assumption: &'static str,
    /// Contended fields that are meant.
    pub(super) fields: usize,
}

/// A transaction.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Transaction {
    pub(super) hash: B256,
    pub(super) from: Address,
    /// `None` for a creation.
    pub(super) to: Option<Address>,
    /// What it calls, as far as known.
    pub(super) calls: String,
    pub(super) gas: u64,
    /// Serial time on this machine.
    pub(super) us: f64,
    /// Gas of the longest chain that ends with it.
    pub(super) earliest_end_gas: u64,
}

/// A transaction waits for an earlier one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Positions in `fields`.
    pub(super) fields: Vec<usize>,
}
