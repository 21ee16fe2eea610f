//! What each thread does while a block executes.
//!
//! In this order: commit what can be committed, run what is ready, plan more, sleep. Two locks are only ever *tried*: the ledger and the
//! planner. Who fails to get one knows that its holder looks again after letting go.

use super::{
    block_context::BlockContext,
    config::{EngineConfig, Learning, Mode},
    exact::ListCheck,
    ledger::{Ledger, execute},
    plan::Planner,
    queue::{Pop, ReadyQueue},
    records::Records,
    reliability::Reliability,
    report::{SpanKind, WorkKind},
    slots::{Class, TransactionSlot},
    timeline::Timeline,
};
use crate::{
    evm::{LeanEvm, WorkerMemory},
    predict::Predictor,
};
use alloy_consensus::Transaction as _;
use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

/// What the workers of a block share beside the state.
pub(crate) struct Shared<'b> {
    pub(crate) block: BlockContext<'b>,
    pub(crate) config: &'b EngineConfig,
    pub(crate) predictor: &'b RwLock<Predictor>,
    pub(crate) queue: ReadyQueue,
    pub(crate) planner: Mutex<Planner>,
    pub(crate) ledger: Mutex<Ledger>,
    all_planned: AtomicBool,
    /// Position of the first transaction that these workers leave alone.
    end: AtomicUsize,
    /// Transactions planned so far, and the first one that nobody has read ahead for.
    planned: AtomicUsize,
    read_ahead: AtomicUsize,
    reliability: Reliability,
}

impl<'b> Shared<'b> {
    pub(crate) fn new(
        block: BlockContext<'b>,
        config: &'b EngineConfig,
        predictor: &'b RwLock<Predictor>,
        planner: Planner,
        check: Option<ListCheck>,
    ) -> Self {
        let transactions = block.len();
        Self {
            block,
            config,
            predictor,
            queue: ReadyQueue::default(),
            planner: Mutex::new(planner),
            ledger: Mutex::new(Ledger::new(transactions, check)),
            all_planned: AtomicBool::new(false),
            end: AtomicUsize::new(transactions),
            planned: AtomicUsize::new(0),
            read_ahead: AtomicUsize::new(0),
            reliability: Reliability::new(config.max_retry_share),
        }
    }

    /// Takes the block's result apart, after all workers have left.
    pub(crate) fn finish(self) -> (Vec<TransactionSlot>, Option<Timeline>, Ledger, Planner) {
        (self.block.slots, self.block.timeline, self.ledger.into_inner(), self.planner.into_inner())
    }

    /// Makes everything ready for workers that go on where the commit stands.
    pub(crate) fn begin(&mut self) {
        let (next, total) = (self.ledger.get_mut().next, self.block.len());
        self.block.slots.resize_with(total.max(self.block.slots.len()), TransactionSlot::default);
        self.queue = ReadyQueue::default();
        self.planner.get_mut().begin(next, total);
        *self.all_planned.get_mut() = false;
        *self.end.get_mut() = total;
        *self.planned.get_mut() = next;
        *self.read_ahead.get_mut() = next;
    }

    /// Plans the first batch. False when one thread can do the rest alone as fast: waking others takes longer than a few transfers.
    pub(crate) fn plan_first(&self) -> bool {
        let mut planner = self.planner.lock();
        self.plan_batch(&mut planner, false);
        !planner.is_done() || self.queue.len() > 1
    }

    fn plan_batch(&self, planner: &mut Planner, hold_back: bool) {
        let clock = self.block.timeline.as_ref().map(|timeline| (timeline, timeline.now()));
        let first = planner.next;
        {
            if self.config.learning == Learning::WithinBlocks {
                self.block.lessons.learn(&mut self.predictor.write());
            }
            let predictor = self.predictor.read();
            planner.plan_batch(&self.block, &predictor, self.config, hold_back, &self.queue);
        }
        self.end.store(planner.end, Ordering::Relaxed);
        self.planned.store(planner.next, Ordering::SeqCst);
        if planner.is_done() {
            self.all_planned.store(true, Ordering::Release);
        }
        if let Some((timeline, started)) = clock {
            timeline.worked(WorkKind::Plan, first, planner.next - first, started);
        }
    }

    /// Whether the workers' part of the block ends at `position`.
    fn ends_at(&self, position: usize) -> bool {
        position == self.end.load(Ordering::Relaxed)
    }

    /// Whether the ordered commit can take the transaction at `position` now, provided all before it are committed.
    fn is_ready_for_commit(&self, position: usize) -> bool {
        position < self.planned.load(Ordering::SeqCst) && self.block.slots[position].is_ready_for_commit()
    }
}

/// Closes the queue if its thread panics, so that the others do not sleep for ever.
struct CloseOnPanic<'a>(&'a ReadyQueue);

impl Drop for CloseOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

/// Works until the block is over. Gives the memory back for the next block.
pub(crate) fn work<'b>(shared: &'b Shared<'b>, memory: WorkerMemory, is_helper: bool) -> WorkerMemory {
    let _guard = CloseOnPanic(&shared.queue);
    let block = &shared.block;
    let mut worker =
        Worker { shared, evm: block.evm(memory), batch: Vec::new(), records: Records::new(block.records), is_helper };
    worker.run();
    worker.evm.ctx.journaled_state.into_memory()
}

struct Worker<'b> {
    shared: &'b Shared<'b>,
    evm: LeanEvm<'b>,
    batch: Vec<u32>,
    records: Records<'b>,
    /// Not the caller's own thread: may leave when there is nothing left to start.
    is_helper: bool,
}

impl<'b> Worker<'b> {
    fn run(&mut self) {
        let most = if self.shared.config.threads > 1 { 3 } else { 0 };
        loop {
            self.commit();
            self.batch.clear();
            let mut batch = std::mem::take(&mut self.batch);
            let pop = self.shared.queue.pop(&mut batch, most);
            match pop {
                Pop::Closed => return,
                Pop::Some => {
                    self.shared.block.unstarted.fetch_sub(batch.len() as u32, Ordering::AcqRel);
                    for position in batch.drain(..) {
                        self.run_ahead(position);
                    }
                    if self.shared.queue.len() < 2 * self.shared.config.threads {
                        self.plan();
                    }
                }
                Pop::Empty(seen) => {
                    if !self.plan() && !self.read_ahead() {
                        if self.is_helper && self.nothing_to_start() {
                            return;
                        }
                        self.shared.queue.sleep(seen);
                    }
                }
            }
            self.batch = batch;
        }
    }

    /// Everything is planned and everything that runs ahead has started: only the commit is left, and the caller's thread is enough for it.
    fn nothing_to_start(&self) -> bool {
        self.shared.all_planned.load(Ordering::Acquire) && self.shared.block.unstarted.load(Ordering::Acquire) == 0
    }

    /// Plans a batch if nobody else does. False when there was nothing to do.
    fn plan(&mut self) -> bool {
        if self.shared.all_planned.load(Ordering::Acquire) {
            return false;
        }
        let Some(mut planner) = self.shared.planner.try_lock() else { return false };
        if planner.is_done() {
            return false;
        }
        self.shared.plan_batch(&mut planner, self.shared.reliability.is_bad());
        true
    }

    /// Reads the senders and recipients of transactions that are not planned yet, so that planning and commit find them in memory. False
    /// when all have been read.
    fn read_ahead(&mut self) -> bool {
        const CHUNK: usize = 32;
        let block = &self.shared.block;
        self.shared.read_ahead.fetch_max(self.shared.planned.load(Ordering::Acquire), Ordering::Relaxed);
        let start = self.shared.read_ahead.fetch_add(CHUNK, Ordering::Relaxed);
        let transactions = block.block.transactions();
        let Some(ahead) = transactions.get(start..) else { return false };
        for (transaction, sender) in ahead.iter().zip(&block.block.senders()[start..]).take(CHUNK) {
            // A failed read is no verdict: whoever needs the account will read it again.
            let _ = block.state.account(block.snapshot, *sender);
            if let Some(recipient) = transaction.to() {
                let _ = block.state.account(block.snapshot, recipient);
            }
        }
        !ahead.is_empty()
    }

    /// Runs a transaction, and after it the dependents that it alone released.
    fn run_ahead(&mut self, position: u32) {
        let mut next = Some(position);
        while let Some(position) = next {
            let block = &self.shared.block;
            let slot = &block.slots[position as usize];
            let may_wait = self.shared.config.mode != Mode::Forced && !block.is_exact;
            let recipient = block.block.transactions()[position as usize].to();
            if may_wait && self.shared.reliability.is_bad_for(recipient) {
                // Too much of what ran ahead was wrong: this runs at its turn.
                slot.set_class(Class::Ordered);
            } else {
                let mut record = self.records.take();
                if slot.is_recorded() {
                    self.evm.ctx.journaled_state.lesson = Some(Box::default());
                }
                let started = block.timeline.as_ref().map(Timeline::now);
                // An error here is no verdict: the transaction may only be early. It runs again at its turn.
                record.abandoned = execute(block, &mut self.evm, position as usize, true, &mut record).is_err();
                if let (Some(timeline), Some(started)) = (&block.timeline, started) {
                    timeline.ran(position as usize, started, SpanKind::Ahead);
                }
                if let Some(lesson) = self.evm.ctx.journaled_state.lesson.take()
                    && !record.abandoned
                {
                    block.lessons.hand_in(block, position as usize, lesson, &record);
                }
                if !record.abandoned {
                    // Destruction wipes storage for every later reader, which only the commit can do.
                    record.abandoned = record.destroys();
                }
                if !record.abandoned {
                    if block.is_exact {
                        record.compare_slots();
                    } else {
                        record.publish_slots();
                    }
                }
                slot.put_record(record);
                if let (Some(timeline), Some(started)) = (&block.timeline, started) {
                    timeline.worked(WorkKind::Ahead, position as usize, 1, started);
                }
            }
            slot.set_ran();
            next = self.release(slot.take_on_executed());
            // A long chain goes on at once: others have time to commit.
            let slots = &self.shared.block.slots;
            if next.is_none_or(|next| slots[next as usize].priority() == 0) {
                self.commit();
            }
        }
    }

    /// Releases dependents. The most urgent one that became free is returned, the others are queued.
    fn release(&self, dependents: Vec<u32>) -> Option<u32> {
        let slots = &self.shared.block.slots;
        let mut free: Vec<u32> =
            dependents.into_iter().filter(|dependent| slots[*dependent as usize].release()).collect();
        let best = free.iter().enumerate().max_by_key(|(_, position)| slots[**position as usize].priority())?.0;
        let best = free.swap_remove(best);
        self.shared.block.unstarted.fetch_sub(1, Ordering::AcqRel);
        self.shared.queue.push(free.into_iter().map(|position| (slots[position as usize].priority(), position)));
        Some(best)
    }

    /// Commits as far as possible, if nobody else does.
    fn commit(&mut self) {
        let shared = self.shared;
        loop {
            // What this thread has finished must be visible to the ledger's holder before the attempt: see the end of the loop.
            fence(Ordering::SeqCst);
            let Some(mut ledger) = shared.ledger.try_lock() else { return };
            let mut over = shared.ends_at(ledger.next) || ledger.stop.is_some();
            while !over && shared.is_ready_for_commit(ledger.next) {
                let position = ledger.next;
                let clock = shared.block.timeline.as_ref().map(|timeline| (timeline, timeline.now()));
                let (ahead, before) = (ledger.counters.ahead, ledger.counters.wrong());
                over =
                    !ledger.commit_next(&shared.block, &mut self.evm, &mut self.records) || shared.ends_at(ledger.next);
                let (right, wrong) = (ledger.counters.ahead - ahead, ledger.counters.wrong() - before);
                if right + wrong > 0 {
                    let recipient = shared.block.block.transactions()[position].to();
                    shared.reliability.add(recipient, wrong > 0);
                }
                if ledger.stop.is_none() {
                    self.released_by_commit(position);
                }
                if let Some((timeline, started)) = clock {
                    let kind = match (right, wrong) {
                        (0, 0) => WorkKind::Turn,
                        (_, 0) => WorkKind::Commit,
                        _ => WorkKind::Retry,
                    };
                    timeline.worked(kind, position, 1, started);
                }
            }
            if over {
                ledger.pay_pending_fees(&shared.block);
            }
            let next = ledger.next;
            drop(ledger);
            if over {
                shared.queue.close();
                return;
            }
            // Whoever finished the next transaction while the ledger was held failed to take it: look once more.
            fence(Ordering::SeqCst);
            if !shared.is_ready_for_commit(next) && !shared.ends_at(next) {
                return;
            }
        }
    }

    fn released_by_commit(&self, position: usize) {
        let slots = &self.shared.block.slots;
        let slot = &slots[position];
        let dependents = if slot.class() == Class::Ahead { slot.take_on_committed() } else { slot.take_all() };
        if !dependents.is_empty() {
            let free = dependents.into_iter().filter(|dependent| slots[*dependent as usize].release());
            self.shared
                .queue
                .push(free.map(|position| (slots[position as usize].priority(), position)).collect::<Vec<_>>());
        }
    }
}
