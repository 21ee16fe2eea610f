//! Loom models of the other protocols between the engine's workers.
//!
//! * [`Slot`] models `TransactionSlot` (`runtime/src/engine/slots.rs`): `add_dependent`, `hold`, `release`, `take_on_executed`,
//!   `take_on_committed`, `take_all`, and the order in which `Planner::start` (`plan.rs`) calls them: `hold` before `add_dependent`, one
//!   `release` at once if the predecessor was done, and one `release` of its own at the end.
//! * [`Cursor`] models `Worker::commit` (`worker.rs`) with `set_ran`, `set_class` and `is_ready_for_commit`: whoever finishes
//!   something fences and *tries* the ledger; its holder looks once more after letting go. The ledger itself is modelled by an atomic flag that
//!   is tried with a relaxed load first, as parking_lot does, since loom's own mutex would order more than that.
//! * [`Gathering`] models the step between taking a run of transfers apart and applying it.

use loom::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering, fence},
    },
    thread,
};

#[derive(Default)]
struct Links {
    executed: bool,
    committed: bool,
    on_executed: Vec<usize>,
    on_committed: Vec<usize>,
}

struct Slot {
    waiting: AtomicUsize,
    links: Mutex<Links>,
    /// The transaction's writes; stands for everything that is published before its dependents run.
    published: AtomicBool,
    starts: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Until {
    Executed,
    Committed,
}

impl Slot {
    fn new() -> Self {
        Self {
            waiting: AtomicUsize::new(1),
            links: Mutex::default(),
            published: AtomicBool::new(false),
            starts: AtomicUsize::new(0),
        }
    }

    fn add_dependent(&self, dependent: usize, until: Until) -> bool {
        let mut links = self.links.lock().unwrap();
        match until {
            Until::Executed if !links.executed => links.on_executed.push(dependent),
            Until::Committed if !links.committed => links.on_committed.push(dependent),
            _ => return false,
        }
        true
    }

    fn hold(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
    }

    fn release(&self) -> bool {
        self.waiting.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn take_on_executed(&self) -> Vec<usize> {
        let mut links = self.links.lock().unwrap();
        links.executed = true;
        std::mem::take(&mut links.on_executed)
    }

    fn take_on_committed(&self) -> Vec<usize> {
        let mut links = self.links.lock().unwrap();
        links.committed = true;
        std::mem::take(&mut links.on_committed)
    }

    fn take_all(&self) -> Vec<usize> {
        let mut links = self.links.lock().unwrap();
        (links.executed, links.committed) = (true, true);
        let mut dependents = std::mem::take(&mut links.on_executed);
        dependents.append(&mut links.on_committed);
        dependents
    }

    /// `Planner::start` for one transaction with these predecessors; true if it may start at once.
    fn plan(slots: &[Self], position: usize, predecessors: &[(usize, Until)]) -> bool {
        for (from, until) in predecessors {
            slots[position].hold();
            if !slots[*from].add_dependent(position, *until) {
                slots[position].release();
            }
        }
        slots[position].release()
    }

    /// What the start of a transaction must find.
    fn start(slots: &[Self], position: usize, predecessors: &[usize]) {
        for from in predecessors {
            assert!(slots[*from].published.load(Ordering::Relaxed), "{position} starts before {from} has published");
        }
        let starts = slots[position].starts.fetch_add(1, Ordering::Relaxed);
        assert_eq!(starts, 0, "{position} starts twice");
    }

    fn start_released(slots: &[Self], dependents: Vec<usize>, predecessors: &[usize]) {
        for dependent in dependents {
            if slots[dependent].release() {
                Self::start(slots, dependent, predecessors);
            }
        }
    }
}

fn slots(count: usize) -> Arc<Vec<Slot>> {
    Arc::new((0..count).map(|_| Slot::new()).collect())
}

#[test]
fn dependent_of_two_executions_starts_once_and_after_both() {
    loom::model(|| {
        let slots = slots(3);
        let runs: Vec<_> = (0..2)
            .map(|position: usize| {
                let slots = slots.clone();
                thread::spawn(move || {
                    slots[position].published.store(true, Ordering::Relaxed);
                    let dependents = slots[position].take_on_executed();
                    Slot::start_released(&slots, dependents, &[0, 1]);
                })
            })
            .collect();
        if Slot::plan(&slots, 2, &[(0, Until::Executed), (1, Until::Executed)]) {
            Slot::start(&slots, 2, &[0, 1]);
        }
        for run in runs {
            run.join().unwrap();
        }
        assert_eq!(slots[2].starts.load(Ordering::Relaxed), 1, "the dependent was lost");
    });
}

#[test]
fn dependent_of_an_execution_and_of_a_commit_starts_once_and_after_both() {
    loom::model(|| {
        let slots = slots(3);
        let execution = {
            let slots = slots.clone();
            thread::spawn(move || {
                slots[0].published.store(true, Ordering::Relaxed);
                let dependents = slots[0].take_on_executed();
                Slot::start_released(&slots, dependents, &[0, 1]);
            })
        };
        let commit = {
            let slots = slots.clone();
            thread::spawn(move || {
                slots[1].published.store(true, Ordering::Relaxed);
                let dependents = slots[1].take_on_committed();
                Slot::start_released(&slots, dependents, &[0, 1]);
            })
        };
        if Slot::plan(&slots, 2, &[(0, Until::Executed), (1, Until::Committed)]) {
            Slot::start(&slots, 2, &[0, 1]);
        }
        execution.join().unwrap();
        commit.join().unwrap();
        assert_eq!(slots[2].starts.load(Ordering::Relaxed), 1, "the dependent was lost");
    });
}

#[test]
fn two_dependents_of_a_transaction_that_runs_at_its_turn() {
    loom::model(|| {
        let slots = slots(3);
        let commit = {
            let slots = slots.clone();
            thread::spawn(move || {
                slots[0].published.store(true, Ordering::Relaxed);
                let dependents = slots[0].take_all();
                Slot::start_released(&slots, dependents, &[0]);
            })
        };
        for (position, until) in [(1, Until::Executed), (2, Until::Committed)] {
            if Slot::plan(&slots, position, &[(0, until)]) {
                Slot::start(&slots, position, &[0]);
            }
        }
        commit.join().unwrap();
        for position in [1, 2] {
            assert_eq!(slots[position].starts.load(Ordering::Relaxed), 1, "dependent {position} was lost");
        }
    });
}

const UNPLANNED: u8 = 0;
const ORDERED: u8 = 1;
const AHEAD: u8 = 2;

struct Turn {
    class: AtomicU8,
    ran: AtomicBool,
    commits: AtomicUsize,
}

/// The ordered commit.
struct Cursor {
    turns: Vec<Turn>,
    /// `parking_lot`'s lock: taken when true.
    is_held: AtomicBool,
    /// Changed by the holder only.
    next: AtomicUsize,
    is_closed: AtomicBool,
}

impl Cursor {
    fn new(classes: &[u8]) -> Arc<Self> {
        let turn = |class: &u8| Turn {
            class: AtomicU8::new(*class),
            ran: AtomicBool::new(false),
            commits: AtomicUsize::new(0),
        };
        Arc::new(Self {
            turns: classes.iter().map(turn).collect(),
            is_held: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
        })
    }

    fn try_lock(&self) -> bool {
        !self.is_held.load(Ordering::Relaxed)
            && self.is_held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn is_ready(&self, position: usize) -> bool {
        match self.turns[position].class.load(Ordering::Acquire) {
            UNPLANNED => false,
            ORDERED => true,
            _ => self.turns[position].ran.load(Ordering::SeqCst),
        }
    }

    /// `Worker::commit`.
    fn commit(&self) {
        loop {
            fence(Ordering::SeqCst);
            if !self.try_lock() {
                return;
            }
            let mut next = self.next.load(Ordering::Relaxed);
            while next < self.turns.len() && self.is_ready(next) {
                let commits = self.turns[next].commits.fetch_add(1, Ordering::Relaxed);
                assert_eq!(commits, 0, "{next} is committed twice");
                next += 1;
            }
            self.next.store(next, Ordering::Relaxed);
            self.is_held.store(false, Ordering::Release);
            if next == self.turns.len() {
                self.is_closed.store(true, Ordering::Relaxed);
                return;
            }
            fence(Ordering::SeqCst);
            if !self.is_ready(next) {
                return;
            }
        }
    }

    /// The end of `Worker::run_ahead`.
    fn finish(&self, position: usize) {
        self.turns[position].ran.store(true, Ordering::SeqCst);
        self.commit();
    }
}

fn check_all_committed(cursor: &Cursor) {
    for (position, turn) in cursor.turns.iter().enumerate() {
        assert_eq!(turn.commits.load(Ordering::Relaxed), 1, "nobody committed {position}");
    }
    assert!(cursor.is_closed.load(Ordering::Relaxed), "the block is never over");
}

#[test]
fn cursor_is_not_left_behind_by_two_workers() {
    loom::model(|| {
        let cursor = Cursor::new(&[AHEAD, AHEAD]);
        let other = {
            let cursor = cursor.clone();
            thread::spawn(move || cursor.finish(0))
        };
        cursor.finish(1);
        other.join().unwrap();
        check_all_committed(&cursor);
    });
}

#[test]
fn cursor_is_not_left_behind_by_three_workers() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let cursor = Cursor::new(&[AHEAD, ORDERED, AHEAD, AHEAD]);
        let others: Vec<_> = [3, 2]
            .into_iter()
            .map(|position| {
                let cursor = cursor.clone();
                thread::spawn(move || cursor.finish(position))
            })
            .collect();
        cursor.finish(0);
        for other in others {
            other.join().unwrap();
        }
        check_all_committed(&cursor);
    });
}

#[test]
fn cursor_goes_on_with_what_is_planned_meanwhile() {
    loom::model(|| {
        let cursor = Cursor::new(&[AHEAD, UNPLANNED, UNPLANNED]);
        // `Worker::plan` gives classes to transactions that run at their turn; `Worker::run` commits right after it.
        let planner = {
            let cursor = cursor.clone();
            thread::spawn(move || {
                cursor.turns[1].class.store(ORDERED, Ordering::Release);
                cursor.turns[2].class.store(ORDERED, Ordering::Release);
                cursor.commit();
            })
        };
        cursor.finish(0);
        planner.join().unwrap();
        check_all_committed(&cursor);
    });
}

/// `Step::together` of `runtime/src/engine/step.rs`: threads take chunks until there are none, and none goes on before all are done.
struct Gathering {
    gathering: AtomicUsize,
    next: AtomicUsize,
    end: AtomicUsize,
    /// Stand for what is written down of each chunk.
    written: [AtomicBool; 2],
}

impl Gathering {
    /// The run ends at `stops`, which is found out when that chunk is taken apart.
    fn gather_all(&self, stops: usize) {
        self.gathering.fetch_add(1, Ordering::SeqCst);
        loop {
            let chunk = self.next.fetch_add(1, Ordering::SeqCst);
            if chunk >= self.end.load(Ordering::Relaxed) {
                break;
            }
            if chunk == stops {
                self.end.fetch_min(stops, Ordering::Relaxed);
                break;
            }
            self.written[chunk].store(true, Ordering::Relaxed);
        }
        self.gathering.fetch_sub(1, Ordering::SeqCst);
        while self.gathering.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
        let end = self.end.load(Ordering::Relaxed);
        assert_eq!(end, stops.min(2));
        for chunk in &self.written[..end] {
            assert!(chunk.load(Ordering::Relaxed), "a chunk is used before it is written");
        }
    }
}

#[test]
fn nobody_applies_a_run_before_it_is_taken_apart() {
    for stops in 0..=2 {
        loom::model(move || {
            let run = Arc::new(Gathering {
                gathering: AtomicUsize::new(0),
                next: AtomicUsize::new(0),
                end: AtomicUsize::new(2),
                written: [AtomicBool::new(false), AtomicBool::new(false)],
            });
            let other = {
                let run = run.clone();
                thread::spawn(move || run.gather_all(stops))
            };
            run.gather_all(stops);
            other.join().unwrap();
        });
    }
}
