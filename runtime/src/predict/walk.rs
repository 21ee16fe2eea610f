//! Foretelling a transaction: its template is evaluated, then those of the calls it probably makes, and so on.

use super::{
    FollowedCall, KeccakCache, PredictedAccess, PredictedKey, Prediction, StateView, TransactionShape,
    assume::assume,
    evaluate::{Environment, Frame, Mark, Memo, Program},
    expression::{NodeIndex, address_of},
    family::word_at,
    learn::bytes_at,
    observe::CallKind,
    scratch::Scratch,
    store::{Found, Function, PartlyKnown, Store},
    template::{CallEntry, InputShape, Template},
};
use alloy_primitives::{Address, KECCAK256_EMPTY, U256};

/// Entries of templates that are evaluated for any transaction, for each so much of its gas limit, and at most: a
/// prediction must stay cheap against the execution, also when somebody trained the templates to the contrary.
const FREE_WORK: u64 = 48;
const GAS_FOR_WORK: u64 = 1024;
const MAX_WORK: u64 = 2048;
/// Depth to which calls are followed.
const MAX_DEPTH: u8 = 12;
/// Length of an inner call's input that is put together.
const MAX_INPUT: u32 = 4096;

/// Where a call's input lies.
#[derive(Clone, Copy, Debug)]
enum Input {
    /// In the transaction's own.
    Outer { from: usize, to: usize },
    /// In the arena.
    Arena { from: usize, to: usize },
}

#[derive(Clone, Copy, Debug)]
struct Call {
    /// Account whose code runs.
    code_address: Address,
    /// Whether that code is the one that the template is kept under.
    is_home: bool,
    this: Address,
    caller: Address,
    value: Option<U256>,
    input: Input,
    likelihood: u32,
    depth: u8,
}

/// Limits of a prediction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) keys: usize,
    pub(super) likelihood: u32,
    /// Only slots in which transactions meet, and what leads to them.
    pub(super) contended_only: bool,
}

/// A prediction in the making.
pub(super) struct Walk<'a> {
    pub(super) store: &'a Store,
    pub(super) shape: &'a TransactionShape<'a>,
    pub(super) state: &'a dyn StateView,
    pub(super) keccak: &'a mut KeccakCache,
    pub(super) out: &'a mut Prediction,
    pub(super) limits: Limits,
    work_left: u64,
}

struct Present<'a> {
    state: &'a dyn StateView,
    code_address: Address,
    is_home: bool,
    returned: &'a [(u16, u8, U256)],
    keccak: &'a mut KeccakCache,
}

impl Environment for Present<'_> {
    fn load(&mut self, address: Address, slot: U256) -> Option<U256> {
        self.state.storage(address, slot)
    }

    fn returned(&mut self, call: u16, word: u8) -> Option<U256> {
        self.returned.iter().find(|seen| seen.0 == call && seen.1 == word).map(|seen| seen.2)
    }

    fn keccak(&mut self) -> &mut KeccakCache {
        self.keccak
    }

    fn is_home(&self) -> bool {
        self.is_home
    }

    fn code_word(&mut self, offset: u32, width: u8) -> Option<U256> {
        word_at(&self.state.code(self.code_address)?, offset, width)
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        store: &'a Store,
        shape: &'a TransactionShape<'a>,
        state: &'a dyn StateView,
        keccak: &'a mut KeccakCache,
        out: &'a mut Prediction,
        limits: Limits,
    ) -> Self {
        let work_left = (FREE_WORK + shape.gas_limit / GAS_FOR_WORK).min(MAX_WORK);
        Self { store, shape, state, keccak, out, limits, work_left }
    }

    /// Says what is assumed of a transaction that calls unknown code.
    pub(super) fn run_unknown(&mut self, to: Address) {
        if let Some(unknown) = &mut self.out.scratch.unknown {
            unknown.push((to, self.shape.code_hash, Function::of(self.shape.input)));
        }
        let input = Input::Outer { from: 0, to: self.shape.input.len() };
        let caller = self.shape.sender;
        self.assume(&Call {
            code_address: to,
            is_home: true,
            this: to,
            caller,
            value: None,
            input,
            likelihood: 255,
            depth: 0,
        });
    }

    fn assume(&mut self, call: &Call) {
        let scratch = &self.out.scratch;
        let (input, mask): (&[u8], &[u8]) = match call.input {
            Input::Outer { from, to } => (&self.shape.input[from..to], &[]),
            Input::Arena { from, to } => (&scratch.arena[from..to], &scratch.mask[from..to]),
        };
        let frame = Frame {
            this: call.this,
            caller: call.caller,
            origin: self.shape.sender,
            value: None,
            input,
            mask,
            block: &self.shape.block,
        };
        let assumed = assume(frame.bytes::<4>(0), call.caller, |offset| frame.word(offset));
        for (slot, write) in assumed.into_iter().flatten() {
            self.push(PredictedKey::Slot { address: call.this, slot, write }, call.likelihood, true);
        }
    }

    /// Foretells the transaction from the template of its recipient's code.
    pub(super) fn run(&mut self, found: Found<'_>, to: Address) {
        let call = Call {
            code_address: to,
            is_home: found.is_home,
            this: to,
            caller: self.shape.sender,
            value: Some(self.shape.value),
            input: Input::Outer { from: 0, to: self.shape.input.len() },
            likelihood: 255,
            depth: 0,
        };
        self.call(found.template, &call);
    }

    fn value(&mut self, template: &Template, index: NodeIndex, call: &Call, bases: Bases) -> Option<U256> {
        let scratch = &mut self.out.scratch;
        let (input, mask): (&[u8], &[u8]) = match call.input {
            Input::Outer { from, to } => (&self.shape.input[from..to], &[]),
            Input::Arena { from, to } => (&scratch.arena[from..to], &scratch.mask[from..to]),
        };
        let frame = Frame {
            this: call.this,
            caller: call.caller,
            origin: self.shape.sender,
            value: call.value,
            input,
            mask,
            block: &self.shape.block,
        };
        let program = Program { nodes: &template.nodes, pieces: &template.pieces };
        let returned = &scratch.returned[bases.returned..];
        let mut present = Present {
            state: self.state,
            code_address: call.code_address,
            is_home: call.is_home,
            returned,
            keccak: self.keccak,
        };
        let mut memo = Memo { marks: &mut scratch.marks[bases.memo..], values: &mut scratch.values[bases.memo..] };
        program.value(index, &frame, &mut memo, &mut present)
    }

    /// Whether another entry may be evaluated.
    const fn work(&mut self) -> bool {
        let left = self.work_left > 0;
        self.work_left = self.work_left.saturating_sub(1);
        self.out.incomplete |= !left;
        left
    }

    /// Follows one call. What it returns is left at the end of `scratch.returned`, under call index `u16::MAX`.
    fn call(&mut self, template: &Template, call: &Call) {
        let scratch = &mut self.out.scratch;
        let bases = Bases { memo: scratch.marks.len(), returned: scratch.returned.len() };
        scratch.marks.resize(bases.memo + template.nodes.len(), Mark::Pending);
        if scratch.values.len() < scratch.marks.len() {
            scratch.values.resize(scratch.marks.len().next_power_of_two(), U256::ZERO);
        }
        for (index, entry) in template.calls.iter().enumerate() {
            if self.limits.contended_only && !entry.contended && !entry.directs {
                continue;
            }
            let likelihood = call.likelihood * entry.evidence.likelihood() / 255;
            if likelihood >= self.limits.likelihood && self.work() {
                self.inner_call(template, call, bases, index, entry, likelihood);
            }
        }
        for entry in &template.slots {
            if self.limits.contended_only && !entry.meetings.are_frequent() {
                continue;
            }
            let likelihood = call.likelihood * entry.evidence.likelihood() / 255;
            if likelihood < self.limits.likelihood || !self.work() {
                continue;
            }
            let Some(address) = self.value(template, entry.address, call, bases).and_then(address_of) else { continue };
            let Some(slot) = self.value(template, entry.slot, call, bases) else { continue };
            self.push(PredictedKey::Slot { address, slot, write: entry.evidence.writes() }, likelihood, false);
        }
        let accounts = if self.limits.contended_only { &[][..] } else { &template.accounts };
        for entry in accounts {
            let likelihood = call.likelihood * entry.evidence.likelihood() / 255;
            if likelihood < self.limits.likelihood || !self.work() {
                continue;
            }
            let Some(address) = self.value(template, entry.address, call, bases).and_then(address_of) else { continue };
            let (fields, write) = (entry.fields, entry.fields.writes());
            self.push(PredictedKey::Account { address, fields, write }, likelihood, false);
        }
        let mut returns = [(0, U256::ZERO); 4];
        let mut count = 0;
        for entry in template.returns.iter().take(returns.len()) {
            if let Some(value) = self.value(template, entry.node, call, bases) {
                returns[count] = (entry.word, value);
                count += 1;
            }
        }
        let scratch = &mut self.out.scratch;
        scratch.marks.truncate(bases.memo);
        scratch.returned.truncate(bases.returned);
        scratch.returned.extend(returns[..count].iter().map(|(word, value)| (u16::MAX, *word, *value)));
    }

    fn inner_call(
        &mut self,
        template: &Template,
        call: &Call,
        bases: Bases,
        index: usize,
        entry: &CallEntry,
        likelihood: u32,
    ) {
        if call.depth >= MAX_DEPTH {
            self.out.incomplete = true;
            return;
        }
        let Some(target) = self.value(template, entry.target, call, bases).and_then(address_of) else {
            self.out.incomplete |= likelihood > 127;
            return;
        };
        let arena_start = self.out.scratch.arena.len();
        let Some(input) = self.inner_input(template, call, bases, &entry.input) else { return };
        let code_hash = self.store.code_of(target).or_else(|| self.state.code_hash(target));
        let Scratch { arena, mask, fingerprints, followed, .. } = &mut self.out.scratch;
        let inner_input = match input {
            Input::Outer { from, to } => Some(PartlyKnown::whole(&self.shape.input[from..to])),
            Input::Arena { from, to } => {
                let mask = &mask[from..to];
                (mask.len() < 4 || mask[..4] == [1; 4]).then(|| PartlyKnown { bytes: &arena[from..to], mask })
            }
        };
        let function = inner_input.map(|input| Function::of(input.bytes));
        if let Some(followed) = followed {
            let this = if entry.kind == CallKind::Delegate { call.this } else { target };
            followed.push(FollowedCall { code_address: target, this, likelihood: likelihood.min(255) as u8 });
        }
        let inner = code_hash
            .filter(|hash| *hash != KECCAK256_EMPTY)
            .and_then(|hash| self.store.find_for_account(target, hash, inner_input?, self.state, fingerprints));
        if let Some(inner) = inner {
            let delegate = entry.kind == CallKind::Delegate;
            let value = match entry.value {
                _ if delegate => call.value,
                Some(node) => self.value(template, node, call, bases),
                None => None,
            };
            let inner_call = Call {
                code_address: target,
                is_home: inner.is_home,
                this: if delegate { call.this } else { target },
                caller: if delegate { call.caller } else { call.this },
                value,
                input,
                likelihood,
                depth: call.depth + 1,
            };
            self.call(inner.template, &inner_call);
            for seen in self.out.scratch.returned.iter_mut().rev().take_while(|seen| seen.0 == u16::MAX) {
                seen.0 = index as u16;
            }
        } else if code_hash != Some(KECCAK256_EMPTY) && !self.limits.contended_only {
            self.out.incomplete |= likelihood > 127;
            if let (Some(unknown), Some(hash), Some(function)) = (&mut self.out.scratch.unknown, code_hash, function) {
                unknown.push((target, hash, function));
            }
            let this = if entry.kind == CallKind::Delegate { call.this } else { target };
            let caller = if entry.kind == CallKind::Delegate { call.caller } else { call.this };
            self.assume(&Call {
                code_address: target,
                is_home: true,
                this,
                caller,
                value: None,
                input,
                likelihood,
                depth: 0,
            });
        }
        self.out.scratch.arena.truncate(arena_start);
        self.out.scratch.mask.truncate(arena_start);
    }

    fn inner_input(&mut self, template: &Template, call: &Call, bases: Bases, shape: &InputShape) -> Option<Input> {
        let slice = |from: usize, to: usize| match call.input {
            Input::Outer { from: start, to: end } if start + to <= end => {
                Some(Input::Outer { from: start + from, to: start + to })
            }
            Input::Arena { from: start, to: end } if start + to <= end => {
                Some(Input::Arena { from: start + from, to: start + to })
            }
            Input::Outer { .. } | Input::Arena { .. } => None,
        };
        let length_of_outer = match call.input {
            Input::Outer { from, to } | Input::Arena { from, to } => to - from,
        };
        match shape {
            InputShape::Slice { offset, length } => {
                let from = (*offset as usize).min(length_of_outer);
                slice(from, if *length == 0 { length_of_outer } else { from + *length as usize })
            }
            InputShape::Bytes { base, head } => {
                let scratch = &self.out.scratch;
                let (input, mask): (&[u8], &[u8]) = match call.input {
                    Input::Outer { from, to } => (&self.shape.input[from..to], &[]),
                    Input::Arena { from, to } => (&scratch.arena[from..to], &scratch.mask[from..to]),
                };
                let frame = Frame {
                    this: call.this,
                    caller: call.caller,
                    origin: self.shape.sender,
                    value: call.value,
                    input,
                    mask,
                    block: &self.shape.block,
                };
                let (from, to) = bytes_at(&frame, *base, *head)?;
                slice(from, to)
            }
            InputShape::Parts { length, parts } => {
                let from = self.out.scratch.arena.len();
                let to = from + (*length).min(MAX_INPUT) as usize;
                self.out.scratch.arena.resize(to, 0);
                self.out.scratch.mask.resize(to, 0);
                for part in parts {
                    let Some(value) = self.value(template, part.node, call, bases) else { continue };
                    let (start, width) = (from + part.offset as usize, part.width as usize);
                    let scratch = &mut self.out.scratch;
                    if start + width <= to {
                        let word = value.to_be_bytes::<32>();
                        scratch.arena[start..start + width].copy_from_slice(&word[32 - width..]);
                        scratch.mask[start..start + width].fill(1);
                    }
                }
                Some(Input::Arena { from, to })
            }
        }
    }

    fn push(&mut self, key: PredictedKey, likelihood: u32, assumed: bool) {
        let access = PredictedAccess { key, likelihood: likelihood.min(255) as u8, assumed };
        let Prediction { keys, scratch, incomplete, .. } = &mut *self.out;
        *incomplete |= !scratch.insert(keys, access, self.limits.keys);
    }
}

/// Where the values of the open call begin in the scratch.
#[derive(Clone, Copy, Debug)]
struct Bases {
    memo: usize,
    returned: usize,
}
