//! Words of a code that is read: known, made of what the call brings, or unknown.

use super::super::expression::{Node, NodeIndex};
use alloy_primitives::{U256, map::HashMap};

/// Nodes of a reading; those that no entry needs are dropped in the end.
const MAX_NODES: usize = 4096;
/// `2^160 - 1`.
const ADDRESS_BITS: usize = 160;

/// A word on the stack or in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A number; `pushed` is the offset of the operand of a `PUSH20` or `PUSH32` that it was, and its width.
    Known { word: U256, pushed: Option<(u32, u8)> },
    /// An expression.
    Node(NodeIndex),
    /// An expression's last 20 bytes in front, zeros behind.
    High(NodeIndex),
    /// What stands in memory at an offset, where it is more than one piece.
    Mixed(u64),
    /// The same with the first four bytes cleared.
    Tail(u64),
    /// The same with other four bytes in front.
    Headed(u64, u32),
    /// The first 32 bytes of the input.
    InputHead,
    /// The length of the input.
    InputSize,
    /// A condition that hardly ever holds.
    Unlikely,
    /// A condition that nearly always holds.
    Likely,
    /// Anything.
    Unknown,
}

impl Word {
    pub(super) const ZERO: Self = Self::known(U256::ZERO);

    pub(super) const fn known(word: U256) -> Self {
        Self::Known { word, pushed: None }
    }

    pub(super) const fn number(number: u64) -> Self {
        Self::known(U256::from_limbs([number, 0, 0, 0]))
    }

    pub(super) fn flag(flag: bool) -> Self {
        Self::number(u64::from(flag))
    }

    pub(super) const fn value(self) -> Option<U256> {
        match self {
            Self::Known { word, .. } => Some(word),
            _ => None,
        }
    }

    /// The number, if it is one that can be an offset into memory.
    pub(super) fn offset(self) -> Option<u64> {
        self.value().and_then(|word| u64::try_from(word).ok()).filter(|offset| *offset < 1 << 24)
    }
}

/// Interned nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub(super) list: Vec<Node>,
    index: HashMap<Node, NodeIndex>,
}

impl Nodes {
    pub(super) fn intern(&mut self, node: Node) -> Option<NodeIndex> {
        if let Some(known) = self.index.get(&node) {
            return Some(*known);
        }
        if self.list.len() >= MAX_NODES {
            return None;
        }
        let index = self.list.len() as NodeIndex;
        self.list.push(node);
        self.index.insert(node, index);
        Some(index)
    }

    pub(super) fn word(&mut self, node: Node) -> Word {
        self.intern(node).map_or(Word::Unknown, Word::Node)
    }

    fn get(&self, index: NodeIndex) -> Node {
        self.list[index as usize]
    }

    pub(super) fn add(&mut self, left: Word, right: Word) -> Word {
        match (left, right) {
            (Word::Known { word, .. }, other) | (other, Word::Known { word, .. }) if word.is_zero() => other,
            (Word::Known { word: left, .. }, Word::Known { word: right, .. }) => Word::known(left.wrapping_add(right)),
            (Word::Node(node), Word::Known { word: offset, .. })
            | (Word::Known { word: offset, .. }, Word::Node(node)) => {
                let Ok(offset) = u64::try_from(offset) else { return Word::Unknown };
                match self.get(node) {
                    Node::Add { word, offset: more } => {
                        more.checked_add(offset).map_or(Word::Unknown, |offset| self.word(Node::Add { word, offset }))
                    }
                    _ => self.word(Node::Add { word: node, offset }),
                }
            }
            (Word::Node(left), Word::Node(right)) => {
                self.word(Node::Sum { left: left.min(right), right: left.max(right) })
            }
            _ => Word::Unknown,
        }
    }

    pub(super) fn sub(&mut self, left: Word, right: Word) -> Word {
        match (left, right) {
            (left, Word::Known { word, .. }) if word.is_zero() => left,
            (Word::Known { word: left, .. }, Word::Known { word: right, .. }) => Word::known(left.wrapping_sub(right)),
            (left, right) if left == right && left != Word::Unknown => Word::ZERO,
            (Word::Node(node), Word::Known { word: less, .. }) => match (self.get(node), u64::try_from(less)) {
                (Node::Add { word, offset }, Ok(less)) if offset == less => Word::Node(word),
                (Node::Add { word, offset }, Ok(less)) if offset > less => {
                    self.word(Node::Add { word, offset: offset - less })
                }
                _ => Word::Unknown,
            },
            _ => Word::Unknown,
        }
    }

    pub(super) fn and(&mut self, left: Word, right: Word) -> Word {
        let (mask, word) = match (left, right) {
            (Word::Known { word: left, .. }, Word::Known { word: right, pushed }) => {
                let word = left & right;
                return Word::Known { word, pushed: pushed.filter(|_| word == right) };
            }
            (Word::Known { word: mask, .. }, word) | (word, Word::Known { word: mask, .. }) => (mask, word),
            (Word::Likely, other) | (other, Word::Likely) => return other,
            (Word::Unlikely, _) | (_, Word::Unlikely) => return Word::Unlikely,
            _ => return Word::Unknown,
        };
        if mask == U256::MAX {
            return word;
        }
        if mask.is_zero() {
            return Word::ZERO;
        }
        match word {
            Word::High(_) if mask >> 96 == U256::MAX >> 96 => return word,
            Word::Mixed(start) if mask == U256::MAX >> 32 => return Word::Tail(start),
            _ => {}
        }
        let bits = mask.bit_len();
        let is_low = mask.count_ones() == bits;
        match word {
            Word::Node(node) if is_low && bits < 256 => self.low(node, bits),
            Word::Unlikely | Word::Likely => word,
            _ => Word::Unknown,
        }
    }

    /// The low bits of a node. An account is taken to have no others.
    fn low(&mut self, node: NodeIndex, bits: usize) -> Word {
        match self.get(node) {
            Node::Caller
            | Node::Origin
            | Node::This
            | Node::Beneficiary
            | Node::Packed { .. }
            | Node::Immutable { .. }
                if bits >= ADDRESS_BITS =>
            {
                Word::Node(node)
            }
            Node::Word { .. } | Node::Dynamic { .. } | Node::Returned { .. } if bits == ADDRESS_BITS => {
                Word::Node(node)
            }
            Node::Field { bits: kept, .. } if kept != 0 && kept as usize <= bits => Word::Node(node),
            Node::Field { word, shift, .. } => self.word(Node::Field { word, shift, bits: bits as u8 }),
            _ => self.word(Node::Field { word: node, shift: 0, bits: bits as u8 }),
        }
    }

    pub(super) fn shift_right(&mut self, word: Word, shift: usize, selector: Option<[u8; 4]>) -> Word {
        match word {
            Word::Known { word, .. } => Word::known(if shift < 256 { word >> shift } else { U256::ZERO }),
            Word::InputHead if shift == 224 => {
                selector.map_or(Word::Unknown, |selector| Word::known(U256::from_be_slice(&selector)))
            }
            Word::High(node) if shift == 96 => Word::Node(node),
            Word::Node(_) if shift == 0 => word,
            Word::Node(node) if shift < 256 => match self.get(node) {
                Node::Word { offset } if shift == 96 => self.word(Node::Packed { offset }),
                Node::Field { word, shift: before, bits: 0 } if before as usize + shift < 256 => {
                    self.word(Node::Field { word, shift: before + shift as u8, bits: 0 })
                }
                Node::Field { .. } => Word::Unknown,
                _ => self.word(Node::Field { word: node, shift: shift as u8, bits: 0 }),
            },
            _ => Word::Unknown,
        }
    }

    pub(super) fn shift_left(word: Word, shift: usize) -> Word {
        match word {
            Word::Known { word, .. } => Word::known(if shift < 256 { word << shift } else { U256::ZERO }),
            Word::Node(node) if shift == 96 => Word::High(node),
            _ => Word::Unknown,
        }
    }

    /// Equality, as a condition.
    pub(super) fn equal(left: Word, right: Word) -> Word {
        match (left, right) {
            (Word::Known { word: left, .. }, Word::Known { word: right, .. }) => Word::flag(left == right),
            (Word::Unknown | Word::Mixed(_), _) | (_, Word::Unknown | Word::Mixed(_)) => Word::Unknown,
            (left, right) if left == right => Word::flag(true),
            _ => Word::Unlikely,
        }
    }

    /// Whether a word is zero, as a condition.
    pub(super) fn is_zero(&self, word: Word) -> Word {
        match word {
            Word::Known { word, .. } => Word::flag(word.is_zero()),
            Word::Unlikely => Word::Likely,
            Word::Likely => Word::Unlikely,
            // What the caller gives is seldom zero; what is stored may be.
            Word::Node(node) => match self.get(node) {
                Node::Caller | Node::Origin | Node::This | Node::Word { .. } | Node::Dynamic { .. } => Word::Unlikely,
                Node::CallValue => Word::Unknown,
                _ => Word::Unknown,
            },
            Word::InputSize | Word::InputHead | Word::High(_) => Word::flag(false),
            Word::Unknown | Word::Mixed(_) | Word::Tail(_) | Word::Headed(..) => Word::Unknown,
        }
    }
}
