//! What a reading found: entries of the template to be, and the share of paths that reach each.

use super::{
    super::{
        AccountFields, CallKind,
        expression::{Node, NodeIndex, Piece as HashPiece, address_of},
        meetings::Meetings,
        template::{
            AccountEntry, CallEntry, Evidence, InputPart, InputShape, MAX_ACCOUNTS, MAX_CALLS, MAX_NODES, MAX_PIECES,
            MAX_SLOTS, ReturnEntry, SlotEntry, Template,
        },
    },
    memory::{Memory, Piece},
    word::{Nodes, Word},
};
use alloy_primitives::{U256, keccak256};
use std::collections::BTreeMap;

/// Longest input of an inner call that is put together, in bytes.
const MAX_INPUT: u64 = 1024;
/// Parts of it.
const MAX_PARTS: usize = 32;
/// Pieces of a hashed input.
const MAX_HASHED: usize = 6;

/// Something that paths reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Slot(NodeIndex),
    Written(NodeIndex),
    Account(NodeIndex, AccountFields),
    Call(u16),
}

/// The share of paths that reach each entry.
pub(super) type Outcome = BTreeMap<u16, f32>;

/// Everything found so far, on whatever path.
#[derive(Debug)]
pub(super) struct Notes {
    is_home: bool,
    pub(super) nodes: Nodes,
    pieces: Vec<HashPiece>,
    entries: Vec<Entry>,
    calls: Vec<CallEntry>,
    returns: Vec<ReturnEntry>,
}

impl Notes {
    pub(super) fn new(is_home: bool) -> Self {
        Self {
            is_home,
            nodes: Nodes::default(),
            pieces: Vec::new(),
            entries: Vec::new(),
            calls: Vec::new(),
            returns: Vec::new(),
        }
    }

    fn entry(&mut self, entry: Entry) -> Option<u16> {
        if let Some(known) = self.entries.iter().position(|seen| *seen == entry) {
            return Some(known as u16);
        }
        (self.entries.len() < 1024).then(|| {
            self.entries.push(entry);
            self.entries.len() as u16 - 1
        })
    }

    /// The node of a word. A word that stands in the code as an account is told apart from other constants by its place.
    pub(super) fn node(&mut self, word: Word) -> Option<NodeIndex> {
        match word {
            Word::Known { word, pushed: Some((offset, width)) } if address_of(word).is_some() => {
                let value = if self.is_home { word } else { U256::ZERO };
                self.nodes.intern(Node::Immutable { offset, width, value })
            }
            Word::Known { word, .. } => self.nodes.intern(Node::Constant(word)),
            Word::Node(node) => Some(node),
            _ => None,
        }
    }

    /// A slot is read or written.
    pub(super) fn slot(&mut self, slot: NodeIndex, written: bool) -> Option<u16> {
        self.entry(if written { Entry::Written(slot) } else { Entry::Slot(slot) })
    }

    /// Fields of an account are observed or changed.
    pub(super) fn account(&mut self, account: Word, fields: AccountFields) -> Option<u16> {
        let node = self.node(account)?;
        self.entry(Entry::Account(node, fields))
    }

    /// A call is made: its index, and its entry.
    pub(super) fn call(&mut self, kind: CallKind, target: Word, value: Word, input: InputShape) -> Option<(u16, u16)> {
        let target = self.node(target)?;
        let value = self.node(value);
        let same = |seen: &CallEntry| seen.kind == kind && seen.target == target && seen.input == input;
        let index = match self.calls.iter().position(same) {
            Some(index) => index as u16,
            None if self.calls.len() < MAX_CALLS => {
                self.calls.push(CallEntry {
                    kind,
                    target,
                    value,
                    input,
                    evidence: Evidence::default(),
                    contended: false,
                    directs: false,
                });
                self.calls.len() as u16 - 1
            }
            None => return None,
        };
        Some((index, self.entry(Entry::Call(index))?))
    }

    /// A word is returned.
    pub(super) fn returned(&mut self, word: u8, value: Word) {
        if let Word::Node(node) = value
            && !self.returns.iter().any(|entry| entry.word == word)
        {
            self.returns.push(ReturnEntry { word, node });
        }
    }

    /// What a piece of memory holds, as the last `width` bytes of a node.
    fn part(&mut self, piece: &Piece) -> Option<(NodeIndex, u8)> {
        if piece.width > 32 {
            return None;
        }
        let width = piece.width as u8;
        match piece.word {
            Word::Known { .. } if piece.width == 32 => Some((self.node(piece.word)?, 32)),
            Word::Known { .. } => Some((self.nodes.intern(Node::Constant(piece.constant()?))?, width)),
            Word::Node(node) if piece.from + piece.width == 32 => Some((node, width)),
            Word::High(node) if piece.from == 0 && piece.width >= 20 => Some((node, 20)),
            _ => None,
        }
    }

    /// The input of an inner call, from memory. `length` is `None` where it is not known.
    pub(super) fn input(&mut self, memory: &Memory, start: u64, length: Option<u64>) -> InputShape {
        if length.is_none() && memory.whole_input == Some(start) {
            return InputShape::Slice { offset: 0, length: 0 };
        }
        let length = length.unwrap_or_else(|| memory.extent(start) - start).min(MAX_INPUT);
        let mut parts = Vec::new();
        for piece in memory.range(start, length) {
            if parts.len() >= MAX_PARTS {
                break;
            }
            let Some((node, width)) = self.part(&piece) else { continue };
            let mut offset = (piece.start - start) as u32;
            let mut node = node;
            let mut width = width;
            // The selector is a part of its own, as where calls are learned from.
            if offset == 0
                && width > 4
                && let Some(word) = piece.constant()
            {
                let bytes = word.to_be_bytes::<32>();
                let bytes = &bytes[32 - width as usize..];
                if let Some(selector) = self.nodes.intern(Node::Constant(U256::from_be_slice(&bytes[..4]))) {
                    parts.push(InputPart { offset: 0, node: selector, width: 4 });
                }
                let Some(rest) = self.nodes.intern(Node::Constant(U256::from_be_slice(&bytes[4..]))) else { continue };
                (offset, node, width) = (4, rest, width - 4);
            }
            parts.push(InputPart { offset, node, width });
        }
        InputShape::Parts { length: length as u32, parts }
    }

    /// The hash of a part of memory.
    pub(super) fn hash(&mut self, memory: &Memory, start: u64, length: u64) -> Word {
        let whole = |words: &[Word]| -> Option<Vec<u8>> {
            words.iter().try_fold(Vec::new(), |mut bytes, word| {
                bytes.extend_from_slice(&word.value()?.to_be_bytes::<32>());
                Some(bytes)
            })
        };
        if length == 32 || length == 64 {
            let words: Vec<Word> = (0..length / 32).map(|word| memory.read(start + 32 * word)).collect();
            if let Some(bytes) = whole(&words) {
                return Word::known(U256::from_be_bytes(keccak256(bytes).0));
            }
            let nodes: Option<Vec<NodeIndex>> = words.iter().map(|word| self.node(*word)).collect();
            return match nodes.as_deref() {
                Some([first, second]) => self.nodes.word(Node::Keccak { first: *first, second: *second }),
                Some([word]) => self.nodes.word(Node::KeccakWord { word: *word }),
                _ => Word::Unknown,
            };
        }
        if length == 0 || length > 32 * MAX_HASHED as u64 {
            return Word::Unknown;
        }
        self.hash_pieces(memory, start, length).unwrap_or(Word::Unknown)
    }

    fn hash_pieces(&mut self, memory: &Memory, start: u64, length: u64) -> Option<Word> {
        let mut pieces = Vec::new();
        let mut at = start;
        for piece in memory.range(start, length) {
            if piece.start != at || pieces.len() >= MAX_HASHED {
                return None;
            }
            let (node, width) = self.part(&piece)?;
            if u64::from(width) != piece.width {
                return None;
            }
            pieces.push(HashPiece { node, width });
            at = piece.start + piece.width;
        }
        if at != start + length || self.pieces.len() + pieces.len() > MAX_PIECES {
            return None;
        }
        let found = self.pieces.windows(pieces.len()).position(|window| window == pieces);
        let first = found.unwrap_or_else(|| {
            self.pieces.extend_from_slice(&pieces);
            self.pieces.len() - pieces.len()
        });
        Some(self.nodes.word(Node::KeccakPieces { start: first as u16, count: pieces.len() as u8 }))
    }

    /// Whether the only thing the function does with its input is to hand it on.
    pub(super) fn hands_on(&self) -> bool {
        self.calls.iter().any(|call| {
            call.kind == CallKind::Delegate && matches!(call.input, InputShape::Slice { offset: 0, length: 0 })
        })
    }

    /// The template. `None` if it would be too large.
    pub(super) fn into_template(self, outcome: &Outcome) -> Option<Template> {
        let share = |wanted: Entry| {
            let index = self.entries.iter().position(|entry| *entry == wanted)?;
            outcome.get(&(index as u16)).copied()
        };
        let evidence = |share: f32, writes: bool| Evidence {
            prior: (share.clamp(0.0, 1.0) * 255.0) as u8,
            writes: u16::from(writes),
            ..Evidence::default()
        };
        let mut template = Template { is_read: true, ..Template::default() };
        let mut nodes = self.nodes;
        let this = nodes.intern(Node::This)?;
        let mut slots: Vec<SlotEntry> = Vec::new();
        let mut accounts: Vec<AccountEntry> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let Some(reached) = outcome.get(&(index as u16)).copied() else { continue };
            match *entry {
                Entry::Slot(slot) => {
                    let written = share(Entry::Written(slot)).unwrap_or(0.0);
                    slots.push(SlotEntry {
                        address: this,
                        slot,
                        evidence: evidence(reached.max(written), written * 4.0 >= reached),
                        meetings: Meetings::default(),
                    });
                }
                Entry::Written(slot) if share(Entry::Slot(slot)).is_none() => {
                    let evidence = evidence(reached, true);
                    slots.push(SlotEntry { address: this, slot, evidence, meetings: Meetings::default() });
                }
                Entry::Written(_) | Entry::Call(_) => {}
                Entry::Account(address, fields) => match accounts.iter_mut().find(|seen| seen.address == address) {
                    Some(seen) => seen.fields = seen.fields.union(fields),
                    None => {
                        accounts.push(AccountEntry { address, fields, evidence: evidence(reached, fields.writes()) })
                    }
                },
            }
        }
        slots.sort_by_key(|entry| std::cmp::Reverse(entry.evidence.prior));
        slots.truncate(MAX_SLOTS - 1);
        accounts.truncate(MAX_ACCOUNTS - 1);
        template.calls = self.calls;
        for (index, call) in template.calls.iter_mut().enumerate() {
            call.evidence = evidence(share_of(&self.entries, outcome, index as u16), false);
        }
        template.nodes = nodes.list;
        template.pieces = self.pieces;
        template.slots = slots;
        template.accounts = accounts;
        template.returns = self.returns;
        template.compact();
        (template.nodes.len() <= MAX_NODES).then_some(template)
    }
}

fn share_of(entries: &[Entry], outcome: &Outcome, call: u16) -> f32 {
    let index = entries.iter().position(|entry| *entry == Entry::Call(call));
    index.and_then(|index| outcome.get(&(index as u16)).copied()).unwrap_or(0.0)
}
