//! Planning: which transactions run ahead of the commit, and what each of them waits for.
//!
//! Transactions are planned in batches, in block order, while earlier ones already run. For each, the predicted keys are looked up in a map from
//! key to last predicted writer; a hit is an edge. The map is keyed by hashes: it only steers the schedule, where two keys with the same hash
//! cost an edge too many and nothing else. Writes need no edges among each other, and balance additions none at all.

use super::{
    block_context::BlockContext,
    config::{EngineConfig, Learning, Mode},
    native::{self, NativeTransfer},
    queue::ReadyQueue,
    slots::{Class, Until},
    timeline::Timeline,
    transfer_run,
};
use crate::{
    RecoveredBlock,
    predict::{
        AccountFields, BlockContext as PredictedBlock, KeccakCache, PredictedAccess, PredictedKey, Prediction,
        Predictor, SharedHashes, StateView, TransactionShape,
    },
    state::{BlockState, KeyHasher, Snapshot, SnapshotError},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, map::HashMap};
use revm::{context::BlockEnv, primitives::KECCAK_EMPTY};
use std::sync::{Arc, atomic::Ordering};

/// Gas that a transaction is taken to use at most. Gas limits may be anything up to 2^64, and sums of them must not overflow.
const MAX_PLANNED_GAS: u64 = 1 << 36;

/// Part of a batch that must call a contract before contention in it counts, and the least number: on few threads a transaction can only miss what
/// runs beside it.
const CROWD_SHARE: usize = 8;
const LEAST_CROWD: usize = 4;

/// What the plan of a block looks like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlanSummary {
    /// Connected groups among the transactions that run ahead.
    pub(crate) groups: u32,
    /// Predicted gas of the longest chain.
    pub(crate) critical_path_gas: u64,
    /// Predicted gas of everything that runs ahead.
    pub(crate) total_gas: u64,
    /// Transactions without a template.
    pub(crate) unknown: u32,
}

/// The planner, used for one block after the other.
#[derive(Default)]
pub(crate) struct Planner {
    pub(crate) next: usize,
    /// Where planning began.
    start: usize,
    /// Where planning ends: after the last transaction, or before a long run of plain transfers.
    pub(crate) end: usize,
    pub(crate) summary: PlanSummary,
    recorded: usize,
    hasher: KeyHasher,
    /// Last predicted writer of a slot or an account field, by hash of the key.
    writers: HashMap<u64, u32>,
    keccak: KeccakCache,
    prediction: Prediction,
    edges: Vec<(u32, u32, Until)>,
    /// Contested contracts of the batch, and whether a crowd calls them.
    crowds: Vec<(Address, bool)>,
    /// Of the batch: class and predicted gas.
    planned: Vec<(Class, u64)>,
    longest: Vec<u64>,
}

/// Part of a key that is not a storage slot.
#[derive(Clone, Copy)]
enum Field {
    Balance = 1,
    Nonce = 2,
    Code = 3,
}

impl Planner {
    /// A planner that shares its hashes with the workers.
    pub(crate) fn new(hashes: Option<Arc<SharedHashes>>) -> Self {
        Self { keccak: KeccakCache::sharing(hashes), ..Self::default() }
    }

    /// Forgets the hashes it computed.
    pub(crate) fn forget_hashes(&mut self) {
        self.keccak.clear();
    }

    /// Goes on at `next`, to the end of the block.
    pub(crate) fn begin(&mut self, next: usize, end: usize) {
        (self.start, self.next, self.end) = (next, next, end);
    }

    /// Whether there is nothing left to plan.
    pub(crate) const fn is_done(&self) -> bool {
        self.next == self.end
    }

    /// Forgets the block and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.begin(0, 0);
        self.summary = PlanSummary::default();
        self.recorded = 0;
        self.writers.clear();
    }

    /// Plans the next batch and starts what can start.
    pub(crate) fn plan_batch(
        &mut self,
        block: &BlockContext<'_>,
        predictor: &Predictor,
        config: &EngineConfig,
        hold_back: bool,
        queue: &ReadyQueue,
    ) {
        let first = self.next;
        // At the start there was no run, or one that ended at a transaction which only looks like a transfer.
        if block.takes_runs && first > self.start && transfer_run::starts_at(block, first) {
            self.end = first;
            return;
        }
        let all_ordered = config.mode != Mode::Forced && (config.threads == 1 || hold_back);
        self.edges.clear();
        self.planned.clear();
        self.crowds.clear();
        let mut unknown = 0;
        let unknown_per_batch =
            if config.learning == Learning::WithinBlocks { config.unknown_per_batch } else { usize::MAX };
        while self.next < self.end && self.planned.len() < config.batch && unknown < unknown_per_batch {
            let position = self.next as u32;
            // What cannot be read now may never be needed: the transaction's own turn will tell.
            let planned = self.plan_one(block, predictor, config, position, all_ordered);
            let (class, gas, known) = planned.unwrap_or((Class::Ordered, 0, true));
            self.planned.push((class, gas.min(MAX_PLANNED_GAS)));
            unknown += usize::from(!known);
            self.next += 1;
        }
        self.summary.unknown += unknown as u32;
        let ahead_pays = self.weigh(first, block, config);
        for (offset, (class, _)) in self.planned.iter_mut().enumerate() {
            if *class == Class::Ahead && !ahead_pays {
                *class = Class::Ordered;
            }
            if *class != Class::Ahead {
                block.slots[first + offset].set_class(*class);
            }
        }
        self.start(first, block, queue);
    }

    fn plan_one(
        &mut self,
        block: &BlockContext<'_>,
        predictor: &Predictor,
        config: &EngineConfig,
        position: u32,
        all_ordered: bool,
    ) -> Result<(Class, u64, bool), SnapshotError> {
        let tx = &block.block.transactions()[position as usize];
        let sender = block.block.senders()[position as usize];
        block.slots[position as usize].reset();
        if let Some(recipient) = native::recipient_of(tx, &block.precompiles) {
            let recipient = block.state.account(block.snapshot, recipient)?;
            if recipient.base.is_none_or(|base| base.code_hash == KECCAK_EMPTY) {
                let sender = block.state.account(block.snapshot, sender)?;
                *block.slots[position as usize].native.lock() = Some(NativeTransfer { sender, recipient });
                return Ok((Class::Native, 0, true));
            }
        }
        if block.is_exact && config.threads > 1 {
            return Ok((Class::Ahead, tx.gas_limit(), true));
        }
        // An EIP-7702 transaction sets code and nonces of accounts that only its signatures name.
        let ordered = all_ordered || tx.is_eip7702();
        if ordered && config.learning == Learning::Off {
            return Ok((Class::Ordered, tx.gas_limit(), true));
        }
        let code_hash = match tx.kind() {
            TxKind::Call(to) => {
                block.state.account(block.snapshot, to)?.base.map_or(KECCAK_EMPTY, |base| base.code_hash)
            }
            TxKind::Create => KECCAK_EMPTY,
        };
        let shape = shape(block, position as usize, code_hash);
        if ordered {
            self.ask_for_recording(block, predictor, config, position, &shape);
            return Ok((Class::Ordered, tx.gas_limit(), true));
        }
        let view = ParentState { snapshot: block.snapshot, state: block.state };
        let mut prediction = std::mem::take(&mut self.prediction);
        if config.predicts() || block.timeline.as_ref().is_some_and(Timeline::keeps_predictions) {
            predictor.predict(&shape, &view, &mut self.keccak, &mut prediction);
        } else {
            let outline = predictor.outline(&shape);
            if outline.contended && config.threads > 1 && self.is_in_a_crowd(block, shape.to, config.batch) {
                predictor.predict_contended(&shape, &view, &mut self.keccak, &mut prediction);
            } else {
                prediction.clear();
                prediction.gas = outline.gas;
            }
            prediction.known = true;
        }
        if let Some(timeline) = block.timeline.as_ref().filter(|timeline| timeline.keeps_predictions()) {
            timeline.predicted(position, &prediction);
        }
        let known = prediction.known;
        self.ask_for_recording(block, predictor, config, position, &shape);
        let counts = |key: &&PredictedAccess| config.order_unknown || !key.assumed;
        for key in prediction.keys.iter().filter(counts) {
            self.read(position, &key.key);
        }
        if let TxKind::Call(to) = tx.kind() {
            self.edge(position, self.field(to, Field::Code), Until::Committed);
        }
        for key in prediction.keys.iter().filter(counts) {
            self.write(position, &key.key);
        }
        if tx.kind().is_create() {
            let created = self.field(sender.create(tx.nonce()), Field::Code);
            self.writers.insert(created, position);
        }
        let gas = prediction.gas.clamp(21_000, tx.gas_limit().max(21_000));
        self.prediction = prediction;
        Ok((Class::Ahead, gas, known))
    }

    /// Whether a good part of the batch calls `to`. All of them get the same answer: one that is not foretold leaves its successors without an edge.
    fn is_in_a_crowd(&mut self, block: &BlockContext<'_>, to: Option<Address>, batch: usize) -> bool {
        let Some(to) = to else { return false };
        if let Some((_, crowded)) = self.crowds.iter().find(|(seen, _)| *seen == to) {
            return *crowded;
        }
        let first = self.next - self.planned.len();
        let end = (first + batch).min(self.end);
        let called = block.block.transactions()[first..end].iter().map(alloy_consensus::Transaction::to);
        let calls = called.filter(|called| *called == Some(to)).count();
        let crowded = calls >= LEAST_CROWD.max((end - first) / CROWD_SHARE);
        self.crowds.push((to, crowded));
        crowded
    }

    fn ask_for_recording(
        &mut self,
        block: &BlockContext<'_>,
        predictor: &Predictor,
        config: &EngineConfig,
        position: u32,
        shape: &TransactionShape<'_>,
    ) {
        if config.learning != Learning::Off && self.recorded < config.lessons_per_block && predictor.wants(shape) {
            self.recorded += 1;
            block.slots[position as usize].set_recorded();
        }
    }

    fn field(&self, address: Address, field: Field) -> u64 {
        self.hasher.address(&address).rotate_left(8) ^ field as u64
    }

    fn slot(&self, address: Address, slot: U256) -> u64 {
        self.hasher.slot(self.hasher.address(&address), &slot)
    }

    fn edge(&mut self, position: u32, key: u64, until: Until) {
        if let Some(writer) = self.writers.get(&key)
            && *writer != position
        {
            self.edges.push((*writer, position, until));
        }
    }

    fn read(&mut self, position: u32, key: &PredictedKey) {
        match *key {
            PredictedKey::Slot { address, slot, .. } => self.edge(position, self.slot(address, slot), Until::Executed),
            PredictedKey::Account { address, fields, .. } => {
                for (field, part) in [
                    (AccountFields::BALANCE, Field::Balance),
                    (AccountFields::NONCE, Field::Nonce),
                    (AccountFields::CODE, Field::Code),
                ] {
                    if fields.contains(field) {
                        self.edge(position, self.field(address, part), Until::Committed);
                    }
                }
            }
        }
    }

    fn write(&mut self, position: u32, key: &PredictedKey) {
        match *key {
            PredictedKey::Slot { address, slot, write: true } => {
                self.writers.insert(self.slot(address, slot), position);
            }
            PredictedKey::Account { address, fields, .. } => {
                if fields.intersects(AccountFields::CREDIT.union(AccountFields::FUNDS)) {
                    self.writers.insert(self.field(address, Field::Balance), position);
                }
                if fields.contains(AccountFields::LIFE) {
                    self.writers.insert(self.field(address, Field::Code), position);
                    self.writers.insert(self.field(address, Field::Nonce), position);
                }
            }
            PredictedKey::Slot { .. } => {}
        }
    }

    /// Finds the longest chain behind each transaction of the batch; false when running ahead would not pay.
    fn weigh(&mut self, first: usize, block: &BlockContext<'_>, config: &EngineConfig) -> bool {
        self.longest.clear();
        self.longest.extend(self.planned.iter().map(|(_, gas)| *gas));
        self.edges.sort_unstable_by_key(|(from, to, _)| (*to, *from));
        self.edges.dedup_by_key(|(from, to, _)| (*to, *from));
        for (from, to, _) in self.edges.iter().rev() {
            let Some(from) = (*from as usize).checked_sub(first) else { continue };
            let path = self.planned[from].1 + self.longest[*to as usize - first];
            self.longest[from] = self.longest[from].max(path);
        }
        let ahead = || self.planned.iter().zip(&self.longest).filter(|((class, _), _)| *class == Class::Ahead);
        let total: u64 = ahead().map(|((_, gas), _)| *gas).sum();
        let critical = ahead().map(|(_, longest)| *longest).max().unwrap_or(0);
        self.summary.total_gas += total;
        self.summary.critical_path_gas = self.summary.critical_path_gas.max(critical);
        if config.mode == Mode::Forced {
            return true;
        }
        let span = (total as f64 / config.threads as f64).max(critical as f64);
        // Gas limits say little. What the whole block used is known when it comes from others.
        let used = Some(block.block.header().gas_used).filter(|used| *used > 0).unwrap_or(u64::MAX);
        let is_worth_waking = first > self.start || block.pace.nanos(total.min(used)) >= config.min_parallel_nanos;
        total > 0 && is_worth_waking && total as f64 >= config.min_parallelism * span
    }

    /// Draws the edges of the batch and releases what waits for nothing.
    fn start(&mut self, first: usize, block: &BlockContext<'_>, queue: &ReadyQueue) {
        let total: u64 = self.planned.iter().filter(|(class, _)| *class == Class::Ahead).map(|(_, gas)| *gas).sum();
        let ahead = self.planned.iter().filter(|(class, _)| *class == Class::Ahead).count() as u32;
        block.unstarted.fetch_add(ahead, Ordering::Relaxed);
        let mut edges = self.edges.iter().peekable();
        let mut ready = Vec::with_capacity(ahead as usize);
        for (offset, (class, _)) in self.planned.iter().enumerate() {
            let position = (first + offset) as u32;
            let slot = &block.slots[position as usize];
            let mut is_root = true;
            while let Some((from, _, until)) = edges.next_if(|(_, to, _)| *to == position) {
                if *class != Class::Ahead {
                    continue;
                }
                is_root = false;
                let predecessor = &block.slots[*from as usize];
                slot.hold();
                if !predecessor.add_dependent(position, *until) {
                    slot.release();
                }
            }
            if *class != Class::Ahead {
                continue;
            }
            self.summary.groups += u32::from(is_root);
            // Only chains that are long compared with what each worker gets in all are worth running out of block order.
            let longest = self.longest[offset];
            slot.set_priority(if longest * 16 > total { longest } else { 0 });
            slot.set_class(Class::Ahead);
            if slot.release() {
                ready.push((slot.priority(), position));
            }
        }
        queue.push(ready);
        queue.notify();
    }
}

/// The transaction at `position`, as the predictor sees it.
pub(crate) fn shape<'a>(block: &'a BlockContext<'_>, position: usize, code_hash: B256) -> TransactionShape<'a> {
    shape_of(block.block, &block.env, position, code_hash)
}

/// The same, without the workers' context.
pub(crate) fn shape_of<'a>(
    block: &'a RecoveredBlock,
    env: &BlockEnv,
    position: usize,
    code_hash: B256,
) -> TransactionShape<'a> {
    let tx = &block.transactions()[position];
    TransactionShape {
        sender: block.senders()[position],
        to: tx.to(),
        code_hash,
        input: tx.input(),
        value: tx.value(),
        gas_limit: tx.gas_limit(),
        block: PredictedBlock {
            number: env.number.saturating_to(),
            timestamp: env.timestamp.saturating_to(),
            beneficiary: env.beneficiary,
            base_fee: env.basefee,
        },
    }
}

/// The state that predictions may look at.
pub(crate) struct ParentState<'b> {
    snapshot: &'b dyn Snapshot,
    state: &'b BlockState,
}

impl StateView for ParentState<'_> {
    fn storage(&self, address: Address, slot: U256) -> Option<U256> {
        let account = self.state.account(self.snapshot, address).ok()?;
        Some(self.state.slot(self.snapshot, account, slot).ok()?.last())
    }

    fn code_hash(&self, address: Address) -> Option<B256> {
        self.state.account(self.snapshot, address).ok()?.base.map(|base| base.code_hash)
    }

    fn code(&self, address: Address) -> Option<Bytes> {
        let account = self.state.account(self.snapshot, address).ok()?;
        let code_hash = account.base.map(|base| base.code_hash).filter(|hash| *hash != KECCAK_EMPTY)?;
        let code = match account.base_code() {
            Some(code) => code,
            None => account.set_base_code(self.snapshot.code(code_hash).ok()?),
        };
        Some(code.original_bytes())
    }
}
