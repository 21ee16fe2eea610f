//! Learning from one observed call: first its template is put to the test, then what it missed is explained and added.

use super::{
    KeccakCache, ObservedAccesses, ObservedAccount, ObservedCall, ObservedSlot,
    derive::{Deriver, Role},
    evaluate::{Environment, Frame, Mark, Memo, Program},
    expression::{NodeIndex, address_of, word_of},
    family::{self, Operand},
    meetings::Meetings,
    observe::CallKind,
    preimages::Preimages,
    template::{
        AccountEntry, CallEntry, Evidence, InputShape, MAX_ACCOUNTS, MAX_CALLS, MAX_SLOTS, ReturnEntry, SlotEntry,
        Template,
    },
};
use alloy_primitives::{Address, U256, map::HashMap};

/// Words of return data that are explained.
const MAX_RETURNS: usize = 4;
/// Further answers tried when the first is in the template already and was wrong.
const MAX_RANK: usize = 3;

/// One call of an observed transaction.
#[derive(Debug)]
pub(super) struct CallToLearn<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) slots: &'a [ObservedSlot],
    pub(super) accounts: &'a [ObservedAccount],
    pub(super) children: &'a [&'a ObservedCall],
    pub(super) output: &'a [u8],
    /// The code that ran, empty when it is not at hand.
    pub(super) code: &'a [u8],
    /// The operands of that code.
    pub(super) operands: &'a [Operand],
    /// Whether that code is the one that the template is kept under.
    pub(super) is_home: bool,
    /// Of each child, whether transactions meet in what it touches.
    pub(super) contended: &'a [bool],
    /// Number of the lesson.
    pub(super) lesson: u32,
    /// A call that failed says nothing about what it did not get to.
    pub(super) success: bool,
}

/// Keys that were foreseen, and all keys.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Coverage {
    pub(super) foreseen: u32,
    pub(super) all: u32,
}

/// What learning evaluates against: what the transaction really loaded and got back.
#[derive(Debug)]
struct Past<'a> {
    loads: &'a HashMap<(Address, U256), U256>,
    code: &'a [u8],
    is_home: bool,
    returned: Vec<(u16, &'a [u8])>,
    keccak: &'a mut KeccakCache,
}

impl Environment for Past<'_> {
    fn load(&mut self, address: Address, slot: U256) -> Option<U256> {
        self.loads.get(&(address, slot)).copied()
    }

    fn returned(&mut self, call: u16, word: u8) -> Option<U256> {
        let output = self.returned.iter().find(|(seen, _)| *seen == call)?.1;
        output.chunks_exact(32).nth(word as usize).map(U256::from_be_slice)
    }

    fn keccak(&mut self) -> &mut KeccakCache {
        self.keccak
    }

    fn is_home(&self) -> bool {
        self.is_home
    }

    fn code_word(&mut self, offset: u32, width: u8) -> Option<U256> {
        family::word_at(self.code, offset, width)
    }
}

/// Improves `template` with one call.
pub(super) fn learn_call<P: Preimages + ?Sized>(
    template: &mut Template,
    call: &CallToLearn<'_>,
    observed: &ObservedAccesses,
    loads: &HashMap<(Address, U256), U256>,
    keccak: &mut KeccakCache,
    preimages: &P,
) -> Coverage {
    template.make_room();
    template.observations = template.observations.saturating_add(1);
    let mut lesson = Lesson {
        call,
        observed,
        preimages,
        past: Past { loads, code: call.code, is_home: call.is_home, returned: Vec::new(), keccak },
        marks: vec![Mark::Pending; template.nodes.len()],
        values: vec![U256::ZERO; template.nodes.len()],
    };
    let mut coverage = lesson.calls(template);
    let other = lesson.slots(template);
    coverage.foreseen += other.foreseen;
    coverage.all += other.all;
    lesson.accounts(template);
    lesson.returns(template);
    template.sum_up();
    coverage
}

struct Lesson<'a, P: ?Sized> {
    call: &'a CallToLearn<'a>,
    observed: &'a ObservedAccesses,
    preimages: &'a P,
    past: Past<'a>,
    marks: Vec<Mark>,
    values: Vec<U256>,
}

impl<'a, P: Preimages + ?Sized> Lesson<'a, P> {
    fn value(&mut self, template: &Template, index: NodeIndex) -> Option<U256> {
        let program = Program { nodes: &template.nodes, pieces: &template.pieces };
        let mut memo = Memo { marks: &mut self.marks, values: &mut self.values };
        program.value(index, &self.call.frame, &mut memo, &mut self.past)
    }

    /// Makes room for the nodes that were added.
    fn grow(&mut self, template: &Template) {
        self.marks.resize(template.nodes.len(), Mark::Pending);
        self.values.resize(template.nodes.len(), U256::ZERO);
    }

    fn input_of(&self, call: &ObservedCall) -> &'a [u8] {
        &self.observed.bytes[call.input.start as usize..call.input.end as usize]
    }

    fn deriver<'b>(&'b self, template: &'b mut Template, rank: usize) -> Deriver<'b, P> {
        Deriver {
            template,
            frame: &self.call.frame,
            preimages: self.preimages,
            slots: self.call.slots,
            returned: &self.past.returned,
            operands: self.call.operands,
            is_home: self.call.is_home,
            rank,
        }
    }

    fn calls(&mut self, template: &mut Template) -> Coverage {
        let children = self.call.children;
        let mut seen = vec![false; children.len()];
        for index in 0..template.calls.len() {
            let Some(target) = self.value(template, template.calls[index].target).and_then(address_of) else {
                continue;
            };
            let kind = template.calls[index].kind;
            let mut hit = false;
            for (position, child) in children.iter().enumerate() {
                if seen[position] || child.kind != kind || child.code_address != target {
                    continue;
                }
                let input = self.input_of(child);
                if self.input_agrees(template, index, input) {
                    seen[position] = true;
                    hit = true;
                    template.calls[index].contended = self.call.contended[position];
                    let output = &self.observed.bytes[child.output.start as usize..child.output.end as usize];
                    self.past.returned.push((index as u16, output));
                    break;
                }
            }
            if hit || self.call.success {
                template.calls[index].evidence.count(hit, false);
            }
        }
        let foreseen = seen.iter().filter(|seen| **seen).count() as u32;
        for (position, child) in children.iter().enumerate() {
            if !seen[position] && child.kind != CallKind::Create && template.calls.len() < MAX_CALLS {
                self.add_call(template, child, self.call.contended[position]);
            }
        }
        self.grow(template);
        Coverage { foreseen, all: children.len() as u32 }
    }

    /// Whether the input of an inner call is what the entry says. Parts that are no addresses and differ are dropped:
    /// amounts that were equal by accident.
    fn input_agrees(&mut self, template: &mut Template, index: usize, input: &[u8]) -> bool {
        let outer = self.call.frame.input;
        let parts = match &template.calls[index].input {
            InputShape::Slice { offset, length } => {
                let (offset, length) = (*offset as usize, *length as usize);
                let end = if length == 0 { outer.len() } else { offset + length };
                return outer.get(offset..end) == Some(input);
            }
            InputShape::Bytes { base, head } => {
                return bytes_at(&self.call.frame, *base, *head).is_some_and(|(from, to)| outer[from..to] == *input);
            }
            InputShape::Parts { parts, .. } => parts.clone(),
        };
        let mut wrong = Vec::new();
        for (position, part) in parts.iter().enumerate() {
            let Some(value) = self.value(template, part.node) else { continue };
            let (offset, width) = (part.offset as usize, part.width as usize);
            if input.get(offset..offset + width) == Some(&value.to_be_bytes::<32>()[32 - width..]) {
                continue;
            }
            let is_account = |word: U256| word.is_zero() || word.bit_len() > 96 && word.bit_len() <= 160;
            // A limit of a price may look like an account, until it is something else.
            let other = input.get(offset..offset + width).map_or(U256::ZERO, U256::from_be_slice);
            if offset == 0 || width >= 20 && !value.is_zero() && is_account(value) && is_account(other) {
                return false;
            }
            wrong.push(position);
        }
        if let (false, InputShape::Parts { parts, .. }) = (wrong.is_empty(), &mut template.calls[index].input) {
            let mut position = 0;
            parts.retain(|_| {
                position += 1;
                !wrong.contains(&(position - 1))
            });
        }
        true
    }

    fn add_call(&mut self, template: &mut Template, child: &'a ObservedCall, contended: bool) -> Option<()> {
        let input = self.input_of(child);
        let visible = self.call.slots.len();
        for rank in 0..MAX_RANK {
            let mut deriver = self.deriver(template, rank);
            let (target, prior) = deriver.derive(word_of(child.code_address), Role::Address, visible, 0)?;
            let shape = deriver.input(input)?;
            let entry = CallEntry {
                kind: child.kind,
                target,
                value: if child.value.is_zero() {
                    template.intern(super::expression::Node::Constant(U256::ZERO))
                } else if child.value == self.call.frame.value.unwrap_or_default() {
                    template.intern(super::expression::Node::CallValue)
                } else {
                    None
                },
                input: shape,
                evidence: Evidence::first(prior, false),
                contended,
                directs: false,
            };
            let known = template
                .calls
                .iter()
                .any(|seen| seen.kind == entry.kind && seen.target == entry.target && seen.input == entry.input);
            if known && rank + 1 < MAX_RANK {
                continue;
            }
            if !known {
                template.calls.push(entry);
                let output = &self.observed.bytes[child.output.start as usize..child.output.end as usize];
                self.past.returned.push((template.calls.len() as u16 - 1, output));
            }
            return Some(());
        }
        None
    }

    fn slots(&mut self, template: &mut Template) -> Coverage {
        let observed = self.call.slots;
        let mut seen = vec![false; observed.len()];
        for index in 0..template.slots.len() {
            let entry = template.slots[index];
            let Some(address) = self.value(template, entry.address).and_then(address_of) else { continue };
            let Some(slot) = self.value(template, entry.slot) else { continue };
            let found = observed.iter().position(|seen| seen.slot == slot && seen.address == address);
            if let Some(position) = found {
                seen[position] = true;
            }
            if found.is_some() || self.call.success {
                let written = found.is_some_and(|position| observed[position].written);
                template.slots[index].evidence.count(found.is_some(), written);
                if written {
                    template.slots[index].meetings.note(&address, &slot, self.call.lesson);
                }
            }
        }
        let foreseen = seen.iter().filter(|seen| **seen).count() as u32;
        for (position, slot) in observed.iter().enumerate() {
            if !seen[position] && template.slots.len() < MAX_SLOTS {
                self.add_slot(template, position, slot.written);
            }
        }
        self.grow(template);
        Coverage { foreseen, all: observed.len() as u32 }
    }

    fn add_slot(&mut self, template: &mut Template, position: usize, written: bool) -> Option<()> {
        for rank in 0..MAX_RANK {
            let (address, slot, prior) = self.deriver(template, rank).slot(position, 0)?;
            if !template.slots.iter().any(|seen| seen.address == address && seen.slot == slot) {
                let evidence = Evidence::first(prior, written);
                let mut meetings = Meetings::default();
                if written {
                    let seen = &self.call.slots[position];
                    meetings.note(&seen.address, &seen.slot, self.call.lesson);
                }
                template.slots.push(SlotEntry { address, slot, evidence, meetings });
                return Some(());
            }
        }
        None
    }

    fn accounts(&mut self, template: &mut Template) {
        let observed = self.call.accounts;
        let mut seen = vec![false; observed.len()];
        for index in 0..template.accounts.len() {
            let Some(address) = self.value(template, template.accounts[index].address).and_then(address_of) else {
                continue;
            };
            let found = observed.iter().position(|seen| seen.address == address);
            let entry = &mut template.accounts[index];
            if let Some(position) = found {
                seen[position] = true;
                entry.fields = entry.fields.union(observed[position].fields);
            }
            if found.is_some() || self.call.success {
                entry.evidence.count(found.is_some(), found.is_some_and(|position| observed[position].fields.writes()));
            }
        }
        for (position, account) in observed.iter().enumerate() {
            if seen[position] || template.accounts.len() >= MAX_ACCOUNTS {
                continue;
            }
            let visible = self.call.slots.len();
            if let Some((address, prior)) = self.deriver(template, 0).account(account.address, visible, 0) {
                let evidence = Evidence::first(prior, account.fields.writes());
                template.accounts.push(AccountEntry { address, fields: account.fields, evidence });
            }
        }
        self.grow(template);
    }

    /// Explains returned addresses: other calls may be directed by them.
    fn returns(&mut self, template: &mut Template) {
        let words = self.call.output.chunks_exact(32).take(MAX_RETURNS);
        for (position, word) in words.enumerate() {
            let word = U256::from_be_slice(word);
            if word.bit_len() <= 96 || word.bit_len() > 160 {
                continue;
            }
            let known = template.returns.iter().position(|entry| entry.word == position as u8);
            if let Some(known) = known {
                if self.value(template, template.returns[known].node) == Some(word) {
                    continue;
                }
                template.returns.remove(known);
            }
            let visible = self.call.slots.len();
            if let Some((node, _)) = self.deriver(template, 0).derive(word, Role::Address, visible, 0) {
                template.returns.push(ReturnEntry { word: position as u8, node });
                self.grow(template);
            }
        }
    }
}

/// Where the byte string lies that the ABI offset at `head` points to, relative to `base`.
pub(super) fn bytes_at(frame: &Frame<'_>, base: u32, head: u32) -> Option<(usize, usize)> {
    let pointer = usize::try_from(frame.word(head as usize)?).ok()?;
    let start = (base as usize).checked_add(pointer)?;
    let length = usize::try_from(frame.word(start)?).ok()?;
    let from = start.checked_add(32)?;
    let to = from.checked_add(length)?;
    (to <= frame.input.len()).then_some((from, to))
}
