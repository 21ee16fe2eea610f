//! The predictor itself: a bounded set of templates that foretells and learns.
//!
//! [`Predictor::predict`] takes `&self` and may run on several threads at once; [`Predictor::learn`] takes `&mut self`.
//! A template counts calls, not transactions: what a token's `transfer` touches is learned once, whether it was called by
//! the transaction itself or at the bottom of a router's call tree. To foretell a transaction the call tree is
//! unrolled again from the templates.

use super::{
    BlockContext, KeccakCache, ObservedAccesses, ObservedCall, ObservedSlot, Prediction, PredictorError, StateView,
    TransactionShape,
    evaluate::Frame,
    family::{Fingerprints, Operands},
    learn::{CallToLearn, Coverage, learn_call},
    observe::CallKind,
    preimages::Preimages,
    saved,
    store::{Function, PartlyKnown, Store, TemplateKey, traits},
    walk::{Limits, Walk},
};
use alloy_primitives::{
    Address, B256, KECCAK256_EMPTY, U256,
    map::{HashMap, HashSet},
};
use std::sync::atomic::Ordering;

/// Gas of a transaction of which nothing is known: about the average on mainnet.
const UNKNOWN_GAS: u64 = 80_000;
/// Gas of a plain transfer.
const TRANSFER_GAS: u64 = 21_000;
/// Longest pause, in powers of two of transactions, of learning from a function that teaches nothing new.
const MAX_PAUSE: u8 = 8;
/// Bits of the hash cache that learning uses.
const LEARNING_CACHE_BITS: u32 = 11;

/// Bounds of a [`Predictor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredictorConfig {
    /// Templates kept; each takes a few kilobytes, at most about 40.
    pub max_templates: usize,
    /// Keys per prediction.
    pub max_keys: usize,
    /// Likelihood (255 is certain) below which a key is not predicted.
    pub min_likelihood: u8,
}

impl Default for PredictorConfig {
    fn default() -> Self {
        Self { max_templates: 32_768, max_keys: 1024, min_likelihood: 100 }
    }
}

/// Templates of what transactions touch, learned from what they did touch.
#[derive(Debug)]
pub struct Predictor {
    pub(super) config: PredictorConfig,
    pub(super) store: Store,
    pub(super) learning_cache: KeccakCache,
    operands: Operands,
    /// Functions whose code said nothing, so that it is not read again.
    pub(super) unreadable: HashSet<TemplateKey>,
}

impl Default for Predictor {
    fn default() -> Self {
        Self::new(PredictorConfig::default())
    }
}

impl Predictor {
    /// A predictor that knows nothing.
    pub fn new(config: PredictorConfig) -> Self {
        Self::with_store(config, Store::default())
    }

    fn with_store(config: PredictorConfig, store: Store) -> Self {
        let learning_cache = KeccakCache::with_bits(LEARNING_CACHE_BITS);
        Self { config, store, learning_cache, operands: Operands::default(), unreadable: HashSet::default() }
    }

    /// The bounds it was made with.
    pub const fn config(&self) -> &PredictorConfig {
        &self.config
    }

    /// Foretells what a transaction will touch beyond its envelope (sender, recipient and beneficiary as such, created
    /// address, authorities, declared access list). `state` answers for slots on whose values other keys depend: a
    /// proxy's implementation, a factory's pair.
    pub fn predict(
        &self,
        shape: &TransactionShape<'_>,
        state: &dyn StateView,
        keccak: &mut KeccakCache,
        out: &mut Prediction,
    ) {
        self.foretell(shape, state, keccak, out, false);
    }

    /// Foretells only where the transaction may meet others: slots that transactions like it were seen to share. It costs a part of what
    /// [`predict`](Self::predict) costs, and suits few threads, on which everything else hardly ever collides.
    pub fn predict_contended(
        &self,
        shape: &TransactionShape<'_>,
        state: &dyn StateView,
        keccak: &mut KeccakCache,
        out: &mut Prediction,
    ) {
        self.foretell(shape, state, keccak, out, true);
    }

    fn foretell(
        &self,
        shape: &TransactionShape<'_>,
        state: &dyn StateView,
        keccak: &mut KeccakCache,
        out: &mut Prediction,
        contended_only: bool,
    ) {
        out.clear();
        out.gas = UNKNOWN_GAS.min(shape.gas_limit);
        let Some(to) = shape.to else { return };
        if shape.code_hash == KECCAK256_EMPTY {
            out.known = true;
            out.confidence = u8::MAX;
            out.gas = TRANSFER_GAS.min(shape.gas_limit);
            return;
        }
        let likelihood = self.config.min_likelihood as u32;
        let limits = Limits { keys: self.config.max_keys, likelihood, contended_only };
        let fingerprints = &mut out.scratch.fingerprints;
        let input = PartlyKnown::whole(shape.input);
        let found = self.store.find_for_account(to, shape.code_hash, input, state, fingerprints);
        let Some(found) = found else {
            out.incomplete = true;
            Walk::new(&self.store, shape, state, keccak, out, limits).run_unknown(to);
            return;
        };
        let template = found.template;
        out.known = template.observations > 0 || template.is_read;
        out.confidence = template.coverage;
        if let Some(gas) = self.store.usual_gas(template, shape.code_hash, shape.input) {
            out.gas = gas.min(shape.gas_limit);
        }
        Walk::new(&self.store, shape, state, keccak, out, limits).run(found, to);
    }

    /// Learned gas of transactions like this, capped by the gas limit, and whether they meet others often enough for
    /// [`predict_contended`](Self::predict_contended) to pay.
    pub fn outline(&self, shape: &TransactionShape<'_>) -> Outline {
        if shape.code_hash == KECCAK256_EMPTY && shape.to.is_some() {
            return Outline { gas: TRANSFER_GAS.min(shape.gas_limit), known: true, contended: false };
        }
        let found = self.store.find_for_code(shape.code_hash, PartlyKnown::whole(shape.input));
        let learned = found.and_then(|template| self.store.usual_gas(template, shape.code_hash, shape.input));
        let gas = learned.unwrap_or(UNKNOWN_GAS).min(shape.gas_limit);
        Outline { gas, known: found.is_some(), contended: found.is_some_and(|template| template.contended) }
    }

    /// Whether recording this transaction and learning from it is worth while. The longer a function taught
    /// nothing new, the rarer the answer is yes: every second time, every fourth, up to every 256th.
    pub fn wants(&self, shape: &TransactionShape<'_>) -> bool {
        if shape.to.is_none() || shape.code_hash == KECCAK256_EMPTY {
            return false;
        }
        let Some(template) = self.store.find_in_family(shape.code_hash, Function::of(shape.input)) else { return true };
        let paused = template.pause.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        paused.is_err()
    }

    /// A prediction proved wrong: the next transaction of this function is worth learning from again.
    pub fn distrust(&self, shape: &TransactionShape<'_>) {
        if let Some(template) = self.store.find_in_family(shape.code_hash, Function::of(shape.input)) {
            template.pause.store(0, Ordering::Relaxed);
        }
    }

    /// Learns from a transaction that ran, whether it succeeded or not.
    pub fn learn<P: Preimages + ?Sized>(
        &mut self,
        shape: &TransactionShape<'_>,
        observed: &ObservedAccesses,
        preimages: &P,
    ) {
        self.store.now = self.store.now.wrapping_add(1);
        let Some(to) = shape.to else { return };
        if shape.code_hash == KECCAK256_EMPTY {
            return;
        }
        let mut loads: HashMap<(Address, U256), U256> = HashMap::default();
        for slot in &observed.slots {
            loads.entry((slot.address, slot.slot)).or_insert(slot.value);
        }
        self.store.note_code(to, shape.code_hash);
        let code = observed.code(shape.code_hash).map_or(&[][..], |code| code);
        let mut coverage = Coverage::default();
        let ran = Ran { shape, observed, loads: &loads, preimages };
        // From the innermost calls outwards: what is contended in a call is so in its caller.
        let mut learned: Vec<Option<TemplateKey>> = vec![None; observed.calls.len() + 1];
        let mut contended = vec![false; observed.calls.len() + 1];
        for (index, call) in observed.calls.iter().enumerate().rev() {
            if call.kind != CallKind::Create {
                self.store.note_code(call.code_address, call.code_hash);
            }
            if call.kind == CallKind::Create || call.code_hash == KECCAK256_EMPTY || call.code_hash == B256::ZERO {
                continue;
            }
            let start = Start {
                code_hash: call.code_hash,
                this: call.this,
                caller: call.caller,
                value: call.value,
                code: observed.code(call.code_hash).map_or(&[][..], |code| code),
                input: &observed.bytes[call.input.start as usize..call.input.end as usize],
                output: &observed.bytes[call.output.start as usize..call.output.end as usize],
                success: call.success,
            };
            let (key, found) = self.learn_one(&ran, &start, index as u32 + 1, &contended);
            learned[index + 1] = Some(key);
            contended[index + 1] = self.store.find_or_add(key, self.config.max_templates).contended;
            coverage.foreseen += found.foreseen;
            coverage.all += found.all;
        }
        let root = self.learn_one(&ran, &outer_call(shape, to, code), 0, &contended);
        learned[0] = Some(root.0);
        coverage.foreseen += root.1.foreseen;
        coverage.all += root.1.all;
        self.mix_callers(&learned, observed);
        self.conclude(root.0, coverage, observed);
        if let Function::Sized(selector, _) | Function::Variant(selector, _) = root.0.function {
            let general = TemplateKey { function: Function::Selector(selector), ..root.0 };
            self.conclude(general, coverage, observed);
        }
    }

    /// Calls of a function differ where those of a function that it calls do: what tells them apart there is often computed here from
    /// what tells them apart here.
    fn mix_callers(&mut self, learned: &[Option<TemplateKey>], observed: &ObservedAccesses) {
        for (index, call) in observed.calls.iter().enumerate().rev() {
            let key = |index: usize| learned.get(index).copied().flatten().map(TemplateKey::general);
            let (Some(callee), Some(caller)) = (key(index + 1), key(call.parent as usize)) else { continue };
            let limit = self.config.max_templates;
            if self.store.find_or_add(callee, limit).mixed {
                self.store.find_or_add(caller, limit).mixed = true;
            }
        }
    }

    /// Notes for the function that the transaction called how much of the whole call tree had been foreseen.
    fn conclude(&mut self, key: TemplateKey, coverage: Coverage, observed: &ObservedAccesses) {
        let template = self.store.find_or_add(key, self.config.max_templates);
        let share = (coverage.foreseen * 255).checked_div(coverage.all).unwrap_or(255).min(255);
        let first = template.gas == 0;
        template.gas = if first { observed.gas_used } else { (template.gas * 3 + observed.gas_used) / 4 };
        template.coverage = if first { share / 2 } else { (template.coverage as u32 * 3 + share) / 4 }.min(255) as u8;
        template.stable = if share >= 250 { (template.stable + 1).min(MAX_PAUSE) } else { 0 };
        let pause = if template.stable == 0 { 0 } else { (1u32 << template.stable) - 1 };
        template.pause.store(pause, Ordering::Relaxed);
    }

    fn learn_one<P: Preimages + ?Sized>(
        &mut self,
        ran: &Ran<'_, P>,
        start: &Start<'_>,
        index: u32,
        contended: &[bool],
    ) -> (TemplateKey, Coverage) {
        let Ran { shape, observed, loads, preimages } = *ran;
        let is_child = |(_, call): &(usize, &ObservedCall)| call.parent == index;
        let children = || observed.calls.iter().enumerate().filter(is_child);
        let contended: Vec<bool> = children().map(|(position, _)| contended[position + 1]).collect();
        let children: Vec<&ObservedCall> = children().map(|(_, call)| call).collect();
        let mut slots: Vec<ObservedSlot> = Vec::new();
        for slot in observed.slots.iter().filter(|slot| slot.call == index) {
            match slots.iter_mut().find(|seen| seen.slot == slot.slot && seen.address == slot.address) {
                Some(seen) => {
                    seen.written |= slot.written;
                    seen.new_value = slot.new_value;
                }
                None => slots.push(*slot),
            }
        }
        // A slot that gets its old value back, as a lock does, is as good as read: nobody has to wait for it.
        slots.iter_mut().for_each(|slot| slot.written &= slot.new_value != slot.value);
        let accounts: Vec<_> = observed.accounts.iter().filter(|account| account.call == index).copied().collect();
        let forwards = children.iter().any(|child| {
            child.kind == CallKind::Delegate
                && observed.bytes[child.input.start as usize..child.input.end as usize] == *start.input
        });
        let function = if forwards && start.input.len() >= 4 { Function::Any } else { Function::of(start.input) };
        let home =
            if start.code.is_empty() { start.code_hash } else { self.store.home_of(start.code_hash, start.code) };
        let operands = self.operands.of(start.code_hash, start.code);
        let key = TemplateKey { code_hash: home, function };
        let block: &BlockContext = &shape.block;
        let call = CallToLearn {
            frame: Frame {
                this: start.this,
                caller: start.caller,
                origin: shape.sender,
                value: Some(start.value),
                input: start.input,
                mask: &[],
                block,
            },
            slots: &slots,
            accounts: &accounts,
            children: &children,
            output: start.output,
            code: start.code,
            operands: &operands,
            is_home: home == start.code_hash,
            contended: &contended,
            lesson: self.store.now,
            success: start.success && (index != 0 || observed.success),
        };
        let limit = self.config.max_templates;
        let template = self.store.find_or_add(key, limit);
        let length = start.input.len() as u32;
        if template.observations == 0 {
            template.length = length;
        }
        template.varied |= template.length != length;
        let varied = template.varied;
        let coverage = learn_call(template, &call, observed, loads, &mut self.learning_cache, preimages);
        template.mixed |= template.is_mixed();
        let mixed = template.mixed;
        if let (true, Function::Selector(selector)) = (mixed, function) {
            let traits = traits(PartlyKnown::whole(start.input));
            let general = key;
            let key = TemplateKey { code_hash: home, function: Function::Variant(selector, traits) };
            let first = (!self.store.holds(&key)).then(|| self.store.find_or_add(general, limit).variant());
            let variant = self.store.find_or_add(key, limit);
            if let Some(first) = first {
                *variant = first;
            }
            let coverage = learn_call(variant, &call, observed, loads, &mut self.learning_cache, preimages);
            return (key, coverage);
        }
        if let (true, Function::Selector(selector)) = (varied, function) {
            let key = TemplateKey { code_hash: home, function: Function::Sized(selector, length) };
            let sized = self.store.find_or_add(key, limit);
            let coverage = learn_call(sized, &call, observed, loads, &mut self.learning_cache, preimages);
            return (key, coverage);
        }
        (key, coverage)
    }

    /// Whether anything was learned of the function that `input` names, of the code at `address` or of its family.
    pub fn knows(&self, address: Address, code_hash: B256, input: &[u8], state: &dyn StateView) -> bool {
        code_hash == KECCAK256_EMPTY
            || self
                .store
                .find_for_account(address, code_hash, PartlyKnown::whole(input), state, &mut Fingerprints::default())
                .is_some()
    }

    /// Whether anything was learned of the code at `address` or of its family.
    pub fn knows_code(&self, address: Address, code_hash: B256, state: &dyn StateView) -> bool {
        self.store.knows_code(code_hash) || state.code(address).is_some_and(|code| self.store.knows_family(&code))
    }

    /// Number of templates.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether nothing was learned yet.
    pub fn is_empty(&self) -> bool {
        self.store.len() == 0
    }

    /// The predictor as bytes: versioned, compressed, with a checksum.
    pub fn save(&self) -> Vec<u8> {
        saved::save(&self.store)
    }

    /// A predictor from the bytes of [`save`](Self::save).
    pub fn load(bytes: &[u8], config: PredictorConfig) -> Result<Self, PredictorError> {
        Ok(Self::with_store(config, saved::load(bytes, config.max_templates)?))
    }
}

/// What is known of a transaction without foretelling what it touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Gas.
    pub gas: u64,
    /// Whether anything was learned of transactions like it.
    pub known: bool,
    /// Whether transactions like it meet each other in some slot.
    pub contended: bool,
}

/// A transaction that ran, to be learned from.
struct Ran<'a, P: ?Sized> {
    shape: &'a TransactionShape<'a>,
    observed: &'a ObservedAccesses,
    /// Values that slots had when they were first loaded.
    loads: &'a HashMap<(Address, U256), U256>,
    preimages: &'a P,
}

/// A call that begins.
struct Start<'a> {
    code_hash: B256,
    /// Empty when it is not at hand.
    code: &'a [u8],
    this: Address,
    caller: Address,
    value: U256,
    input: &'a [u8],
    output: &'a [u8],
    success: bool,
}

const fn outer_call<'a>(shape: &TransactionShape<'a>, to: Address, code: &'a [u8]) -> Start<'a> {
    Start {
        code,
        code_hash: shape.code_hash,
        this: to,
        caller: shape.sender,
        value: shape.value,
        input: shape.input,
        output: &[],
        success: true,
    }
}
