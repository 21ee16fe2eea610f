//! Candidates as ordering sees them: what they need of a block, what they pay, and what they will probably touch.

use super::GasUse;
use alloy_consensus::{Transaction as _, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, map::AddressMap};
use braid_runtime::{
    Transaction,
    predict::{
        AccountFields, BlockContext, KeccakCache, PredictedKey, Prediction, Predictor, StateView, TransactionShape,
    },
};
use braid_storage::Snapshot;
use std::{cell::RefCell, collections::HashMap};

/// Keys of a transaction that count.
const MOST_KEYS: usize = 128;

/// A candidate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Item {
    /// Number of the sender.
    pub(super) sender: u32,
    pub(super) gas_limit: u64,
    pub(super) blob_gas: u64,
    /// Gas that is set aside for it in the block.
    pub(super) room: u64,
    /// Gas that it will probably use.
    pub(super) gas: u64,
    /// Whether that is what others like it used in blocks of our own, and not a guess.
    pub(super) is_measured: bool,
    /// Effective tip, in wei per gas.
    pub(super) tip: u128,
    /// Whether what it touches is foretold.
    pub(super) is_known: bool,
    /// Its part of the touches.
    pub(super) touches: (u32, u32),
}

/// A key that a candidate touches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touch {
    /// Number of the key.
    pub(super) key: u32,
    pub(super) reads: bool,
    pub(super) writes: bool,
}

/// Candidates in the order of fees.
#[derive(Clone, Debug, Default)]
pub(super) struct Items {
    pub(super) list: Vec<Item>,
    pub(super) touches: Vec<Touch>,
    /// Number of different keys.
    pub(super) keys: usize,
    /// Number of different senders.
    pub(super) senders: usize,
}

impl Items {
    pub(super) fn touches(&self, index: usize) -> &[Touch] {
        let (from, to) = self.list[index].touches;
        &self.touches[from as usize..to as usize]
    }

    /// Keys on whose last writer a candidate waits, and which it hands on itself: its links in chains.
    pub(super) fn links(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        self.touches(index).iter().filter(|touch| touch.reads && touch.writes).map(|touch| touch.key as usize)
    }

    /// Gas of the longest chain when candidates are executed in this order.
    pub(super) fn longest_chain(&self, order: &[usize]) -> u64 {
        let mut ends = vec![0; self.keys];
        order.iter().map(|index| self.run(*index, &mut ends)).max().unwrap_or_default()
    }

    /// When a candidate can start, in gas, given when the last writers of all keys end.
    pub(super) fn start(&self, index: usize, ends: &[u64]) -> u64 {
        let read = self.touches(index).iter().filter(|touch| touch.reads);
        read.map(|touch| ends[touch.key as usize]).max().unwrap_or_default()
    }

    /// Lets a candidate run as soon as it can. Gives when it ends.
    pub(super) fn run(&self, index: usize, ends: &mut [u64]) -> u64 {
        let end = self.start(index, ends) + self.list[index].gas;
        for touch in self.touches(index).iter().filter(|touch| touch.writes) {
            ends[touch.key as usize] = end;
        }
        end
    }
}

/// A part of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Slot(Address, U256),
    Balance(Address),
    /// The nonce of a sender.
    Sender(u32),
}

/// Makes items of candidates.
pub(super) struct Collector {
    items: Items,
    senders: AddressMap<u32>,
    numbers: HashMap<Key, u32, alloy_primitives::map::DefaultHashBuilder>,
    keccak: KeccakCache,
    prediction: Prediction,
}

impl Collector {
    pub(super) fn new() -> Self {
        Self {
            items: Items::default(),
            senders: AddressMap::default(),
            numbers: HashMap::default(),
            keccak: KeccakCache::default(),
            prediction: Prediction::default(),
        }
    }

    /// Adds candidates; `gas_use` tells the gas that is set aside for each, and what they will probably use.
    pub(super) fn add(&mut self, candidates: &[Recovered<Transaction>], base_fee: u64, gas_use: &GasUse) {
        for tx in candidates {
            let next = self.senders.len() as u32;
            let sender = *self.senders.entry(tx.signer()).or_insert(next);
            let room = gas_use.estimate(tx.inner());
            let mean = gas_use.mean(tx.inner());
            self.items.list.push(Item {
                sender,
                gas_limit: tx.gas_limit(),
                blob_gas: tx.blob_gas_used().unwrap_or_default(),
                room,
                gas: mean.unwrap_or(room).min(room),
                is_measured: mean.is_some(),
                tip: tx.effective_tip_per_gas(base_fee).unwrap_or_default(),
                is_known: false,
                touches: (0, 0),
            });
        }
        self.items.senders = self.senders.len();
    }

    /// Foretells what the candidates touch: everything, or only slots in which transactions often meet, which takes a part of the time and is all
    /// that long chains are made of.
    pub(super) fn predict(
        &mut self,
        candidates: &[Recovered<Transaction>],
        predictor: &Predictor,
        state: &dyn StateView,
        block: BlockContext,
        contended_only: bool,
    ) {
        for (index, tx) in candidates.iter().enumerate() {
            let from = self.items.touches.len();
            let sender = self.items.list[index].sender;
            self.touch(from, Key::Sender(sender), true, true);
            // An EIP-7702 transaction changes accounts that only its signatures name; what a creation touches is not foretold.
            let code_hash =
                tx.to().filter(|_| !tx.is_eip7702()).map(|to| state.code_hash(to).unwrap_or(KECCAK256_EMPTY));
            let is_plain = code_hash == Some(KECCAK256_EMPTY);
            if let Some(code_hash) = code_hash.filter(|_| !is_plain) {
                let shape = TransactionShape {
                    sender: tx.signer(),
                    to: tx.to(),
                    code_hash,
                    input: tx.input(),
                    value: tx.value(),
                    gas_limit: tx.gas_limit(),
                    block,
                };
                self.predict_one(index, from, &shape, predictor, state, contended_only);
            }
            let to = self.items.touches.len() as u32;
            let item = &mut self.items.list[index];
            item.is_known |= is_plain;
            item.touches = (from as u32, to);
        }
        self.items.keys = self.numbers.len();
    }

    fn predict_one(
        &mut self,
        index: usize,
        from: usize,
        shape: &TransactionShape<'_>,
        predictor: &Predictor,
        state: &dyn StateView,
        contended_only: bool,
    ) {
        let mut prediction = std::mem::take(&mut self.prediction);
        if contended_only {
            let outline = predictor.outline(shape);
            if outline.contended {
                predictor.predict_contended(shape, state, &mut self.keccak, &mut prediction);
            } else {
                prediction.clear();
            }
            (prediction.known, prediction.gas) = (outline.known, outline.gas);
        } else {
            predictor.predict(shape, state, &mut self.keccak, &mut prediction);
        }
        if prediction.known {
            for access in prediction.keys.iter().filter(|access| !access.assumed).take(MOST_KEYS) {
                match access.key {
                    PredictedKey::Slot { address, slot, write } => {
                        self.touch(from, Key::Slot(address, slot), true, write);
                    }
                    PredictedKey::Account { address, fields, .. } => {
                        let reads = fields.contains(AccountFields::BALANCE);
                        let writes = fields.intersects(AccountFields::CREDIT.union(AccountFields::FUNDS));
                        if reads || writes {
                            self.touch(from, Key::Balance(address), reads, writes);
                        }
                    }
                }
            }
            let item = &mut self.items.list[index];
            item.is_known = true;
            if !item.is_measured {
                item.gas = prediction.gas.clamp(21_000, shape.gas_limit.max(21_000)).min(item.room.max(21_000));
            }
        }
        self.prediction = prediction;
    }

    fn touch(&mut self, from: usize, key: Key, reads: bool, writes: bool) {
        let next = self.numbers.len() as u32;
        let key = *self.numbers.entry(key).or_insert(next);
        match self.items.touches[from..].iter_mut().find(|touch| touch.key == key) {
            Some(touch) => {
                touch.reads |= reads;
                touch.writes |= writes;
            }
            None => self.items.touches.push(Touch { key, reads, writes }),
        }
    }

    pub(super) const fn items(&self) -> &Items {
        &self.items
    }
}

/// The state that the block is built on, as predictions look at it. Whatever cannot be read is not known.
pub(super) struct ParentState<'a> {
    snapshot: &'a Snapshot,
    codes: RefCell<AddressMap<Option<B256>>>,
}

impl<'a> ParentState<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, codes: RefCell::default() }
    }
}

impl StateView for ParentState<'_> {
    fn storage(&self, address: Address, slot: U256) -> Option<U256> {
        self.snapshot.slot(address, slot).ok()
    }

    fn code_hash(&self, address: Address) -> Option<B256> {
        let read = || self.snapshot.account(address).ok().flatten().map(|account| account.code_hash);
        *self.codes.borrow_mut().entry(address).or_insert_with(read)
    }

    fn code(&self, address: Address) -> Option<Bytes> {
        let hash = self.code_hash(address).filter(|hash| *hash != KECCAK256_EMPTY)?;
        Some(self.snapshot.code(hash).ok()?.original_bytes())
    }
}
