//! From a concrete value to an expression for it.
//!
//! [`Deriver::derive`] asks of a word, in this order: is it in the call data, is it an account of the call, was it loaded or
//! returned before, is it a hash whose input is known (then its parts are asked the same), is it an address made from a
//! hash — and else takes it for a constant. Several answers are often right for one call and wrong for the next: the
//! `rank` picks the second or third answer, when the expression from the first is already in the template
//! and did not explain what was seen.

mod inputs;

use super::{
    evaluate::{Frame, field},
    expression::{Node, NodeIndex, Piece, address_of, is_distinctive, word_of},
    family::{self, Operand},
    observe::ObservedSlot,
    preimages::Preimages,
    template::Template,
};
use alloy_primitives::{Address, B256, U256};

/// Nesting of hashes that is followed.
const MAX_DEPTH: u8 = 6;
/// Belief in an expression made of what the call brings.
const SYMBOLIC: u8 = 220;
/// Belief in a small slot number or an address that is always the same.
const FIXED: u8 = 190;
/// Belief in a coincidence of small numbers.
const COINCIDENCE: u8 = 110;
/// Belief in a large constant that nothing explains.
const UNEXPLAINED: u8 = 30;
/// Addresses and hashes that are loaded slots' fields start at one of these bits.
const FIELD_SHIFTS: [u8; 6] = [0, 8, 16, 32, 64, 96];

/// What a value is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A slot number.
    Slot,
    /// A key of a mapping.
    Key,
    /// The number of a mapping or an array, below a hash.
    Base,
    /// An address that is called or read.
    Address,
    /// A word of an inner call's input.
    Data,
}

/// Finds expressions for the values of one observed call.
#[derive(Debug)]
pub(super) struct Deriver<'a, P: ?Sized> {
    pub(super) template: &'a mut Template,
    pub(super) frame: &'a Frame<'a>,
    pub(super) preimages: &'a P,
    /// Slots the call touched, in order.
    pub(super) slots: &'a [ObservedSlot],
    /// Return data of those inner calls that have an entry in the template.
    pub(super) returned: &'a [(u16, &'a [u8])],
    /// The operands of the code that runs, empty when it is not at hand.
    pub(super) operands: &'a [Operand],
    /// Whether that code is the very one that the template is kept under.
    pub(super) is_home: bool,
    pub(super) rank: usize,
}

impl<P: Preimages + ?Sized> Deriver<'_, P> {
    /// An expression for `word`, and how credible it is. Only the first `visible` slots may be used in it.
    pub(super) fn derive(&mut self, word: U256, role: Role, visible: usize, depth: u8) -> Option<(NodeIndex, u8)> {
        if !is_distinctive(word) {
            return self.derive_small(word, role, visible, depth);
        }
        if let Some(node) = self.known(word, role, visible, depth) {
            return Some((node, SYMBOLIC));
        }
        if depth < MAX_DEPTH {
            if let Some(found) = self.derive_slot_hash(word, visible, depth) {
                return Some(found);
            }
            if let Some(input) = self.preimages.long(&B256::from(word)) {
                let input = input.to_vec();
                return self.derive_pieces(&input, visible, depth);
            }
            if let Some(input) = address_of(word).and_then(|address| self.preimages.address(&address)) {
                let input = input.to_vec();
                let (hash, belief) = self.derive_pieces(&input, visible, depth)?;
                return Some((self.template.intern(Node::Field { word: hash, shift: 0, bits: 160 })?, belief));
            }
        }
        if let Some(node) = self.immutable(word) {
            return Some((node, FIXED));
        }
        let belief = match role {
            Role::Address | Role::Data | Role::Base => FIXED,
            Role::Slot | Role::Key => UNEXPLAINED,
        };
        Some((self.template.intern(Node::Constant(word))?, belief))
    }

    /// A word that stands in the code.
    fn immutable(&mut self, word: U256) -> Option<NodeIndex> {
        let (offset, width) = family::position(self.operands, word)?;
        let here = |node: &Node| matches!(node, Node::Immutable { offset: at, .. } if *at == offset);
        if let Some(known) = self.template.nodes.iter().position(here) {
            return Some(known as NodeIndex);
        }
        let value = if self.is_home { word } else { U256::ZERO };
        self.template.intern(Node::Immutable { offset, width, value })
    }

    fn derive_small(&mut self, word: U256, role: Role, visible: usize, depth: u8) -> Option<(NodeIndex, u8)> {
        if role == Role::Key && !word.is_zero() {
            if word == U256::from(self.frame.block.number) {
                return Some((self.template.intern(Node::Number)?, FIXED));
            }
            if word == U256::from(self.frame.block.timestamp) {
                return Some((self.template.intern(Node::Timestamp)?, FIXED));
            }
            let belief = if word.bit_len() > 12 { SYMBOLIC } else { COINCIDENCE };
            if let Some(offset) = self.aligned(word) {
                return Some((self.template.intern(Node::Word { offset })?, belief));
            }
            if word.bit_len() > 4 && depth < MAX_DEPTH {
                let one_less = word - U256::ONE;
                for index in 0..visible {
                    let value = self.slots[index].value;
                    if value == word || value == one_less {
                        let load = self.load(index, depth)?;
                        let node = if value == word {
                            Some(load)
                        } else {
                            self.template.intern(Node::Add { word: load, offset: 1 })
                        };
                        return Some((node?, belief));
                    }
                }
            }
        }
        let belief = if role == Role::Key { COINCIDENCE } else { FIXED };
        Some((self.template.intern(Node::Constant(word))?, belief))
    }

    /// Offset of an aligned word of the input with this value.
    fn aligned(&self, word: U256) -> Option<u32> {
        let count = (self.frame.input.len().saturating_sub(4) / 32).min(64);
        (0..count).map(|index| 4 + 32 * index).find(|offset| self.frame.word(*offset) == Some(word)).map(|at| at as u32)
    }

    /// A hash of 32 or 64 bytes, plus an index.
    fn derive_slot_hash(&mut self, word: U256, visible: usize, depth: u8) -> Option<(NodeIndex, u8)> {
        let (input, offset) = self.preimages.near(word)?;
        let first = U256::from_be_slice(&input[..32]);
        let second = (input.len() == 64).then(|| U256::from_be_slice(&input[32..]));
        let (hash, belief) = match second {
            Some(second) => {
                let (first, belief) = self.derive(first, Role::Key, visible, depth + 1)?;
                let role = if second.bit_len() <= 32 { Role::Base } else { Role::Key };
                let (second, other) = self.derive(second, role, visible, depth + 1)?;
                (self.template.intern(Node::Keccak { first, second })?, belief.min(other))
            }
            None => {
                let (word, belief) = self.derive(first, Role::Base, visible, depth + 1)?;
                (self.template.intern(Node::KeccakWord { word })?, belief)
            }
        };
        if offset == 0 {
            return Some((hash, belief));
        }
        if second.is_none() || offset > 16 {
            let (index, other) = self.derive(U256::from(offset), Role::Key, visible, depth + 1)?;
            return Some((self.template.intern(Node::Sum { left: hash, right: index })?, belief.min(other)));
        }
        Some((self.template.intern(Node::Add { word: hash, offset })?, belief))
    }

    /// The hash of a concatenation of words, addresses and constants.
    fn derive_pieces(&mut self, input: &[u8], visible: usize, depth: u8) -> Option<(NodeIndex, u8)> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut belief = FIXED;
        let mut fixed: Vec<u8> = Vec::new();
        let mut position = 0;
        while position < input.len() {
            let found = self.derive_piece(&input[position..], visible, depth);
            if let Some(piece) = found {
                self.flush(&mut fixed, &mut pieces)?;
                position += piece.width as usize;
                pieces.push(piece);
                belief = SYMBOLIC;
            } else {
                fixed.push(input[position]);
                position += 1;
                if fixed.len() == 32 {
                    self.flush(&mut fixed, &mut pieces)?;
                }
            }
        }
        self.flush(&mut fixed, &mut pieces)?;
        if pieces.is_empty() || pieces.len() > 16 {
            return None;
        }
        if self.rank == 0 {
            self.sort_pieces(input, &mut pieces)?;
        }
        Some((self.template.intern_pieces(&pieces)?, belief))
    }

    /// Two accounts that stand side by side in ascending order were probably sorted, as those of a pair are. Where it was
    /// an accident, the next call with a descending pair says so.
    fn sort_pieces(&mut self, input: &[u8], pieces: &mut [Piece]) -> Option<()> {
        let mut start = 0;
        for index in 1..pieces.len() {
            let (left, right) = (pieces[index - 1], pieces[index]);
            let middle = start + left.width as usize;
            if left.width == right.width && left.node != right.node && left.width >= 20 {
                let first = U256::from_be_slice(&input[start..middle]);
                let second = U256::from_be_slice(&input[middle..middle + right.width as usize]);
                let accounts = [first, second].iter().all(|word| word.bit_len() > 96 && word.bit_len() <= 160);
                let fixed = |node: NodeIndex| matches!(self.template.nodes[node as usize], Node::Constant(_));
                if accounts && first < second && !(fixed(left.node) && fixed(right.node)) {
                    let (one, other) = (left.node.min(right.node), left.node.max(right.node));
                    pieces[index - 1].node = self.template.intern(Node::Smaller { left: one, right: other })?;
                    pieces[index].node = self.template.intern(Node::Larger { left: one, right: other })?;
                }
            }
            start = middle;
        }
        Some(())
    }

    fn flush(&mut self, fixed: &mut Vec<u8>, pieces: &mut Vec<Piece>) -> Option<()> {
        if !fixed.is_empty() {
            let node = self.template.intern(Node::Constant(U256::from_be_slice(fixed)))?;
            pieces.push(Piece { node, width: fixed.len() as u8 });
            fixed.clear();
        }
        Some(())
    }

    /// The start of `input` as a word or an address that the call explains.
    fn derive_piece(&mut self, input: &[u8], visible: usize, depth: u8) -> Option<Piece> {
        if input.len() >= 32 {
            let word = U256::from_be_slice(&input[..32]);
            if word.bit_len() > 64 {
                let node = self.known(word, Role::Key, visible, depth + 1).or_else(|| {
                    let hashed = self.preimages.long(&B256::from(word))?.to_vec();
                    if depth + 1 >= MAX_DEPTH { None } else { Some(self.derive_pieces(&hashed, visible, depth + 1)?.0) }
                });
                if let Some(node) = node {
                    return Some(Piece { node, width: 32 });
                }
            } else if word.bit_len() > 4
                && let Some(offset) = self.aligned(word)
            {
                return Some(Piece { node: self.template.intern(Node::Word { offset })?, width: 32 });
            }
        }
        if input.len() >= 20 && input[0] != 0 {
            let word = U256::from_be_slice(&input[..20]);
            if word.bit_len() > 96 {
                let node = self.known(word, Role::Address, visible, depth + 1).or_else(|| self.immutable(word))?;
                return Some(Piece { node, width: 20 });
            }
        }
        None
    }

    /// A value that the call brings, loaded, or got back.
    fn known(&mut self, word: U256, role: Role, visible: usize, depth: u8) -> Option<NodeIndex> {
        let mut rank = self.rank;
        let mut last = None;
        let mut pick = |node: Node| {
            let done = rank == 0;
            rank = rank.saturating_sub(1);
            last = Some(node);
            done
        };
        let frame = self.frame;
        let positions = self.positions(word);
        let mut found = false;
        if let Some(first) = positions.first() {
            found = pick(*first);
        }
        for (value, node) in [
            (frame.caller, Node::Caller),
            (frame.origin, Node::Origin),
            (frame.this, Node::This),
            (frame.block.beneficiary, Node::Beneficiary),
        ] {
            if !found && word == word_of(value) {
                found = pick(node);
            }
        }
        if !found && frame.value == Some(word) {
            found = pick(Node::CallValue);
        }
        for node in positions.iter().skip(1) {
            if !found {
                found = pick(*node);
            }
        }
        if found || last.is_some() && self.rank == 0 {
            return self.template.intern(last?);
        }
        if depth < MAX_DEPTH {
            for index in 0..visible {
                let value = self.slots[index].value;
                if value == word {
                    return self.load(index, depth);
                }
                if role != Role::Data
                    && word.bit_len() <= 160
                    && word.bit_len() > 96
                    && let Some(shift) = FIELD_SHIFTS.into_iter().find(|shift| field(value, *shift, 160) == word)
                {
                    let word = self.load(index, depth)?;
                    return self.template.intern(Node::Field { word, shift, bits: 160 });
                }
            }
        }
        for (call, output) in self.returned {
            let words = output.chunks_exact(32).take(8);
            if let Some(position) = words.into_iter().position(|output| U256::from_be_slice(output) == word) {
                return self.template.intern(Node::Returned { call: *call, word: position as u8 });
            }
        }
        self.template.intern(last?)
    }

    /// Expressions for the places of the input where a distinctive word stands, best first.
    fn positions(&self, word: U256) -> Vec<Node> {
        let bytes = word.to_be_bytes::<32>();
        let is_address = word.bit_len() <= 160 && word.bit_len() > 96;
        let needle = if is_address { &bytes[12..] } else { &bytes[..] };
        let input = self.frame.input;
        let mut nodes = Vec::new();
        let mut from = 0;
        while let Some(at) = find(&input[from..], needle) {
            let at = at + from;
            from = at + 1;
            let is_word = is_address && at >= 16 && input[at - 12..at] == [0; 12];
            if is_address && !is_word {
                nodes.push(Node::Packed { offset: at as u32 });
                nodes.push(Node::PackedFromEnd { distance: (input.len() - at) as u32 });
            } else {
                let offset = if is_address { at - 12 } else { at };
                nodes.push(Node::Word { offset: offset as u32 });
                nodes.extend(self.dynamic(offset));
            }
            if nodes.len() >= 8 {
                break;
            }
        }
        nodes
    }

    /// The place `offset` as a distance from where one of the leading words, taken for an ABI offset, points to.
    fn dynamic(&self, offset: usize) -> Option<Node> {
        let mut best: Option<(usize, u32)> = None;
        for head in (4..).step_by(32).take(16) {
            if head + 32 > offset {
                break;
            }
            let pointer = self.frame.word(head)?;
            if pointer.bit_len() > 24 || pointer.to::<u32>() % 32 != 0 || pointer.is_zero() {
                continue;
            }
            let start = 4 + pointer.to::<u32>() as usize;
            if start > head && start <= offset && best.is_none_or(|(seen, _)| start > seen) {
                best = Some((start, head as u32));
            }
        }
        best.map(|(start, head)| Node::Dynamic { head, delta: (offset - start) as u32 })
    }

    /// The value of the `index`th observed slot.
    fn load(&mut self, index: usize, depth: u8) -> Option<NodeIndex> {
        let (address, slot, _) = self.slot(index, depth + 1)?;
        self.template.intern(Node::Load { address, slot })
    }

    /// The owner and the number of the `index`th observed slot.
    pub(super) fn slot(&mut self, index: usize, depth: u8) -> Option<(NodeIndex, NodeIndex, u8)> {
        let observed = self.slots[index];
        let (address, belief) = self.account(observed.address, index, depth)?;
        let (slot, other) = self.derive(observed.slot, Role::Slot, index, depth)?;
        Some((address, slot, belief.min(other)))
    }

    /// An account.
    pub(super) fn account(&mut self, address: Address, visible: usize, depth: u8) -> Option<(NodeIndex, u8)> {
        if address == self.frame.this {
            return Some((self.template.intern(Node::This)?, SYMBOLIC));
        }
        self.derive(word_of(address), Role::Address, visible, depth)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() || haystack.len() < needle.len() {
        return None;
    }
    let last = haystack.len() - needle.len();
    (0..=last).find(|at| haystack[*at] == needle[0] && haystack[*at..*at + needle.len()] == *needle)
}
