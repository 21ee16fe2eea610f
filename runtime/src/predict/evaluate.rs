//! Evaluation of expressions in one call, with every node computed at most once.

use super::{
    BlockContext, KeccakCache,
    expression::{Node, NodeIndex, Piece, address_of, word_of},
    keccak_cache::MAX_CACHED_INPUT,
};
use alloy_primitives::{Address, U256};

/// A call whose expressions are evaluated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub(super) this: Address,
    pub(super) caller: Address,
    pub(super) origin: Address,
    pub(super) value: Option<U256>,
    pub(super) input: &'a [u8],
    /// One byte for each byte of `input`, 1 where it is known; empty when all are.
    pub(super) mask: &'a [u8],
    pub(super) block: &'a BlockContext,
}

impl Frame<'_> {
    /// Bytes of the input, if they are within it and known.
    pub(super) fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let end = offset.checked_add(N)?;
        let bytes = self.input.get(offset..end)?;
        if !self.mask.is_empty() && self.mask.get(offset..end)? != [1; N] {
            return None;
        }
        bytes.try_into().ok()
    }

    pub(super) fn word(&self, offset: usize) -> Option<U256> {
        self.bytes(offset).map(U256::from_be_bytes::<32>)
    }

    /// The word at `4 + word(head) + delta`.
    pub(super) fn dynamic(&self, head: u32, delta: u32) -> Option<U256> {
        let pointer = u32::try_from(self.word(head as usize)?).ok()?;
        self.word(4usize.checked_add(pointer as usize)?.checked_add(delta as usize)?)
    }
}

/// Where the values come from that are not in the call itself.
pub(super) trait Environment {
    fn load(&mut self, address: Address, slot: U256) -> Option<U256>;
    fn returned(&mut self, call: u16, word: u8) -> Option<U256>;
    fn keccak(&mut self) -> &mut KeccakCache;
    /// Whether the code that runs is the very one that the template is kept under.
    fn is_home(&self) -> bool;
    /// `width` bytes of the code that runs.
    fn code_word(&mut self, offset: u32, width: u8) -> Option<U256>;
}

/// Values of the nodes of one template in one call, computed when first asked for. Only the marks need to be reset from one
/// call to the next.
#[derive(Debug)]
pub(super) struct Memo<'a> {
    pub(super) marks: &'a mut [Mark],
    pub(super) values: &'a mut [U256],
}

/// What is known of the value of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Pending,
    Unknown,
    Known,
}

/// A template's nodes, seen for evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program<'a> {
    pub(super) nodes: &'a [Node],
    pub(super) pieces: &'a [Piece],
}

impl Program<'_> {
    /// The value of a node; `memo` has one entry for each node.
    pub(super) fn value<E: Environment>(
        &self,
        index: NodeIndex,
        frame: &Frame<'_>,
        memo: &mut Memo<'_>,
        environment: &mut E,
    ) -> Option<U256> {
        let at = index as usize;
        match memo.marks[at] {
            Mark::Known => return Some(memo.values[at]),
            Mark::Unknown => return None,
            Mark::Pending => {}
        }
        let value = self.compute(index, frame, memo, environment);
        memo.marks[at] = if value.is_some() { Mark::Known } else { Mark::Unknown };
        if let Some(value) = value {
            memo.values[at] = value;
        }
        value
    }

    fn compute<E: Environment>(
        &self,
        index: NodeIndex,
        frame: &Frame<'_>,
        memo: &mut Memo<'_>,
        environment: &mut E,
    ) -> Option<U256> {
        Some(match self.nodes[index as usize] {
            Node::Constant(value) => value,
            Node::Immutable { offset, width, value } => {
                if environment.is_home() && !value.is_zero() {
                    value
                } else {
                    environment.code_word(offset, width)?
                }
            }
            Node::This => word_of(frame.this),
            Node::Caller => word_of(frame.caller),
            Node::Origin => word_of(frame.origin),
            Node::CallValue => frame.value?,
            Node::Number => U256::from(frame.block.number),
            Node::Timestamp => U256::from(frame.block.timestamp),
            Node::Beneficiary => word_of(frame.block.beneficiary),
            Node::Word { offset } => frame.word(offset as usize)?,
            Node::Packed { offset } => U256::from_be_slice(&frame.bytes::<20>(offset as usize)?),
            Node::PackedFromEnd { distance } => {
                U256::from_be_slice(&frame.bytes::<20>(frame.input.len().checked_sub(distance as usize)?)?)
            }
            Node::Dynamic { head, delta } => frame.dynamic(head, delta)?,
            Node::Load { address, slot } => {
                let address = address_of(self.value(address, frame, memo, environment)?)?;
                let slot = self.value(slot, frame, memo, environment)?;
                environment.load(address, slot)?
            }
            Node::Field { word, shift, bits } => field(self.value(word, frame, memo, environment)?, shift, bits),
            Node::Add { word, offset } => self.value(word, frame, memo, environment)?.wrapping_add(U256::from(offset)),
            Node::Sum { left, right } => {
                let left = self.value(left, frame, memo, environment)?;
                left.wrapping_add(self.value(right, frame, memo, environment)?)
            }
            Node::Smaller { left, right } => {
                let left = self.value(left, frame, memo, environment)?;
                left.min(self.value(right, frame, memo, environment)?)
            }
            Node::Larger { left, right } => {
                let left = self.value(left, frame, memo, environment)?;
                left.max(self.value(right, frame, memo, environment)?)
            }
            Node::Keccak { first, second } => {
                let mut input = [0; 64];
                input[..32].copy_from_slice(&self.value(first, frame, memo, environment)?.to_be_bytes::<32>());
                input[32..].copy_from_slice(&self.value(second, frame, memo, environment)?.to_be_bytes::<32>());
                U256::from_be_bytes(environment.keccak().get_or_hash(&input).0)
            }
            Node::KeccakWord { word } => {
                let input = self.value(word, frame, memo, environment)?.to_be_bytes::<32>();
                U256::from_be_bytes(environment.keccak().get_or_hash_word(&input).0)
            }
            Node::KeccakPieces { start, count } => {
                let mut input = [0; MAX_CACHED_INPUT];
                let mut length = 0;
                for piece in self.pieces.get(start as usize..start as usize + count as usize)? {
                    let width = piece.width as usize;
                    let word = self.value(piece.node, frame, memo, environment)?.to_be_bytes::<32>();
                    input.get_mut(length..length + width)?.copy_from_slice(&word[32 - width..]);
                    length += width;
                }
                U256::from_be_bytes(environment.keccak().hash(&input[..length]).0)
            }
            Node::Returned { call, word } => environment.returned(call, word)?,
        })
    }
}

/// `(word >> shift) mod 2^bits`.
pub(super) fn field(word: U256, shift: u8, bits: u8) -> U256 {
    let shifted = word >> shift as usize;
    if bits == 0 { shifted } else { shifted & ((U256::ONE << bits as usize) - U256::ONE) }
}
