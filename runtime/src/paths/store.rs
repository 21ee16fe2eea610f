//! Which functions have paths, and which are worth recording.
//!
//! [`Paths`] is shared by all workers of an engine; each worker keeps [`LocalPaths`], its own references and register files, so that a replay
//! takes no lock. A recording costs some dozens of executions. So a function is recorded when it was run by the interpreter a few times, each further
//! way only after more such runs than the one before. A function that keeps leaving its recorded ways is left to the interpreter for a while, longer each
//! time, and meanwhile more ways are recorded.

use super::{
    model::{LocalModels, Models},
    tree::Tree,
    worth::{Appetite, Trend},
};
use alloy_primitives::{B256, U256, map::HashMap};
use parking_lot::RwLock;
use revm::primitives::hardfork::SpecId;
use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

/// Functions with paths. When there are more, all are forgotten: they come back quickly if they are in use.
const MAX_FUNCTIONS: usize = 4_096;
/// Ways through one function.
const MAX_WAYS: u32 = 96;
/// What has a tree of its own: a function as transactions call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The code's model.
    code: B256,
    /// First four bytes of the input, if it has as many.
    selector: [u8; 4],
    /// Length of the input in bytes.
    length: u32,
    spec: SpecId,
}

#[derive(Debug, Default)]
struct Function {
    tree: RwLock<Arc<Tree>>,
    /// Counts replacements of the tree.
    generation: AtomicU32,
}

impl Function {
    fn copy(&self) -> Self {
        Self {
            tree: RwLock::new(Arc::clone(&self.tree.read())),
            generation: AtomicU32::new(self.generation.load(Ordering::Relaxed)),
        }
    }
}

/// Paths through functions, as recorded by an engine's workers.
#[derive(Debug, Default)]
pub struct Paths {
    functions: RwLock<HashMap<Key, Arc<Function>>>,
    models: Arc<RwLock<Models>>,
    /// Counts functions that were added.
    additions: AtomicU32,
    /// Runs in the interpreter before a function is recorded.
    record_after: u32,
    /// Transactions that went along a path to the end.
    replayed: AtomicU64,
    /// How many of them somebody has asked about.
    told: AtomicU64,
    /// Recorded ways that did not do what the interpreter had done.
    rejected: AtomicU32,
}

impl Clone for Paths {
    /// A copy that does not see what is recorded later.
    fn clone(&self) -> Self {
        let functions = self.functions.read();
        let functions = functions.iter().map(|(key, function)| (*key, Arc::new(function.copy()))).collect();
        let models = Arc::clone(&self.models);
        Self { functions: RwLock::new(functions), models, ..Self::new(self.record_after) }
    }
}

/// How much has been recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathStats {
    /// Functions with at least one way.
    pub functions: usize,
    /// Ways through them.
    pub ways: usize,
    /// Operations on all ways.
    pub operations: usize,
    /// Transactions that went along a path to the end, up to the last block.
    pub replayed: u64,
    /// Recorded ways that were thrown away, because a trial did not leave exactly what the interpreter had left. On several threads that happens when
    /// another transaction is committed in between; on one thread never.
    pub rejected: usize,
}

impl Paths {
    /// No paths yet; functions are recorded after `record_after` runs in the interpreter.
    pub(crate) fn new(record_after: u32) -> Self {
        Self { record_after, ..Self::default() }
    }

    /// Transactions that went along a path to the end since this was last asked.
    pub(crate) fn take_replayed(&self) -> u32 {
        let all = self.replayed.load(Ordering::Relaxed);
        (all - self.told.swap(all, Ordering::Relaxed)) as u32
    }

    pub(crate) const fn recording_after(mut self, record_after: u32) -> Self {
        self.record_after = record_after;
        self
    }

    /// How much has been recorded.
    pub fn stats(&self) -> PathStats {
        let rejected = self.rejected.load(Ordering::Relaxed) as usize;
        let replayed = self.replayed.load(Ordering::Relaxed);
        let mut stats = PathStats { replayed, rejected, ..PathStats::default() };
        for function in self.functions.read().values() {
            let tree = function.tree.read();
            stats.functions += usize::from(tree.ways() > 0);
            stats.ways += tree.ways() as usize;
            stats.operations += tree.len();
        }
        stats
    }

    /// A function that was recorded before.
    fn find(&self, key: &Key) -> Option<Arc<Function>> {
        self.functions.read().get(key).map(Arc::clone)
    }

    /// A function that is recorded now.
    fn add(&self, key: Key) -> Arc<Function> {
        let mut functions = self.functions.write();
        if functions.len() >= MAX_FUNCTIONS {
            functions.clear();
        }
        let function = Arc::clone(functions.entry(key).or_default());
        self.additions.fetch_add(1, Ordering::Release);
        function
    }
}

/// What a worker knows of a function.
#[derive(Debug, Default)]
struct Local {
    function: Option<Arc<Function>>,
    /// Functions added when this one was looked up in vain.
    additions: Option<u32>,
    tree: Arc<Tree>,
    generation: u32,
    registers: Vec<U256>,
    /// Runs in the interpreter since the worker last looked whether to record.
    runs: u32,
    appetite: Appetite,
    trend: Trend,
}

impl Local {
    /// Finds the function, unless it was not there and nothing has been added since.
    fn look_up(&mut self, shared: &Paths, key: &Key) {
        if self.function.is_some() {
            return;
        }
        let additions = shared.additions.load(Ordering::Acquire);
        if self.additions != Some(additions) {
            self.additions = Some(additions);
            self.function = shared.find(key);
            self.generation = u32::MAX;
        }
    }

    /// Forgets what this worker saw itself, and keeps registers for a tree that `shared` has as well. False when there is none.
    fn begin_anew(&mut self, shared: &Paths, key: &Key) -> bool {
        let Some(function) = shared.find(key) else { return false };
        let is_known = Arc::ptr_eq(&function.tree.read(), &self.tree);
        self.generation = function.generation.load(Ordering::Relaxed);
        self.function = Some(function);
        (self.runs, self.appetite, self.trend) = (0, Appetite::default(), Trend::default());
        is_known && self.registers.len() == self.tree.register_file().len()
    }
}

/// How the next transaction is to run.
#[derive(Debug, Default)]
enum Next {
    /// As the paths suggest.
    #[default]
    Free,
    /// In the interpreter: it has left its path.
    Interpreter,
    /// On this tree, to try it.
    Trial(Arc<Tree>, Vec<U256>),
}

/// A tree with a new way that nobody has tried yet.
#[derive(Debug)]
pub(crate) struct Candidate {
    key: Key,
    before: Arc<Tree>,
    tree: Arc<Tree>,
}

/// A worker's paths.
#[derive(Debug, Default)]
pub(crate) struct LocalPaths {
    shared: Option<Arc<Paths>>,
    functions: HashMap<Key, Local>,
    pub(crate) models: LocalModels,
    next: Next,
    has_left: bool,
    /// Transactions that went along a path since this was last told to all.
    replayed: u64,
    candidate: Option<Candidate>,
}

/// What to do with a transaction.
#[derive(Debug)]
pub(crate) enum Decision {
    Interpret,
    /// Interpret and record; give the tree to [`LocalPaths::recorded`].
    Record(Arc<Tree>),
    /// Replay on these registers; give them back to [`LocalPaths::replayed`] and tell how it went.
    Replay(Arc<Tree>, Vec<U256>),
}

impl Key {
    /// The function of `code`, an account's own code or its model, that a transaction with this input calls.
    pub(crate) fn new(code: B256, input: &[u8], spec: SpecId) -> Self {
        let selector = input.first_chunk().copied().unwrap_or_default();
        Self { code, selector, length: input.len() as u32, spec }
    }
}

impl LocalPaths {
    /// A worker's view of `shared`; without any, everything is interpreted.
    pub(crate) fn new(shared: Option<Arc<Paths>>) -> Self {
        let models =
            shared.as_ref().map_or_else(LocalModels::default, |shared| LocalModels::new(Arc::clone(&shared.models)));
        Self { shared, models, ..Self::default() }
    }

    /// Takes other paths, of which some may be the same.
    pub(crate) fn replace(&mut self, shared: Arc<Paths>) {
        self.functions.retain(|key, local| local.begin_anew(&shared, key));
        *self = Self { functions: std::mem::take(&mut self.functions), ..Self::new(Some(shared)) };
    }

    /// Whether there are any to ask.
    pub(crate) const fn are_in_use(&self) -> bool {
        self.shared.is_some()
    }

    /// How a transaction that calls this function is to run. A lesson for the predictor is never replayed, and recorded only if nothing is known yet.
    pub(crate) fn decide(&mut self, key: &Key, is_lesson: bool) -> Decision {
        let Some(shared) = &self.shared else { return Decision::Interpret };
        if let Next::Trial(tree, registers) = &mut self.next {
            return Decision::Replay(Arc::clone(tree), std::mem::take(registers));
        }
        if self.functions.len() > MAX_FUNCTIONS {
            self.functions.clear();
        }
        let local = self.functions.entry(*key).or_default();
        local.look_up(shared, key);
        if let Some(function) = &local.function {
            let generation = function.generation.load(Ordering::Acquire);
            if generation != local.generation {
                local.tree = Arc::clone(&function.tree.read());
                local.registers.clear();
                local.registers.extend_from_slice(local.tree.register_file());
                local.generation = generation;
            }
            if is_lesson && local.tree.ways() > 0 {
                return Decision::Interpret;
            }
            if matches!(self.next, Next::Free) && local.tree.ways() > 0 && local.trend.allows() {
                return Decision::Replay(Arc::clone(&local.tree), std::mem::take(&mut local.registers));
            }
        }
        local.runs += 1;
        if local.runs < local.appetite.wants(shared.record_after) || local.tree.ways() >= MAX_WAYS {
            return Decision::Interpret;
        }
        local.runs = 0;
        local.appetite.records(local.tree.ways());
        local.function.get_or_insert_with(|| shared.add(*key));
        Decision::Record(Arc::clone(&local.tree))
    }

    /// Notes how a replay ended.
    pub(crate) fn replayed(&mut self, key: &Key, registers: Vec<U256>, to_the_end: bool) {
        self.has_left |= !to_the_end;
        if let (Next::Free, Some(local)) = (&self.next, self.functions.get_mut(key)) {
            local.registers = registers;
            self.replayed += u64::from(to_the_end);
            local.appetite.note(to_the_end);
            local.trend.note(to_the_end);
        }
    }

    /// Tells all what this worker did in a block.
    pub(crate) fn end_block(&mut self) {
        self.models.limit();
        if let Some(shared) = &self.shared {
            shared.replayed.fetch_add(std::mem::take(&mut self.replayed), Ordering::Relaxed);
        }
    }

    /// Whether the transaction that just ended in an error has only left its path.
    pub(crate) const fn has_left(&mut self) -> bool {
        std::mem::replace(&mut self.has_left, false)
    }

    /// Keeps a tree with another way, recorded on `before`, until it is tried.
    pub(crate) fn recorded(&mut self, key: Key, before: Arc<Tree>, tree: Tree) {
        self.candidate = Some(Candidate { key, before, tree: Arc::new(tree) });
    }

    /// A tree to be tried.
    pub(crate) const fn candidate(&mut self) -> Option<Candidate> {
        self.candidate.take()
    }

    /// The next transaction runs in the interpreter.
    pub(crate) fn interpret_next(&mut self) {
        self.next = Next::Interpreter;
    }

    /// The next transaction runs on the candidate's tree.
    pub(crate) fn try_next(&mut self, candidate: &Candidate) {
        self.next = Next::Trial(Arc::clone(&candidate.tree), candidate.tree.register_file().to_vec());
    }

    /// The next transaction runs as the paths suggest.
    pub(crate) fn choose_next(&mut self) {
        self.next = Next::Free;
    }

    /// Throws away a tree whose trial went wrong.
    pub(crate) fn reject(&mut self, _: Candidate) {
        if let Some(shared) = &self.shared {
            shared.rejected.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Publishes a tree that was tried.
    pub(crate) fn publish(&mut self, candidate: Candidate) {
        let Candidate { key, before, tree } = candidate;
        let Some(function) = self.functions.get(&key).and_then(|local| local.function.as_ref()) else { return };
        let mut known = function.tree.write();
        // If somebody else was quicker, the next recording goes on from there.
        if Arc::ptr_eq(&known, &before) {
            *known = tree;
            function.generation.fetch_add(1, Ordering::Release);
        }
    }
}
