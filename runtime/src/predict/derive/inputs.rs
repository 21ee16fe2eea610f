//! Inputs of inner calls: a part of the outer input as it stands, or words and packed addresses that the call explains.

use super::{
    super::{
        expression::{Node, NodeIndex, is_distinctive, word_of},
        preimages::Preimages,
        template::{InputPart, InputShape},
    },
    Deriver, MAX_DEPTH, Role, find,
};
use alloy_primitives::U256;

/// Parts of an inner call's input that are explained.
const MAX_PARTS: usize = 32;
/// Longest number, in bytes, between two addresses of a packed encoding: the fee of a pool, a length, a flag.
const MAX_PACKED_NUMBER: usize = 8;

impl<P: Preimages + ?Sized> Deriver<'_, P> {
    /// The input of an inner call.
    pub(in super::super) fn input(&mut self, input: &[u8]) -> Option<InputShape> {
        let outer = self.frame.input;
        if input.len() >= 4
            && let Some(at) = find(outer, input)
        {
            if at == 0 && input.len() == outer.len() {
                return Some(InputShape::Slice { offset: 0, length: 0 });
            }
            if self.rank == 0
                && let Some((base, head)) = self.bytes_behind(at, input.len())
            {
                return Some(InputShape::Bytes { base, head });
            }
            let to_end = at + input.len() == outer.len();
            return Some(InputShape::Slice { offset: at as u32, length: if to_end { 0 } else { input.len() as u32 } });
        }
        let mut parts = Vec::new();
        let visible = self.slots.len();
        if input.len() >= 4 {
            let selector = self.template.intern(Node::Constant(U256::from_be_slice(&input[..4])))?;
            parts.push(InputPart { offset: 0, node: selector, width: 4 });
        }
        let mut offset = 4;
        // Where a packed encoding goes on that began in an earlier word.
        let mut packed = 0;
        while offset + 32 <= input.len() && parts.len() < MAX_PARTS {
            if packed > offset {
                packed = self.packed_parts(input, offset, packed, &mut parts)?;
                offset += 32;
                continue;
            }
            let word = U256::from_be_slice(&input[offset..offset + 32]);
            let node = if is_distinctive(word) {
                let is_address = word.bit_len() <= 160 && word.bit_len() > 96;
                if is_address {
                    Some(self.derive(word, Role::Data, visible, 2)?.0)
                } else {
                    self.known(word, Role::Data, visible, 2)
                }
            } else if word.bit_len() <= 32 && self.aligned(word).is_some() && word.bit_len() > 12 {
                Some(self.derive(word, Role::Key, visible, 2)?.0)
            } else if word.bit_len() <= 32 {
                self.template.intern(Node::Constant(word))
            } else {
                self.aligned(word).and_then(|offset| self.template.intern(Node::Word { offset }))
            };
            if let Some(node) = node {
                parts.push(InputPart { offset: offset as u32, node, width: 32 });
            } else {
                packed = self.packed_parts(input, offset, offset, &mut parts)?;
            }
            offset += 32;
        }
        Some(InputShape::Parts { length: input.len() as u32, parts })
    }

    /// The addresses of the call that begin, from `from` on, in the 32 bytes at `offset` of a packed encoding, and the short
    /// numbers between them. Returns where the last of them ends.
    fn packed_parts(&mut self, input: &[u8], offset: usize, from: usize, parts: &mut Vec<InputPart>) -> Option<usize> {
        let mut at = from;
        let mut end = from;
        let mut goes_on = from > offset;
        while at < offset + 32 && at + 20 <= input.len() && parts.len() < MAX_PARTS {
            let Some(node) = self.packed_address(&input[at..at + 20]) else {
                at += 1;
                continue;
            };
            if goes_on && at > end && at - end <= MAX_PACKED_NUMBER {
                let number = U256::from_be_slice(&input[end..at]);
                let node = match self.aligned(number).filter(|_| number.bit_len() > 4) {
                    Some(offset) => self.template.intern(Node::Word { offset })?,
                    None => self.template.intern(Node::Constant(number))?,
                };
                parts.push(InputPart { offset: end as u32, node, width: (at - end) as u8 });
            }
            parts.push(InputPart { offset: at as u32, node, width: 20 });
            at += 20;
            end = at;
            goes_on = true;
        }
        // What fills up the last word is copied with it.
        let word_end = offset + 32;
        if goes_on && end < word_end && word_end <= input.len() && input[end..word_end].iter().all(|byte| *byte == 0) {
            let node = self.template.intern(Node::Constant(U256::ZERO))?;
            parts.push(InputPart { offset: end as u32, node, width: (word_end - end) as u8 });
            end = word_end;
        }
        Some(end)
    }

    /// 20 bytes of a packed encoding, if they are an address that the call explains.
    fn packed_address(&mut self, bytes: &[u8]) -> Option<NodeIndex> {
        if bytes[0] == 0 {
            return None;
        }
        let word = U256::from_be_slice(bytes);
        let frame = self.frame;
        let known = !self.positions(word).is_empty()
            || [frame.caller, frame.origin, frame.this].into_iter().any(|account| word == word_of(account));
        if known { self.known(word, Role::Address, 0, MAX_DEPTH) } else { None }
    }

    /// The place in the call data where the ABI offset of a byte string stands whose content begins at `at`, and what
    /// that offset is relative to.
    fn bytes_behind(&self, at: usize, length: usize) -> Option<(u32, u32)> {
        let start = at.checked_sub(32)?;
        if self.frame.word(start) != Some(U256::from(length)) {
            return None;
        }
        let head_to = |base: usize| {
            let target = U256::from(start.checked_sub(base)?);
            let heads = (base..start).step_by(32).take(32);
            heads.into_iter().find(|head| self.frame.word(*head) == Some(target)).map(|head| (base as u32, head as u32))
        };
        head_to(4).or_else(|| {
            (4..start).step_by(32).take(12).find_map(|head| {
                let array = 4 + usize::try_from(self.frame.word(head)?).ok().filter(|pointer| *pointer < start)?;
                head_to(array + 32)
            })
        })
    }
}
