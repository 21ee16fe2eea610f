//! Why keys were missed, and why some were predicted in vain.

use super::{RanBlock, RanTransaction, TouchedSlot};
use alloy_primitives::{Address, B256, U256, map::HashMap, map::HashSet};
use braid_runtime::predict::{
    CallKind, KeccakCache, ObservedCall, Prediction, Predictor, PredictorConfig, PredictorError, Preimages,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a slot was not predicted. The first reason on the way from the transaction to the slot counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Miss {
    /// The code that the transaction calls was never seen.
    NewCode,
    /// The function that the transaction calls was never seen, its code was.
    NewFunction,
    /// A creation: the predictor does not look into init code.
    Creation,
    /// Code created by this very block.
    CreatedInBlock,
    /// On the way there is a call of a code or a function that was never seen.
    NewInnerCode,
    /// A call on the way is known, but too rare: another branch is usual.
    RareCall,
    /// A call on the way was not foreseen: its target or its input could not be derived, or nobody made it before.
    UnforeseenCall,
    /// The expression is known, but too rare: another branch is usual.
    RareSlot,
    /// A slot with a fixed number that no call of this function touched before.
    FixedSlot,
    /// A mapping's slot, all keys of which are in the call data or are accounts of the call.
    PlainMapping,
    /// A mapping's slot with a key that was computed, or loaded, or returned.
    ComputedMapping,
    /// An element or a field at a distance from a hash.
    Element,
    /// No hash explains the number: computed, or hashed somewhere else.
    Unexplained,
}

impl Miss {
    /// All reasons, in the order of tables.
    pub const ALL: [Self; 13] = [
        Self::NewCode,
        Self::NewFunction,
        Self::Creation,
        Self::CreatedInBlock,
        Self::NewInnerCode,
        Self::RareCall,
        Self::UnforeseenCall,
        Self::RareSlot,
        Self::FixedSlot,
        Self::PlainMapping,
        Self::ComputedMapping,
        Self::Element,
        Self::Unexplained,
    ];

    /// What it means, for tables.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::NewCode => "the code called was never seen",
            Self::NewFunction => "the function called was never seen",
            Self::Creation => "init code of a creation",
            Self::CreatedInBlock => "the contract was created in this block",
            Self::NewInnerCode => "an inner call of a code or function never seen",
            Self::RareCall => "an inner call that is known, but rare (branch)",
            Self::UnforeseenCall => "an inner call with an underivable target or input, or never made before",
            Self::RareSlot => "an expression that is known, but rare (branch)",
            Self::FixedSlot => "a fixed slot that was never touched before (branch)",
            Self::PlainMapping => "a mapping with keys from the call",
            Self::ComputedMapping => "a mapping with a computed, loaded or returned key",
            Self::Element => "an array element or a field at a distance from a hash",
            Self::Unexplained => "a number that no hash explains",
        }
    }

    /// Whether no learning from other blocks could have helped.
    pub const fn is_unseen(self) -> bool {
        matches!(self, Self::NewCode | Self::NewFunction | Self::Creation | Self::CreatedInBlock | Self::NewInnerCode)
    }
}

/// Why a slot was predicted in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Excess {
    /// The transaction failed before it got there.
    Failed,
    /// The contract was not touched: a call that was not made.
    CallNotMade,
    /// The contract was touched, the slot's likelihood was under 70 %.
    UnlikelySlot,
    /// The contract was touched, the slot was likely.
    LikelySlot,
}

impl Excess {
    /// All reasons, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Failed, Self::CallNotMade, Self::UnlikelySlot, Self::LikelySlot];

    /// What it means, for tables.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Failed => "the transaction failed before",
            Self::CallNotMade => "the contract was not touched at all",
            Self::UnlikelySlot => "another slot of the contract, likelihood below 70 %",
            Self::LikelySlot => "another slot of the contract, likelihood of 70 % or more",
        }
    }
}

/// A number of missed slots and of transactions with them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct MissCount {
    /// Slots.
    pub slots: u64,
    /// Transactions.
    pub transactions: u64,
}

/// All that was missed or predicted in vain.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Misses {
    /// Missed, by reason.
    pub missed: BTreeMap<Miss, MissCount>,
    /// In vain, by reason.
    pub in_vain: BTreeMap<Excess, MissCount>,
    /// By recipient and selector: missed and in vain, transactions, and the most frequent reason for a miss.
    #[serde(skip)]
    functions: HashMap<(Address, [u8; 4]), FunctionMisses>,
    /// The functions with the most of both.
    pub worst: Vec<WorstFunction>,
    /// Every single one, in words, when they were asked for.
    #[serde(skip)]
    pub list: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct FunctionMisses {
    transactions: u64,
    missed: BTreeMap<Miss, u64>,
    in_vain: u64,
}

/// A function of which much was missed or predicted in vain.
#[derive(Clone, Debug, Serialize)]
pub struct WorstFunction {
    /// Recipient.
    pub to: Address,
    /// Selector.
    pub selector: String,
    /// Calls with a miss or an excess.
    pub transactions: u64,
    /// Slots missed.
    pub missed: u64,
    /// Slots predicted in vain.
    pub in_vain: u64,
    /// The most frequent reason for a miss.
    pub reason: Option<Miss>,
}

/// Says why keys were missed by one predictor.
#[derive(Debug)]
pub(super) struct Judge<'a> {
    predictor: &'a Predictor,
    /// The same with hardly any bar: what it knows, but does not believe.
    credulous: Predictor,
    prediction: Prediction,
    keccak: KeccakCache,
}

impl<'a> Judge<'a> {
    pub(super) fn new(predictor: &'a Predictor) -> Result<Self, PredictorError> {
        let config = PredictorConfig { min_likelihood: 1, ..*predictor.config() };
        let credulous = Predictor::load(&predictor.save(), config)?;
        Ok(Self { predictor, credulous, prediction: Prediction::default(), keccak: KeccakCache::default() })
    }

    /// Sorts the differences between a prediction, which was asked to keep the calls it followed, and the truth.
    pub(super) fn judge(
        &mut self,
        block: &RanBlock,
        ran: &RanTransaction,
        prediction: &Prediction,
        misses: &mut Misses,
        list: bool,
    ) {
        let predicted: HashSet<(Address, U256)> =
            prediction.slots().map(|(address, slot, _)| (address, slot)).collect();
        let touched: HashSet<(Address, U256)> =
            ran.touched.iter().map(|touched| (touched.address, touched.slot)).collect();
        if predicted == touched {
            return;
        }
        self.prediction.follow_calls(true);
        self.credulous.predict(&block.shape(ran), &*block.parent, &mut self.keccak, &mut self.prediction);
        let mut reasons: HashSet<Miss> = HashSet::default();
        let mut functions = FunctionMisses { transactions: 1, ..FunctionMisses::default() };
        for missed in ran.touched.iter().filter(|slot| !predicted.contains(&(slot.address, slot.slot))) {
            let reason = self.reason(block, ran, missed, prediction);
            let count = misses.missed.entry(reason).or_default();
            count.slots += 1;
            count.transactions += u64::from(reasons.insert(reason));
            *functions.missed.entry(reason).or_default() += 1;
            if list {
                misses.list.push(format!("{reason:?}: {}", describe(block, ran, missed)));
            }
        }
        let owners: HashSet<Address> = touched.iter().map(|(address, _)| *address).collect();
        let mut excesses: HashSet<Excess> = HashSet::default();
        for access in prediction.keys.iter().filter(|access| !access.assumed) {
            let braid_runtime::predict::PredictedKey::Slot { address, slot, .. } = access.key else { continue };
            if touched.contains(&(address, slot)) {
                continue;
            }
            let reason = match () {
                () if !ran.observed.success => Excess::Failed,
                () if !owners.contains(&address) => Excess::CallNotMade,
                () if access.likelihood < 178 => Excess::UnlikelySlot,
                () => Excess::LikelySlot,
            };
            let count = misses.in_vain.entry(reason).or_default();
            count.slots += 1;
            count.transactions += u64::from(excesses.insert(reason));
            functions.in_vain += 1;
            if list {
                let (name, to) = (&block.name, ran.to.unwrap_or_default());
                let selector = alloy_primitives::hex::encode(&ran.input[..ran.input.len().min(4)]);
                misses.list.push(format!(
                    "in vain, {reason:?}: block {name} {to} {selector}: {address} {slot:#x} at {}",
                    access.likelihood
                ));
            }
        }
        let key = (ran.to.unwrap_or_default(), ran.input.first_chunk().copied().unwrap_or_default());
        let entry = misses.functions.entry(key).or_default();
        entry.transactions += 1;
        entry.in_vain += functions.in_vain;
        functions.missed.into_iter().for_each(|(reason, slots)| *entry.missed.entry(reason).or_default() += slots);
    }

    fn reason(&self, block: &RanBlock, ran: &RanTransaction, missed: &TouchedSlot, prediction: &Prediction) -> Miss {
        let Some(to) = ran.to else { return Miss::Creation };
        if ran.code_hash == revm::primitives::KECCAK_EMPTY {
            return Miss::CreatedInBlock;
        }
        let parent = &*block.parent;
        if !prediction.known {
            return if self.predictor.knows_code(to, ran.code_hash, parent) {
                Miss::NewFunction
            } else {
                Miss::NewCode
            };
        }
        let first = ran.observed.slots.iter().find(|slot| slot.address == missed.address && slot.slot == missed.slot);
        let Some(first) = first else { return Miss::Unexplained };
        for call in path(ran, first.call) {
            if call.kind == CallKind::Create {
                return Miss::Creation;
            }
            let followed = |prediction: &Prediction| {
                prediction
                    .followed()
                    .iter()
                    .any(|seen| seen.code_address == call.code_address && seen.this == call.this)
            };
            if !followed(prediction) {
                return if followed(&self.prediction) { Miss::RareCall } else { Miss::UnforeseenCall };
            }
            let input = &ran.observed.bytes[call.input.start as usize..call.input.end as usize];
            if !self.predictor.knows(call.code_address, call.code_hash, input, parent) {
                return Miss::NewInnerCode;
            }
        }
        if self.prediction.slots().any(|(address, slot, _)| address == missed.address && slot == missed.slot) {
            return Miss::RareSlot;
        }
        form(ran, first.call, missed.slot)
    }
}

/// The inner calls from the transaction down to call `index`.
fn path(ran: &RanTransaction, index: u32) -> Vec<&ObservedCall> {
    let mut path = Vec::new();
    let mut at = index;
    while let Some(call) = (at as usize).checked_sub(1).and_then(|at| ran.observed.calls.get(at)) {
        path.push(call);
        at = call.parent;
    }
    path.reverse();
    path
}

/// What kind of number a slot is.
fn form(ran: &RanTransaction, call: u32, slot: U256) -> Miss {
    if slot.bit_len() <= 64 {
        return Miss::FixedSlot;
    }
    let (caller, this, input) = match (call as usize).checked_sub(1).and_then(|at| ran.observed.calls.get(at)) {
        Some(call) => (call.caller, call.this, &ran.observed.bytes[call.input.start as usize..call.input.end as usize]),
        None => (ran.sender, ran.to.unwrap_or_default(), &ran.input[..]),
    };
    let mut slot = slot;
    let mut is_plain = true;
    for depth in 0..6 {
        let (hashed, offset) = match ran.preimages.near(slot) {
            Some(found) => found,
            None => match ran.preimages.long(&B256::from(slot)) {
                Some(long) => (long, 0),
                None if depth == 0 => return Miss::Unexplained,
                None => break,
            },
        };
        if offset > 16 || hashed.len() == 32 {
            return Miss::Element;
        }
        if hashed.len() != 64 {
            return Miss::ComputedMapping;
        }
        let halves = [U256::from_be_slice(&hashed[..32]), U256::from_be_slice(&hashed[32..])];
        // Solidity hashes key and base, Vyper base and key.
        let base = usize::from(halves[0].bit_len() > 32 || halves[1].bit_len() <= 32);
        let key = halves[1 - base];
        let is_account =
            [caller, this, ran.sender].iter().any(|account| U256::from_be_slice(account.as_slice()) == key);
        let is_given = (key.bit_len() > 12 || input.len() < 4)
            && input.len() >= 36
            && (0..(input.len() - 4) / 32)
                .any(|word| U256::from_be_slice(&input[4 + 32 * word..36 + 32 * word]) == key);
        is_plain &= is_account || is_given;
        slot = halves[base];
        if slot.bit_len() <= 64 {
            break;
        }
    }
    if is_plain { Miss::PlainMapping } else { Miss::ComputedMapping }
}

fn describe(block: &RanBlock, ran: &RanTransaction, missed: &TouchedSlot) -> String {
    let selector = |input: &[u8]| alloy_primitives::hex::encode(&input[..input.len().min(4)]);
    let first = ran.observed.slots.iter().find(|slot| slot.address == missed.address && slot.slot == missed.slot);
    let mut text = format!("block {} {} {}", block.name, ran.to.unwrap_or_default(), selector(&ran.input));
    for call in first.map(|first| path(ran, first.call)).unwrap_or_default() {
        let input = &ran.observed.bytes[call.input.start as usize..call.input.end as usize];
        text += &format!(" > {:?} {} {}", call.kind, call.code_address, selector(input));
    }
    text += &format!(": slot {:#x} of {}", missed.slot, missed.address);
    let mut slot = missed.slot;
    while let Some((input, offset)) = ran.preimages.near(slot) {
        text += &format!(" = keccak({}) + {offset}", alloy_primitives::hex::encode(input));
        slot = U256::from_be_slice(&input[input.len() - 32..]);
    }
    if let Some(input) = ran.preimages.long(&B256::from(slot)) {
        text += &format!(" = keccak({})", alloy_primitives::hex::encode(input));
    }
    text
}

impl Misses {
    /// Adds what others missed.
    pub fn add(&mut self, other: Self) {
        let add = |to: &mut MissCount, count: MissCount| {
            to.slots += count.slots;
            to.transactions += count.transactions;
        };
        other.missed.into_iter().for_each(|(reason, count)| add(self.missed.entry(reason).or_default(), count));
        other.in_vain.into_iter().for_each(|(reason, count)| add(self.in_vain.entry(reason).or_default(), count));
        for (key, function) in other.functions {
            let entry = self.functions.entry(key).or_default();
            entry.transactions += function.transactions;
            entry.in_vain += function.in_vain;
            function.missed.into_iter().for_each(|(reason, slots)| *entry.missed.entry(reason).or_default() += slots);
        }
        self.list.extend(other.list);
    }

    /// Fills [`worst`](Self::worst) with so many functions.
    pub fn rank(&mut self, count: usize) {
        let mut all: Vec<WorstFunction> = self
            .functions
            .iter()
            .map(|((to, selector), function)| WorstFunction {
                to: *to,
                selector: alloy_primitives::hex::encode_prefixed(selector),
                transactions: function.transactions,
                missed: function.missed.values().sum(),
                in_vain: function.in_vain,
                reason: function.missed.iter().max_by_key(|(_, slots)| **slots).map(|(reason, _)| *reason),
            })
            .collect();
        all.sort_unstable_by_key(|function| {
            (std::cmp::Reverse(function.missed + function.in_vain), function.to, function.selector.clone())
        });
        all.truncate(count);
        self.worst = all;
    }
}
