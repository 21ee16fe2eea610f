//! The workers of the engine on any number of cores, event by event.
//!
//! [`simulate`] does with measured costs what `runtime/src/engine/worker.rs` does with threads, in the same order: commit what can be committed, run what
//! is ready, plan more, read ahead, leave or sleep. A worker is always at one [`Task`], which ends at a known time; whatever happens between two tasks takes no
//! time. [`planning`](super::planning) stands for the planner, [`trust`](super::trust) for the engine's `reliability`.
//!
//! What the transactions of the block rely on is known ([`Need`]), so the simulation knows which executions ahead of their turn turn out wrong: those
//! that read a field before its value was there. A slot's value is there when the execution that writes it ends, everything else at the commit. Accounts are
//! taken to be read at the beginning of an execution, slots in its middle.
//!
//! Not simulated: waiting for the short locks of queue, slots and state, and cores that the system takes away.

use super::{
    planning::{Batch, Class, plan_batch},
    trust::Trust,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// A field that a transaction relies on and an earlier one changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeedKind {
    /// A storage slot.
    Slot,
    /// Balance, nonce, code or existence of an account.
    Account,
}

/// An earlier transaction whose change another one relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Index of the earlier one.
    pub on: u32,
    /// What it changes.
    pub kind: NeedKind,
}

/// An earlier transaction that the planner makes another one wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Index of the earlier one.
    pub on: u32,
    /// Until it is committed, or only until it was executed.
    pub until_committed: bool,
}

/// One transaction with its costs on one core, in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// How it runs if nothing holds it back.
    pub class: Class,
    /// Number that stands for the recipient; `None` for a creation.
    pub recipient: Option<u8>,
    /// Gas that the planner expects.
    pub gas: u64,
    /// To run and commit it at its turn.
    pub turn: u64,
    /// To run it ahead.
    pub ahead: u64,
    /// To validate and commit what ran ahead.
    pub commit: u64,
    /// To plan it.
    pub plan: u64,
    /// What it really relies on.
    pub needs: Vec<Need>,
    /// What it is made to wait for.
    pub edges: Vec<Edge>,
}

/// How much longer everything takes when other cores work too.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Contention {
    /// Added for the second core at work, as a part of the time.
    pub second: f64,
    /// Added for each further core.
    pub further: f64,
}

impl Contention {
    /// Factor on the time when so many cores are at work.
    pub fn factor(&self, busy: usize) -> f64 {
        match busy {
            0 | 1 => 1.0,
            busy => 1.0 + self.second + self.further * (busy - 2) as f64,
        }
    }
}

/// What it costs to have several threads, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ThreadCosts {
    /// From giving work to a thread of the pool that sleeps until it is at it.
    pub pool_wake: u64,
    /// For the one who gives it.
    pub spawn: u64,
    /// From telling a worker that sleeps in the queue until it goes on.
    pub wake: u64,
    /// For the one who tells it.
    pub notify: u64,
    /// Time that an idle worker looks around before it sleeps.
    pub look: u64,
}

/// How the engine is configured, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Threads, each with a core.
    pub cores: usize,
    /// Transactions planned at a time.
    pub batch: usize,
    /// Speed-up that a batch must promise.
    pub min_parallelism: f64,
    /// Time that must be there to be shared, in nanoseconds.
    pub min_parallel_nanos: u64,
    /// Part of the executions ahead that may be wrong.
    pub max_retry_share: f64,
    /// Gas of a nanosecond, as the engine has found it.
    pub pace: f64,
    /// Gas that the block uses, if the header says so.
    pub used: u64,
    /// Costs of threads.
    pub threads: ThreadCosts,
    /// Costs of company.
    pub contention: Contention,
    /// Factor on the commit of what another core ran.
    pub remote_commit: f64,
}

/// What a simulated run took, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// From the beginning to the last commit.
    pub wall: u64,
    /// All cores together at work or looking around.
    pub busy: u64,
    /// The planner at work.
    pub planning: u64,
    /// The commit cursor held.
    pub committing: u64,
    /// Workers waking up while something was to be done.
    pub waking: u64,
    /// Executions ahead.
    pub ahead: u32,
    /// Of which wrong.
    pub wrong: u32,
    /// Whether other threads were woken at all.
    pub on_several: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Goes on at once.
    Ready,
    Commit,
    Execute(u32),
    Plan,
    ReadAhead,
    Look,
    Asleep,
    Left,
}

#[derive(Debug)]
struct Worker {
    task: Task,
    /// Events of tasks that were cut short count no more.
    generation: u32,
    next: Option<u32>,
    batch: VecDeque<u32>,
    /// Has run a batch since it last planned.
    has_run: bool,
    is_helper: bool,
    /// Time for waking others, added to its next task.
    debt: u64,
}

/// Transactions that a worker takes at a time, at most, beside the first.
const MOST: usize = 3;
/// Transactions read ahead at a time.
const READ_AHEAD: usize = 32;

struct Simulation<'a> {
    transactions: &'a [Transaction],
    setting: &'a Setting,
    now: u64,
    /// Time, order, worker, generation.
    events: BinaryHeap<Reverse<(u64, u64, usize, u32)>>,
    sequence: u64,
    workers: Vec<Worker>,
    state: Vec<State>,
    urgent: BinaryHeap<(u64, Reverse<u32>)>,
    ready: VecDeque<u32>,
    /// Planned so far; the planner is at work on what is in `planning`.
    planned: usize,
    planning: Option<Batch>,
    holder: Option<usize>,
    committed: usize,
    is_wrong: bool,
    unstarted: usize,
    read_ahead: usize,
    trust: Trust,
    run: Run,
}

#[derive(Clone, Debug, Default)]
struct State {
    class: Class,
    ran: bool,
    executed: bool,
    is_committed: bool,
    waiting: u32,
    priority: u64,
    started: u64,
    ended: u64,
    /// When the final values of its slots, and of everything else, are there.
    slots_there: Option<u64>,
    all_there: Option<u64>,
    by: usize,
    on_executed: Vec<u32>,
    on_committed: Vec<u32>,
}

/// Runs a stretch of transactions from the planning of the first batch to the last commit.
pub fn simulate(transactions: &[Transaction], setting: &Setting) -> Run {
    let mut simulation = Simulation {
        transactions,
        setting,
        now: 0,
        events: BinaryHeap::new(),
        sequence: 0,
        workers: Vec::new(),
        state: vec![State::default(); transactions.len()],
        urgent: BinaryHeap::new(),
        ready: VecDeque::new(),
        planned: 0,
        planning: None,
        holder: None,
        committed: 0,
        is_wrong: false,
        unstarted: 0,
        read_ahead: 0,
        trust: Trust::new(setting.max_retry_share),
        run: Run::default(),
    };
    simulation.run();
    simulation.run
}

impl Simulation<'_> {
    fn run(&mut self) {
        if self.transactions.is_empty() {
            return;
        }
        self.add_worker(false);
        if self.setting.cores > 1 {
            // The first batch is planned before anybody is woken.
            self.begin_plan(0);
            let Some(Reverse((time, ..))) = self.events.pop() else { unreachable!("a plan was begun") };
            self.now = time;
            self.end_plan(0);
            let is_planned = self.planned == self.transactions.len();
            self.run.on_several = !is_planned || self.queued() > 1;
        }
        self.workers[0].task = Task::Ready;
        if self.run.on_several {
            let ThreadCosts { pool_wake, spawn, .. } = self.setting.threads;
            for helper in 1..self.setting.cores {
                self.add_worker(true);
                self.after(helper, spawn * (helper as u64 - 1) + pool_wake);
            }
            self.run.waking += pool_wake;
            self.after(0, spawn * (self.setting.cores as u64 - 1));
        } else {
            self.after(0, 0);
        }
        while let Some(Reverse((time, _, worker, generation))) = self.events.pop() {
            if self.workers[worker].generation != generation {
                continue;
            }
            assert!(time >= self.now, "time went back from {} to {time}", self.now);
            self.now = time;
            self.end_task(worker);
            if self.committed == self.transactions.len() {
                break;
            }
            self.decide(worker);
        }
        assert_eq!(self.committed, self.transactions.len(), "the simulated workers are stuck");
        // Whoever sleeps has to be woken to find that the block is over, and the caller waits for its helpers.
        let is_asleep = self.workers.iter().any(|worker| worker.task == Task::Asleep);
        self.run.wall = self.now + if is_asleep { self.setting.threads.wake } else { 0 };
    }

    fn add_worker(&mut self, is_helper: bool) {
        self.workers.push(Worker {
            task: Task::Ready,
            generation: 0,
            next: None,
            batch: VecDeque::new(),
            has_run: false,
            is_helper,
            debt: 0,
        });
    }

    /// The worker's task ends after so long.
    fn after(&mut self, worker: usize, nanos: u64) {
        self.workers[worker].generation += 1;
        self.sequence += 1;
        self.events.push(Reverse((self.now + nanos, self.sequence, worker, self.workers[worker].generation)));
    }

    /// Begins a task that takes so long on a core alone. Returns how long it will really take.
    fn begin(&mut self, worker: usize, task: Task, nanos: u64) -> u64 {
        self.workers[worker].task = task;
        let at_work =
            |worker: &&Worker| matches!(worker.task, Task::Commit | Task::Execute(_) | Task::Plan | Task::ReadAhead);
        let busy = self.workers.iter().filter(at_work).count();
        let took = (nanos as f64 * self.setting.contention.factor(busy)) as u64;
        let took = took + std::mem::take(&mut self.workers[worker].debt);
        self.run.busy += took;
        self.after(worker, took);
        took
    }

    fn queued(&self) -> usize {
        self.urgent.len() + self.ready.len()
    }

    fn can_commit(&self) -> bool {
        self.committed < self.planned && {
            let state = &self.state[self.committed];
            state.class != Class::Ahead || state.ran
        }
    }

    fn end_task(&mut self, worker: usize) {
        match std::mem::replace(&mut self.workers[worker].task, Task::Ready) {
            Task::Ready | Task::Asleep | Task::ReadAhead => {}
            Task::Look => {
                self.run.busy += self.setting.threads.look;
                self.workers[worker].task = Task::Asleep;
            }
            Task::Commit => self.end_commit(worker),
            Task::Execute(position) => self.end_execution(worker, position),
            Task::Plan => self.end_plan(worker),
            Task::Left => unreachable!("a worker that left has no task"),
        }
    }

    /// What the worker does next.
    fn decide(&mut self, worker: usize) {
        if self.workers[worker].task == Task::Asleep {
            return;
        }
        loop {
            // A long chain goes on at once: others have time to commit.
            let goes_on = self.workers[worker].next.is_some_and(|next| self.state[next as usize].priority > 0);
            if !goes_on && self.holder.is_none() && self.can_commit() {
                return self.begin_commit(worker);
            }
            let at = &mut self.workers[worker];
            if let Some(position) = at.next.take().or_else(|| at.batch.pop_front()) {
                let recipient = self.transactions[position as usize].recipient;
                if self.trust.is_bad_for(recipient) {
                    self.state[position as usize].class = Class::Ordered;
                    self.ran(worker, position);
                    continue;
                }
                return self.begin_execution(worker, position);
            }
            if std::mem::take(&mut at.has_run) && self.queued() < 2 * self.setting.cores && self.begin_plan(worker) {
                return;
            }
            if self.pop(worker) {
                continue;
            }
            if self.begin_plan(worker) || self.begin_reading_ahead(worker) {
                return;
            }
            let is_over = self.planned == self.transactions.len() && self.unstarted == 0;
            if self.workers[worker].is_helper && is_over {
                self.workers[worker].task = Task::Left;
                return;
            }
            self.workers[worker].task = Task::Look;
            return self.after(worker, self.setting.threads.look);
        }
    }

    fn pop(&mut self, worker: usize) -> bool {
        let batch = &mut self.workers[worker].batch;
        if let Some((_, Reverse(first))) = self.urgent.pop() {
            batch.push_back(first);
        } else {
            let most = if self.setting.cores > 1 { MOST } else { 0 };
            let count = self.ready.len().min(1 + most.min(self.ready.len() / 4));
            batch.extend(self.ready.drain(..count));
        }
        self.unstarted -= batch.len();
        self.workers[worker].has_run |= !self.workers[worker].batch.is_empty();
        self.workers[worker].has_run
    }

    fn push(&mut self, worker: usize, released: Vec<u32>) {
        let count = released.len();
        for position in released {
            match self.state[position as usize].priority {
                0 if self.ready.front().is_some_and(|first| position < *first) => self.ready.push_front(position),
                0 => self.ready.push_back(position),
                priority => self.urgent.push((priority, Reverse(position))),
            }
        }
        if count > 0 {
            self.wake(worker, count);
        }
    }

    /// Something happened: whoever looks around sees it, up to `sleepers` of those who sleep are woken by `worker`.
    fn wake(&mut self, worker: usize, sleepers: usize) {
        let ThreadCosts { wake, notify, .. } = self.setting.threads;
        let mut left = sleepers;
        for other in 0..self.workers.len() {
            match self.workers[other].task {
                Task::Look => {
                    self.workers[other].task = Task::Ready;
                    self.after(other, 0);
                }
                Task::Asleep if left > 0 => {
                    left -= 1;
                    self.workers[other].task = Task::Ready;
                    self.workers[worker].debt += notify;
                    self.run.waking += wake;
                    self.after(other, wake);
                }
                _ => {}
            }
        }
    }

    fn begin_execution(&mut self, worker: usize, position: u32) {
        let nanos = self.transactions[position as usize].ahead;
        self.run.ahead += 1;
        let state = &mut self.state[position as usize];
        (state.started, state.by) = (self.now, worker);
        self.begin(worker, Task::Execute(position), nanos);
    }

    fn end_execution(&mut self, worker: usize, position: u32) {
        self.state[position as usize].ended = self.now;
        self.ran(worker, position);
    }

    /// The transaction has run, or was found to have to wait; what waited for that may go on, the most urgent here.
    fn ran(&mut self, worker: usize, position: u32) {
        let state = &mut self.state[position as usize];
        (state.ran, state.executed) = (true, true);
        let dependents = std::mem::take(&mut state.on_executed);
        let mut free = self.release(dependents);
        let Some(best) = (0..free.len()).max_by_key(|index| self.state[free[*index] as usize].priority) else { return };
        self.workers[worker].next = Some(free.swap_remove(best));
        self.unstarted -= 1;
        self.push(worker, free);
    }

    fn release(&mut self, mut dependents: Vec<u32>) -> Vec<u32> {
        dependents.retain(|dependent| {
            let waiting = &mut self.state[*dependent as usize].waiting;
            *waiting -= 1;
            *waiting == 0
        });
        dependents
    }

    /// Whether what the transaction read before its turn was not the truth.
    fn is_wrong(&self, position: usize) -> bool {
        let state = &self.state[position];
        let middle = state.started.midpoint(state.ended);
        self.transactions[position].needs.iter().any(|need| {
            let on = &self.state[need.on as usize];
            let (there, read) = match need.kind {
                NeedKind::Slot => (on.slots_there, middle),
                NeedKind::Account => (on.all_there, state.started),
            };
            there.is_none_or(|there| there > read)
        })
    }

    fn begin_commit(&mut self, worker: usize) {
        self.holder = Some(worker);
        let position = self.committed;
        let (transaction, state) = (&self.transactions[position], &self.state[position]);
        let nanos = if state.class != Class::Ahead {
            transaction.turn
        } else {
            let factor = if state.by == worker { 1.0 } else { self.setting.remote_commit };
            let commit = (transaction.commit as f64 * factor) as u64;
            self.is_wrong = self.is_wrong(position);
            if self.is_wrong { commit + transaction.turn } else { commit }
        };
        self.run.committing += self.begin(worker, Task::Commit, nanos);
    }

    fn end_commit(&mut self, worker: usize) {
        let position = self.committed;
        let is_wrong = std::mem::take(&mut self.is_wrong);
        let now = self.now;
        let state = &mut self.state[position];
        let ran_ahead = state.class == Class::Ahead;
        (state.is_committed, state.executed) = (true, true);
        state.all_there = Some(now);
        state.slots_there = Some(if ran_ahead && !is_wrong { state.ended } else { now });
        let mut dependents = std::mem::take(&mut state.on_committed);
        if !ran_ahead {
            dependents.append(&mut state.on_executed);
        } else {
            self.run.wrong += u32::from(is_wrong);
            self.trust.add(self.transactions[position].recipient, is_wrong);
        }
        self.committed += 1;
        self.holder = None;
        let free = self.release(dependents);
        self.push(worker, free);
    }

    /// Plans the next batch, if nobody does and something is left.
    fn begin_plan(&mut self, worker: usize) -> bool {
        if self.planning.is_some() || self.planned == self.transactions.len() {
            return false;
        }
        let is_first = self.planned == 0;
        let hold_back = !is_first && self.trust.is_bad();
        let batch = plan_batch(self.transactions, self.planned, self.setting, hold_back);
        let nanos = batch.nanos;
        self.planning = Some(batch);
        self.run.planning += self.begin(worker, Task::Plan, nanos);
        true
    }

    fn end_plan(&mut self, worker: usize) {
        let Some(batch) = self.planning.take() else { unreachable!("only who plans ends a plan") };
        let first = self.planned;
        self.planned += batch.classes.len();
        let mut ready = Vec::new();
        for (offset, (class, priority)) in batch.classes.iter().zip(&batch.priorities).enumerate() {
            let position = first + offset;
            self.state[position].class = *class;
            if *class != Class::Ahead {
                continue;
            }
            self.unstarted += 1;
            self.state[position].priority = *priority;
            for edge in &self.transactions[position].edges {
                let on = &mut self.state[edge.on as usize];
                if edge.until_committed && !on.is_committed {
                    on.on_committed.push(position as u32);
                } else if !edge.until_committed && !on.executed {
                    on.on_executed.push(position as u32);
                } else {
                    continue;
                }
                self.state[position].waiting += 1;
            }
            if self.state[position].waiting == 0 {
                ready.push(position as u32);
            }
        }
        self.push(worker, ready);
        self.wake(worker, usize::MAX);
    }

    fn begin_reading_ahead(&mut self, worker: usize) -> bool {
        self.read_ahead = self.read_ahead.max(self.planned);
        let start = self.read_ahead;
        if start >= self.transactions.len() {
            return false;
        }
        self.read_ahead += READ_AHEAD;
        let ahead = &self.transactions[start..self.transactions.len().min(self.read_ahead)];
        let nanos = ahead.iter().map(|transaction| transaction.plan / 2).sum();
        self.begin(worker, Task::ReadAhead, nanos);
        true
    }
}
