//! Parent states that do not answer everything.

use alloy_primitives::{Address, B256, U256};
use revm::{
    DatabaseRef,
    context::DBErrorMarker,
    state::{AccountInfo, Bytecode},
};
use std::{
    collections::HashSet,
    fmt::Debug,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// One read of a parent state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Read {
    /// An account.
    Account(Address),
    /// Code by its hash.
    Code(B256),
    /// A slot.
    Slot(Address, U256),
    /// The hash of a block.
    BlockHash(u64),
}

/// The state does not answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer to {0:?}")]
pub struct NoAnswer(pub Read);

impl DBErrorMarker for NoAnswer {}

/// Which reads are answered.
#[derive(Debug)]
enum Rule {
    /// All, and they are written down.
    Record(Mutex<HashSet<Read>>),
    /// Only these.
    Only(HashSet<Read>),
    /// All but the one with this number.
    AllBut(usize),
    /// Only those before this number.
    Before(usize),
}

/// A state that answers some reads.
#[derive(Debug)]
pub struct Partial<'a, S> {
    state: &'a S,
    rule: Rule,
    reads: AtomicUsize,
}

impl<'a, S> Partial<'a, S> {
    fn new(state: &'a S, rule: Rule) -> Self {
        Self { state, rule, reads: AtomicUsize::new(0) }
    }

    /// Answers everything and remembers what it was asked.
    pub fn recording(state: &'a S) -> Self {
        Self::new(state, Rule::Record(Mutex::default()))
    }

    /// Answers these reads only, as a witness does.
    pub fn only(state: &'a S, reads: HashSet<Read>) -> Self {
        Self::new(state, Rule::Only(reads))
    }

    /// Fails at read number `number`, counted from zero, and at no other.
    pub fn failing_once(state: &'a S, number: usize) -> Self {
        Self::new(state, Rule::AllBut(number))
    }

    /// Fails at read number `number`, counted from zero, and ever after.
    pub fn failing_from(state: &'a S, number: usize) -> Self {
        Self::new(state, Rule::Before(number))
    }

    /// How often it was asked.
    pub fn count(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// What it was asked, if it remembers.
    pub fn into_reads(self) -> HashSet<Read> {
        match self.rule {
            Rule::Record(reads) => reads.into_inner().unwrap_or_default(),
            _ => HashSet::new(),
        }
    }

    fn ask(&self, read: Read) -> Result<(), NoAnswer> {
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        let answers = match &self.rule {
            Rule::Record(reads) => {
                if let Ok(mut reads) = reads.lock() {
                    reads.insert(read);
                }
                true
            }
            Rule::Only(reads) => reads.contains(&read),
            Rule::AllBut(failing) => number != *failing,
            Rule::Before(failing) => number < *failing,
        };
        if answers { Ok(()) } else { Err(NoAnswer(read)) }
    }
}

impl<S: DatabaseRef<Error: Debug>> DatabaseRef for Partial<'_, S> {
    type Error = NoAnswer;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, NoAnswer> {
        self.ask(Read::Account(address))?;
        self.state.basic_ref(address).map_err(|_| NoAnswer(Read::Account(address)))
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, NoAnswer> {
        self.ask(Read::Code(code_hash))?;
        self.state.code_by_hash_ref(code_hash).map_err(|_| NoAnswer(Read::Code(code_hash)))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, NoAnswer> {
        self.ask(Read::Slot(address, slot))?;
        self.state.storage_ref(address, slot).map_err(|_| NoAnswer(Read::Slot(address, slot)))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, NoAnswer> {
        self.ask(Read::BlockHash(number))?;
        self.state.block_hash_ref(number).map_err(|_| NoAnswer(Read::BlockHash(number)))
    }
}
