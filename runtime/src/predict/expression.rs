//! Symbolic expressions for slots, addresses and words of call data.
//!
//! A template owns a list of [`Node`]s; a node refers to others by index, always to smaller ones, so that the list can be
//! evaluated in one pass and cannot have cycles. Expressions are relative to one call: its caller, its input, the
//! account it works on.

use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

/// Index of a node in its template.
pub(super) type NodeIndex = u16;

/// One step of an expression; all values are 256-bit words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Node {
    /// The same in every call.
    Constant(U256),
    /// The account whose storage the call works on.
    This,
    /// `width` bytes of the running code at a byte offset; `value` in the code that the template is kept under,
    /// or zero where that is not known.
    Immutable { offset: u32, width: u8, value: U256 },
    /// `msg.sender`.
    Caller,
    /// The sender of the transaction.
    Origin,
    /// `msg.value`.
    CallValue,
    /// Block number plus a small difference.
    Number,
    /// Block timestamp.
    Timestamp,
    /// Fee recipient of the block.
    Beneficiary,
    /// 32 bytes of the input at a byte offset.
    Word { offset: u32 },
    /// 20 bytes of the input at a byte offset, as packed encodings hold addresses.
    Packed { offset: u32 },
    /// 20 bytes of the input at a distance from its end.
    PackedFromEnd { distance: u32 },
    /// 32 bytes of the input behind an ABI offset: at `4 + word(head) + delta`.
    Dynamic { head: u32, delta: u32 },
    /// Current value of a slot.
    Load { address: NodeIndex, slot: NodeIndex },
    /// `(word >> shift) mod 2^bits`.
    Field { word: NodeIndex, shift: u8, bits: u8 },
    /// A word plus a constant.
    Add { word: NodeIndex, offset: u64 },
    /// A word plus another.
    Sum { left: NodeIndex, right: NodeIndex },
    /// The smaller of two words.
    Smaller { left: NodeIndex, right: NodeIndex },
    /// The larger of two words.
    Larger { left: NodeIndex, right: NodeIndex },
    /// Keccak-256 of two words.
    Keccak { first: NodeIndex, second: NodeIndex },
    /// Keccak-256 of a word.
    KeccakWord { word: NodeIndex },
    /// Keccak-256 of a concatenation of pieces.
    KeccakPieces { start: u16, count: u8 },
    /// A word that an inner call returned; the call is an index into the template's calls.
    Returned { call: u16, word: u8 },
}

/// The last `width` bytes of a node's value, as a part of a longer input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) node: NodeIndex,
    pub(super) width: u8,
}

impl Node {
    /// Nodes this one is made of (those of pieces excepted).
    pub(super) fn operands(&self) -> [Option<NodeIndex>; 2] {
        match *self {
            Self::Load { address, slot } => [Some(address), Some(slot)],
            Self::Field { word, .. } | Self::Add { word, .. } | Self::KeccakWord { word } => [Some(word), None],
            Self::Keccak { first, second } => [Some(first), Some(second)],
            Self::Sum { left, right } | Self::Smaller { left, right } | Self::Larger { left, right } => {
                [Some(left), Some(right)]
            }
            _ => [None, None],
        }
    }

    /// The same node with every operand renamed.
    pub(super) fn with_operands(self, rename: impl Fn(NodeIndex) -> NodeIndex) -> Self {
        match self {
            Self::Load { address, slot } => Self::Load { address: rename(address), slot: rename(slot) },
            Self::Field { word, shift, bits } => Self::Field { word: rename(word), shift, bits },
            Self::Add { word, offset } => Self::Add { word: rename(word), offset },
            Self::KeccakWord { word } => Self::KeccakWord { word: rename(word) },
            Self::Keccak { first, second } => Self::Keccak { first: rename(first), second: rename(second) },
            Self::Sum { left, right } => Self::Sum { left: rename(left), right: rename(right) },
            Self::Smaller { left, right } => Self::Smaller { left: rename(left), right: rename(right) },
            Self::Larger { left, right } => Self::Larger { left: rename(left), right: rename(right) },
            other => other,
        }
    }
}

/// The word that holds an address.
pub(super) fn word_of(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

/// The address in a word, if the word can be one: no high bits, and not a small number.
pub(super) fn address_of(word: U256) -> Option<Address> {
    (word.bit_len() <= 160 && word.bit_len() > 32).then(|| Address::from_word(word.into()))
}

/// Whether a word is large enough for its equality with another to be no accident.
pub(super) fn is_distinctive(word: U256) -> bool {
    word.bit_len() > 64
}
