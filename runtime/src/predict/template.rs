//! A template: what calls of one function of one code touch, as a bag of expressions with their evidence.
//!
//! There are no branches in it. Each slot, account and inner call carries how often it was seen among the calls for which
//! its expression could be evaluated; what happens in one branch only simply has a lower likelihood. An expression
//! that proves wrong is not corrected but outvoted: the better one is added beside it, and the weakest
//! entry leaves when the bag is full.

use super::{
    AccountFields, CallKind,
    expression::{Node, NodeIndex, Piece},
    meetings::Meetings,
};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};

/// Slots in a template.
pub(super) const MAX_SLOTS: usize = 96;
/// Accounts in a template.
pub(super) const MAX_ACCOUNTS: usize = 24;
/// Inner calls in a template.
pub(super) const MAX_CALLS: usize = 40;
/// Nodes in a template, before those no longer used are dropped.
pub(super) const MAX_NODES: usize = 480;
/// Pieces of inputs in a template.
pub(super) const MAX_PIECES: usize = 256;
/// Trials after which counts are halved, so that the past fades.
const MAX_TRIALS: u16 = 64;

/// How often an expression held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Evidence {
    pub(super) hits: u16,
    pub(super) trials: u16,
    pub(super) writes: u16,
    /// Belief before any evidence, in 255ths: an expression made of the call's data is more credible than a constant.
    pub(super) prior: u8,
}

impl Evidence {
    pub(super) const fn first(prior: u8, written: bool) -> Self {
        Self { hits: 1, trials: 1, writes: written as u16, prior }
    }

    pub(super) const fn count(&mut self, hit: bool, written: bool) {
        if self.trials >= MAX_TRIALS {
            self.trials /= 2;
            self.hits /= 2;
            self.writes /= 2;
        }
        self.trials += 1;
        self.hits += hit as u16;
        self.writes += (hit && written) as u16;
    }

    /// In 255ths: the share of trials in which the expression held, drawn towards the prior by two imagined trials.
    pub(super) const fn likelihood(&self) -> u32 {
        (self.hits as u32 * 255 + 2 * self.prior as u32) / (self.trials as u32 + 2)
    }

    /// Whether an access that happens is at all likely to be a write.
    pub(super) const fn writes(&self) -> bool {
        self.writes as u32 * 4 >= self.hits as u32 && self.writes > 0
    }
}

/// A slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SlotEntry {
    pub(super) address: NodeIndex,
    pub(super) slot: NodeIndex,
    pub(super) evidence: Evidence,
    #[serde(default)]
    pub(super) meetings: Meetings,
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AccountEntry {
    pub(super) address: NodeIndex,
    pub(super) fields: AccountFields,
    pub(super) evidence: Evidence,
}

/// A part of an inner call's input that is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InputPart {
    pub(super) offset: u32,
    pub(super) node: NodeIndex,
    /// Last bytes of the node's value that are written at `offset`: 32, 20 or (a selector) 4.
    pub(super) width: u8,
}

/// The input of an inner call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum InputShape {
    /// A slice of the outer input: `length` bytes, or all that follow `offset` when `length` is 0.
    Slice { offset: u32, length: u32 },
    /// An element of ABI type `bytes` of the outer input, found behind one or two offsets: the byte string whose length
    /// word stands at `base + word(head)`.
    Bytes { base: u32, head: u32 },
    /// So many bytes, of which some parts are known.
    Parts { length: u32, parts: Vec<InputPart> },
}

/// An inner call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CallEntry {
    pub(super) kind: CallKind,
    /// Account whose code runs.
    pub(super) target: NodeIndex,
    /// Value in wei, if it is known beforehand.
    pub(super) value: Option<NodeIndex>,
    pub(super) input: InputShape,
    pub(super) evidence: Evidence,
    /// Whether transactions meet in what it touches, itself or further down.
    #[serde(default)]
    pub(super) contended: bool,
    /// Whether other entries are directed by what it returns.
    #[serde(default)]
    pub(super) directs: bool,
}

/// An address that the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReturnEntry {
    pub(super) word: u8,
    pub(super) node: NodeIndex,
}

/// What calls of one function of one code touch.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Template {
    pub(super) nodes: Vec<Node>,
    pub(super) pieces: Vec<Piece>,
    pub(super) slots: Vec<SlotEntry>,
    pub(super) accounts: Vec<AccountEntry>,
    pub(super) calls: Vec<CallEntry>,
    pub(super) returns: Vec<ReturnEntry>,
    /// Length of the input of the first call learned from.
    pub(super) length: u32,
    /// Whether inputs of another length were seen.
    pub(super) varied: bool,
    /// Whether calls differ in what they touch, so that variants are kept.
    #[serde(default)]
    pub(super) mixed: bool,
    /// Whether transactions meet in what it touches, itself or in the calls it makes.
    #[serde(default)]
    pub(super) contended: bool,
    /// Calls learned from.
    pub(super) observations: u32,
    /// Whether it began as what the code says.
    #[serde(default)]
    pub(super) is_read: bool,
    /// Moving average of the gas of whole transactions that begin here; 0 when none did.
    pub(super) gas: u64,
    /// Moving average of the share, in 255ths, of what was touched that had been foreseen.
    pub(super) coverage: u8,
    /// Transactions in a row that taught nothing.
    pub(super) stable: u8,
    /// Transactions to let pass before the next that is worth learning from.
    #[serde(skip)]
    pub(super) pause: AtomicU32,
    /// When it was last used, for eviction.
    #[serde(skip)]
    pub(super) used: AtomicU32,
}

impl Template {
    /// Index of a node, which is added unless it is there. `None` when the template is full.
    pub(super) fn intern(&mut self, node: Node) -> Option<NodeIndex> {
        if let Some(index) = self.nodes.iter().position(|seen| *seen == node) {
            return Some(index as NodeIndex);
        }
        (self.nodes.len() < MAX_NODES).then(|| {
            self.nodes.push(node);
            (self.nodes.len() - 1) as NodeIndex
        })
    }

    /// The node that hashes these pieces.
    pub(super) fn intern_pieces(&mut self, pieces: &[Piece]) -> Option<NodeIndex> {
        let found = self.pieces.windows(pieces.len()).position(|window| window == pieces);
        let start = match found {
            Some(start) => start,
            None if self.pieces.len() + pieces.len() <= MAX_PIECES => {
                self.pieces.extend_from_slice(pieces);
                self.pieces.len() - pieces.len()
            }
            None => return None,
        };
        self.intern(Node::KeccakPieces { start: start as u16, count: pieces.len() as u8 })
    }

    /// Makes room: drops the weakest entries of full lists, and the nodes nothing refers to.
    pub(super) fn make_room(&mut self) {
        fn drop_weakest<T>(entries: &mut Vec<T>, limit: usize, likelihood: impl Fn(&T) -> u32) {
            if entries.len() < limit {
                return;
            }
            let mut order: Vec<u32> = entries.iter().map(&likelihood).collect();
            order.sort_unstable();
            let bar = order[limit / 8];
            entries.retain(|entry| likelihood(entry) > bar);
        }
        let full = self.nodes.len() + 64 >= MAX_NODES || self.pieces.len() + 16 >= MAX_PIECES;
        if !full && self.slots.len() < MAX_SLOTS && self.accounts.len() < MAX_ACCOUNTS && self.calls.len() < MAX_CALLS {
            return;
        }
        let limit = |limit: usize, length: usize| if full { limit.min(length.max(8)) } else { limit };
        let lengths = (self.slots.len(), self.accounts.len());
        drop_weakest(&mut self.slots, limit(MAX_SLOTS, lengths.0), |entry| entry.evidence.likelihood());
        drop_weakest(&mut self.accounts, limit(MAX_ACCOUNTS, lengths.1), |entry| entry.evidence.likelihood());
        self.drop_weakest_calls(full);
        self.compact();
    }

    /// Calls are referred to by index; those that leave become unknown to the nodes that use their return data.
    fn drop_weakest_calls(&mut self, full: bool) {
        if self.calls.len() < MAX_CALLS && !(full && self.calls.len() >= 8) {
            return;
        }
        let mut order: Vec<u32> = self.calls.iter().map(|call| call.evidence.likelihood()).collect();
        order.sort_unstable();
        let bar = order[order.len() / 8];
        let mut renamed = vec![u16::MAX; self.calls.len()];
        let mut kept = Vec::with_capacity(self.calls.len());
        for (index, call) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            if call.evidence.likelihood() > bar {
                renamed[index] = kept.len() as u16;
                kept.push(call);
            }
        }
        self.calls = kept;
        for node in &mut self.nodes {
            if let Node::Returned { call, .. } = node {
                *call = renamed.get(*call as usize).copied().unwrap_or(u16::MAX);
            }
        }
    }

    /// Drops the nodes and pieces that no entry needs.
    pub(super) fn compact(&mut self) {
        let mut needed = vec![false; self.nodes.len()];
        let mut mark = |index: NodeIndex| needed[index as usize] = true;
        self.slots.iter().for_each(|entry| {
            mark(entry.address);
            mark(entry.slot);
        });
        self.accounts.iter().for_each(|entry| mark(entry.address));
        self.returns.iter().for_each(|entry| mark(entry.node));
        for call in &self.calls {
            mark(call.target);
            call.value.into_iter().for_each(&mut mark);
            if let InputShape::Parts { parts, .. } = &call.input {
                parts.iter().for_each(|part| mark(part.node));
            }
        }
        for index in (0..self.nodes.len()).rev() {
            if !needed[index] {
                continue;
            }
            for operand in self.nodes[index].operands().into_iter().flatten() {
                needed[operand as usize] = true;
            }
            if let Node::KeccakPieces { start, count } = self.nodes[index] {
                for piece in &self.pieces[start as usize..start as usize + count as usize] {
                    needed[piece.node as usize] = true;
                }
            }
        }
        let mut renamed = vec![NodeIndex::MAX; self.nodes.len()];
        let mut nodes = Vec::with_capacity(self.nodes.len());
        let mut pieces: Vec<Piece> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate().filter(|(index, _)| needed[*index]) {
            renamed[index] = nodes.len() as NodeIndex;
            nodes.push(match *node {
                Node::KeccakPieces { start, count } => {
                    let from = pieces.len() as u16;
                    let old = &self.pieces[start as usize..start as usize + count as usize];
                    pieces.extend(old.iter().map(|piece| Piece { node: renamed[piece.node as usize], ..*piece }));
                    Node::KeccakPieces { start: from, count }
                }
                node => node.with_operands(|operand| renamed[operand as usize]),
            });
        }
        let rename = |index: &mut NodeIndex| *index = renamed[*index as usize];
        self.nodes = nodes;
        self.pieces = pieces;
        self.slots.iter_mut().for_each(|entry| {
            rename(&mut entry.address);
            rename(&mut entry.slot);
        });
        self.accounts.iter_mut().for_each(|entry| rename(&mut entry.address));
        self.returns.iter_mut().for_each(|entry| rename(&mut entry.node));
        for call in &mut self.calls {
            rename(&mut call.target);
            call.value.iter_mut().for_each(rename);
            if let InputShape::Parts { parts, .. } = &mut call.input {
                parts.iter_mut().for_each(|part| rename(&mut part.node));
            }
        }
    }

    /// What a transaction costs that does nothing but touch these slots and accounts; `None` if it calls others, or if nothing is known of it. The prices are those of
    /// cold accesses (EIP-2929): the fork is not known here, and nobody is charged by it.
    pub(super) fn gas_of_touching(&self) -> Option<u64> {
        const TRANSACTION: u64 = 21_000;
        const SLOT: u64 = 2_100;
        const WRITE: u64 = 2_900;
        const ACCOUNT: u64 = 2_600;
        if self.observations == 0 || !self.calls.is_empty() {
            return None;
        }
        let slots = self.slots.iter().map(|entry| {
            let write = if entry.evidence.writes() { WRITE } else { 0 };
            (SLOT + write) * u64::from(entry.evidence.likelihood())
        });
        let accounts = self.accounts.iter().map(|entry| ACCOUNT * u64::from(entry.evidence.likelihood()));
        Some(TRANSACTION + slots.chain(accounts).sum::<u64>() / 255)
    }

    /// Finds out anew what is contended, and which calls direct others.
    pub(super) fn sum_up(&mut self) {
        self.calls.iter_mut().for_each(|entry| entry.directs = false);
        for node in &self.nodes {
            if let Node::Returned { call, .. } = node
                && let Some(entry) = self.calls.get_mut(*call as usize)
            {
                entry.directs = true;
            }
        }
        self.contended = self.slots.iter().any(|entry| entry.meetings.are_frequent())
            || self.calls.iter().any(|entry| entry.contended);
    }

    /// Whether all references are within bounds and backwards, so that evaluation neither panics nor loops. Templates
    /// from a file are checked with it.
    pub(super) fn is_sound(&self) -> bool {
        let count = self.nodes.len();
        let within = |index: NodeIndex| (index as usize) < count;
        count <= MAX_NODES
            && self.pieces.len() <= MAX_PIECES
            && self.slots.len() <= MAX_SLOTS
            && self.accounts.len() <= MAX_ACCOUNTS
            && self.calls.len() <= MAX_CALLS
            && self.pieces.iter().all(|piece| piece.width <= 32)
            && self.nodes.iter().enumerate().all(|(index, node)| match *node {
                Node::KeccakPieces { start, count } => self
                    .pieces
                    .get(start as usize..start as usize + count as usize)
                    .is_some_and(|pieces| pieces.iter().all(|piece| (piece.node as usize) < index)),
                node => node.operands().into_iter().flatten().all(|operand| (operand as usize) < index),
            })
            && self.slots.iter().all(|entry| within(entry.address) && within(entry.slot))
            && self.accounts.iter().all(|entry| within(entry.address))
            && self.returns.iter().all(|entry| within(entry.node))
            && self.calls.iter().all(|call| {
                within(call.target)
                    && call.value.is_none_or(within)
                    && match &call.input {
                        InputShape::Parts { parts, .. } => {
                            parts.iter().all(|part| within(part.node) && part.width <= 32)
                        }
                        InputShape::Slice { .. } | InputShape::Bytes { .. } => true,
                    }
            })
    }

    /// A template that begins with the slots this one knows, as a first belief that gives way to what its own calls do. Inner calls are
    /// not taken over: the parts of their input that differ between variants were dropped here, and are what a variant is for.
    pub(super) fn variant(&self) -> Self {
        let belief = |evidence: &mut Evidence| {
            let writes = u16::from(evidence.writes());
            *evidence = Evidence { prior: evidence.likelihood().min(255) as u8, writes, ..Evidence::default() };
        };
        let mut variant = Self {
            nodes: self.nodes.clone(),
            pieces: self.pieces.clone(),
            slots: self.slots.clone(),
            accounts: self.accounts.clone(),
            ..Self::default()
        };
        let needs_call = self.needs_call();
        variant.slots.retain(|entry| !needs_call[entry.slot as usize] && !needs_call[entry.address as usize]);
        variant.accounts.retain(|entry| !needs_call[entry.address as usize]);
        variant.slots.iter_mut().for_each(|entry| belief(&mut entry.evidence));
        variant.accounts.iter_mut().for_each(|entry| belief(&mut entry.evidence));
        variant.compact();
        variant
    }

    /// Of every node, whether its value depends on what a call returns.
    fn needs_call(&self) -> Vec<bool> {
        let mut needs = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            needs.push(match *node {
                Node::Returned { .. } => true,
                Node::KeccakPieces { start, count } => self.pieces[start as usize..start as usize + count as usize]
                    .iter()
                    .any(|piece| needs[piece.node as usize]),
                node => node.operands().into_iter().flatten().any(|operand| needs[operand as usize]),
            });
        }
        needs
    }

    /// Whether some entry holds in a part of the calls only.
    pub(super) fn is_mixed(&self) -> bool {
        let partly = |evidence: &Evidence| {
            let (hits, trials) = (u32::from(evidence.hits), u32::from(evidence.trials));
            trials >= 3 && hits * 8 > trials && hits * 8 < trials * 7
        };
        self.slots.iter().any(|entry| partly(&entry.evidence)) || self.calls.iter().any(|entry| partly(&entry.evidence))
    }

    /// Notes a use, for eviction.
    pub(super) fn touch(&self, now: u32) {
        if self.used.load(Ordering::Relaxed) != now {
            self.used.store(now, Ordering::Relaxed);
        }
    }
}
