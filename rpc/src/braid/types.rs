//! What the methods take and give.

use alloy_primitives::{Address, B256, Bytes, U256};
use braid_runtime::{AccessKey, bounds::Bounds, explain, predict::ScoreReport};
use serde::{Deserialize, Serialize};

/// How a block is to be run.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduleOptions {
    /// Threads that execute; those of the machine by default, 64 at most.
    pub(super) threads: Option<usize>,
    /// How the engine decides what runs ahead.
    pub(super) mode: Option<ScheduleMode>,
    /// From how many blocks before this one the engine learns what contracts access; 4 by default, 64 at most. The block itself never
    /// teaches it.
    pub(super) learn_from: Option<u64>,
}

/// How the engine decides what runs ahead of its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ScheduleMode {
    /// Everything that can.
    #[default]
    Forced,
    /// What pays off: small blocks may run on one thread.
    Parallel,
}

/// What is listed of the contended fields.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HotSlotOptions {
    /// Most fields; 32 by default.
    pub(super) limit: Option<usize>,
}

/// A field of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Field {
    /// Which field of the account.
    kind: FieldKind,
    /// The account.
    address: Address,
    /// Number of the slot, of storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<U256>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
enum FieldKind {
    Balance,
    Nonce,
    Code,
    Storage,
    /// Whether the account exists.
    Life,
}

impl From<AccessKey> for Field {
    fn from(key: AccessKey) -> Self {
        let (kind, slot) = match key {
            AccessKey::Balance(_) => (FieldKind::Balance, None),
            AccessKey::Nonce(_) => (FieldKind::Nonce, None),
            AccessKey::Code(_) => (FieldKind::Code, None),
            AccessKey::Storage(_, slot) => (FieldKind::Storage, Some(slot)),
            AccessKey::Life(_) => (FieldKind::Life, None),
        };
        Self { kind, address: key.address(), slot }
    }
}

/// Where a block is.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockPlace {
    /// Block number.
    pub(super) block_number: u64,
    /// Hash of the block.
    pub(super) block_hash: B256,
}

/// How a block was executed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockSchedule {
    #[serde(flatten)]
    pub(super) place: BlockPlace,
    /// Gas of all transactions.
    pub(super) gas_used: u64,
    /// Threads at work.
    pub(super) threads: usize,
    /// How the engine decided.
    pub(super) mode: ScheduleMode,
    /// `parallel`, or `serial` if plain revm executed the block (then there are no lanes).
    pub(super) path: &'static str,
    /// Why plain revm had to decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fallback: Option<String>,
    /// Independent starting points among the transactions that ran ahead of their turn.
    pub(super) groups: u32,
    /// Transactions that ran ahead of their turn, and what they found held.
    pub(super) ahead: u32,
    /// Transactions that ran on the EVM at their turn only.
    pub(super) ordered: u32,
    /// Plain transfers, done without the EVM.
    pub(super) native: u32,
    /// Executions along recorded paths, without the interpreter.
    pub(super) replayed: u32,
    /// Executions in vain.
    pub(super) re_executions: u32,
    /// Transactions of which nothing was known.
    pub(super) unknown: u32,
    /// Predicted gas of what could run ahead.
    pub(super) planned_gas: u64,
    /// Predicted gas of the longest chain.
    pub(super) planned_critical_path_gas: u64,
    /// From the start of the first worker to the last commit, in nanoseconds.
    pub(super) wall_ns: u64,
    /// What each thread did, thread by thread.
    pub(super) lanes: Vec<Lane>,
    /// The transactions in their order.
    pub(super) transactions: Vec<ScheduledTransaction>,
    /// Which transaction relied on what another one left: an arrow for each pair.
    pub(super) edges: Vec<Edge>,
    /// The most costly chain of transactions of which each had to wait for the one before, by gas.
    pub(super) critical_path: CriticalPath,
    /// Bounds of the speed-up over serial execution, with gas as the cost: the same on every machine.
    pub(super) bounds: SpeedUpBounds,
    /// The same with the time that was measured here.
    pub(super) time_bounds: SpeedUpBounds,
    /// How good the predictions were; `null` if there were none.
    pub(super) prediction: Option<PredictionReport>,
    /// The most contended fields, at most 16.
    pub(super) hot_slots: Vec<HotSlot>,
}

/// A thread.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Lane {
    /// Number of the thread; 0 is the caller's own.
    pub(super) worker: u32,
    /// What it executed, in order.
    pub(super) spans: Vec<SpanReport>,
}

/// One execution of one transaction.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpanReport {
    /// Index of the transaction in the block.
    pub(super) transaction: u32,
    /// In nanoseconds since the first transaction could start.
    pub(super) start_ns: u64,
    /// Likewise.
    pub(super) end_ns: u64,
    /// `ahead` of its turn; `retry` at its turn after an execution ahead that came to nothing; `ordered` at its turn; `native` at its turn,
    /// without the EVM.
    pub(super) kind: &'static str,
}

/// A transaction of the block.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScheduledTransaction {
    /// Index in the block.
    pub(super) index: usize,
    /// Its hash.
    pub(super) hash: B256,
    /// The sender.
    pub(super) from: Address,
    /// The recipient; `null` for a creation.
    pub(super) to: Option<Address>,
    /// Gas used.
    pub(super) gas_used: u64,
    /// Time of its execution in a serial run here, in nanoseconds.
    pub(super) nanos: u64,
    /// Gas of the most costly chain that ends with it: it cannot be done earlier, however many threads there are.
    pub(super) earliest_end_gas: u64,
}

/// A transaction relied on what an earlier one left.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Edge {
    /// Index of the earlier transaction.
    pub(super) from: usize,
    /// Index of the later one.
    pub(super) to: usize,
    /// The fields that the earlier one changed and the later one relied on.
    pub(super) fields: Vec<Field>,
}

impl From<&explain::Edge> for Edge {
    fn from(edge: &explain::Edge) -> Self {
        Self { from: edge.from, to: edge.to, fields: edge.fields.iter().copied().map(Field::from).collect() }
    }
}

/// A chain of transactions.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CriticalPath {
    /// Gas of its transactions.
    pub(super) gas: u64,
    /// The same as a part of the gas of the block, from 0 to 1.
    pub(super) share: f64,
    /// Their indices.
    pub(super) transactions: Vec<usize>,
}

impl From<explain::CriticalPath> for CriticalPath {
    fn from(path: explain::CriticalPath) -> Self {
        Self { gas: path.cost, share: path.share, transactions: path.transactions }
    }
}

/// How much faster than serial execution the block can be executed at most.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpeedUpBounds {
    /// Threads that were assumed.
    pub(super) threads: usize,
    /// Cost of all transactions, one after the other.
    pub(super) serial: u64,
    /// Cost of the most costly chain.
    pub(super) critical_path: u64,
    /// Cost of the most costly transaction.
    pub(super) longest: u64,
    /// For any engine that waits for the values it reads.
    pub(super) conflict_bound: f64,
    /// For a scheduler that knows everything in advance.
    pub(super) list_schedule: f64,
    /// With an access list that has all values: no transaction waits for another.
    pub(super) value_oracle: f64,
}

impl SpeedUpBounds {
    pub(super) fn new(threads: usize, bounds: Bounds) -> Self {
        let Bounds { serial, critical_path, longest, b0, b1, b2 } = bounds;
        Self { threads, serial, critical_path, longest, conflict_bound: b0, list_schedule: b1, value_oracle: b2 }
    }
}

/// How good the predictions of storage slots were.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PredictionReport {
    /// Transactions that were predicted.
    pub(super) transactions: u32,
    #[serde(flatten)]
    pub(super) slots: ScoreReport,
    /// Transactions with a wrong prediction.
    pub(super) mispredictions: Vec<MispredictionReport>,
}

/// A transaction with a wrong prediction.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MispredictionReport {
    /// Index of the transaction.
    pub(super) transaction: u32,
    /// Its recipient; `null` for a creation.
    pub(super) to: Option<Address>,
    /// Whether anything was known about what it calls.
    pub(super) known: bool,
    /// Touched, not predicted.
    pub(super) missed: Vec<Field>,
    /// Predicted, not touched.
    pub(super) superfluous: Vec<Field>,
}

/// The contended fields of a block.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HotSlots {
    #[serde(flatten)]
    pub(super) place: BlockPlace,
    /// Transactions of the block.
    pub(super) transactions: usize,
    /// The most contended first.
    pub(super) slots: Vec<HotSlot>,
}

/// A field for which transactions wait.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HotSlot {
    #[serde(flatten)]
    pub(super) field: Field,
    /// Indices of the transactions that relied on its value.
    pub(super) readers: Vec<usize>,
    /// Indices of the transactions that changed it.
    pub(super) writers: Vec<usize>,
    /// Transactions that relied on its value after another one of the block had changed it.
    pub(super) conflicts: usize,
    /// Gas of those transactions: what has to wait because of this field.
    pub(super) waiting_gas: u64,
}

impl From<explain::HotField> for HotSlot {
    fn from(hot: explain::HotField) -> Self {
        Self {
            field: hot.key.into(),
            readers: hot.readers,
            writers: hot.writers,
            conflicts: hot.waiting.len(),
            waiting_gas: hot.waiting_gas,
        }
    }
}

/// What a transaction has to do with the others of its block.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conflicts {
    #[serde(flatten)]
    pub(super) place: BlockPlace,
    /// The transaction.
    pub(super) transaction: ScheduledTransaction,
    /// Whether it is part of the block's critical path.
    pub(super) is_critical: bool,
    /// Earlier transactions on whose changes it relied.
    pub(super) depends_on: Vec<Conflict>,
    /// Later transactions that relied on its changes.
    pub(super) dependents: Vec<Conflict>,
}

/// The other transaction of a conflict.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conflict {
    /// Its index in the block.
    pub(super) index: usize,
    /// Its hash.
    pub(super) hash: B256,
    /// What the one changed and the other relied on.
    pub(super) fields: Vec<FieldValue>,
}

/// A field with its value when it was read.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldValue {
    #[serde(flatten)]
    pub(super) field: Field,
    /// The value that the later transaction found: the earlier one, or one between them, left it. A number for balances (in wei), nonces and slots, the
    /// bytes of code; `null` for whether an account exists.
    pub(super) value: Option<Value>,
}

/// A value of the state.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Number(U256),
    Code(Bytes),
}
