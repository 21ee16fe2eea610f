//! Families of codes: one contract, deployed several times with other immutables.
//!
//! A pool keeps its two tokens in its code, so that every pool has a code hash of its own although all do the same. Codes that
//! differ only in what `PUSH20` and `PUSH32` put on the stack are therefore taken for one; templates are kept under
//! the hash of the member that was seen first, its home, and words of the code are told apart from constants by
//! where they stand ([`Node::Immutable`](super::expression::Node::Immutable)).

use super::{StateView, expression::is_distinctive};
use alloy_primitives::{Address, B256, U256, keccak256, map::HashMap};
use std::sync::Arc;

const PUSH1: u8 = 0x60;
const PUSH20: u8 = 0x73;
const PUSH32: u8 = 0x7f;
/// First byte of what is no legacy code: a delegation designator is a name, and differs in what matters.
const RESERVED: u8 = 0xef;
/// Bytes at the start of a code that are compared. Two contracts of the same length that begin alike for so long are one.
const HEAD: usize = 1024;
/// Bytes at the end that are compared: compilers put a hash of the sources there.
const TAIL: usize = 64;

/// Codes of which something is remembered.
const MAX_REMEMBERED: usize = 2048;

/// Fingerprints of codes that were met while foretelling and not learned from yet.
#[derive(Debug, Default)]
pub(super) struct Fingerprints(HashMap<B256, Option<B256>>);

impl Fingerprints {
    /// The fingerprint of the code at `address`.
    pub(super) fn of(&mut self, address: Address, code_hash: B256, state: &dyn StateView) -> Option<B256> {
        if let Some(known) = self.0.get(&code_hash) {
            return *known;
        }
        let found = fingerprint(&state.code(address)?);
        if self.0.len() >= MAX_REMEMBERED {
            self.0.clear();
        }
        self.0.insert(code_hash, found);
        found
    }
}

/// What all members of a family have in common, and no other code.
pub(super) fn fingerprint(code: &[u8]) -> Option<B256> {
    if code.first().is_none_or(|first| *first == RESERVED) {
        return None;
    }
    let mut common = [0; HEAD + TAIL + 8];
    let head = code.len().min(HEAD);
    common[..head].copy_from_slice(&code[..head]);
    let mut at = 0;
    while at < head {
        let opcode = code[at];
        at += 1;
        if (PUSH1..=PUSH32).contains(&opcode) {
            let end = at + (opcode - PUSH1) as usize + 1;
            if opcode == PUSH20 || opcode == PUSH32 {
                common[at.min(head)..end.min(head)].fill(0);
            }
            at = end;
        }
    }
    if code.len() >= HEAD + TAIL {
        common[HEAD..HEAD + TAIL].copy_from_slice(&code[code.len() - TAIL..]);
    }
    common[HEAD + TAIL..].copy_from_slice(&(code.len() as u64).to_le_bytes());
    Some(keccak256(common))
}

/// A word that stands in a code as the operand of `PUSH20` or `PUSH32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Operand {
    word: U256,
    offset: u32,
    width: u8,
}

/// The operands of the codes that were learned from lately.
#[derive(Debug, Default)]
pub(super) struct Operands(HashMap<B256, Arc<[Operand]>>);

impl Operands {
    /// The distinctive operands of a code; none when the code is empty, that is, not at hand.
    pub(super) fn of(&mut self, code_hash: B256, code: &[u8]) -> Arc<[Operand]> {
        if let Some(known) = self.0.get(&code_hash) {
            return Arc::clone(known);
        }
        let found: Arc<[Operand]> = operands(code).into();
        if code.is_empty() {
            return found;
        }
        if self.0.len() >= MAX_REMEMBERED {
            self.0.clear();
        }
        self.0.insert(code_hash, Arc::clone(&found));
        found
    }
}

/// The distinctive operands of a code in the order of their values, each at the first place where it stands.
fn operands(code: &[u8]) -> Vec<Operand> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(opcode) = code.get(at) {
        at += 1;
        if (PUSH1..=PUSH32).contains(opcode) {
            let width = opcode - PUSH1 + 1;
            if (*opcode == PUSH20 || *opcode == PUSH32)
                && let Some(word) = word_at(code, at as u32, width)
                && is_distinctive(word)
            {
                found.push(Operand { word, offset: at as u32, width });
            }
            at += width as usize;
        }
    }
    found.sort_unstable();
    found.dedup_by_key(|operand| operand.word);
    found
}

/// Where a word stands among the operands of a code: offset and width.
pub(super) fn position(operands: &[Operand], word: U256) -> Option<(u32, u8)> {
    let found = operands.binary_search_by_key(&word, |operand| operand.word).ok()?;
    Some((operands[found].offset, operands[found].width))
}

/// The word of `width` bytes at `offset` of a code.
pub(super) fn word_at(code: &[u8], offset: u32, width: u8) -> Option<U256> {
    let offset = offset as usize;
    code.get(offset..offset + width as usize).and_then(U256::try_from_be_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    /// Code with an address in a `PUSH20` and a word in a `PUSH32`, both behind jump destinations.
    fn code(address: Address, word: U256, rest: &[u8]) -> Vec<u8> {
        let mut code = vec![0x5b, PUSH1, PUSH32, PUSH20];
        code.extend_from_slice(address.as_slice());
        code.push(PUSH32);
        code.extend_from_slice(&word.to_be_bytes::<32>());
        code.extend_from_slice(rest);
        code
    }

    #[test]
    fn immutables_do_not_matter_and_anything_else_does() {
        let one = code(Address::repeat_byte(1), U256::from(7), &[1, 2, 3]);
        let other = code(Address::repeat_byte(2), U256::MAX, &[1, 2, 3]);
        assert_eq!(fingerprint(&one), fingerprint(&other));
        assert_ne!(fingerprint(&one), fingerprint(&code(Address::repeat_byte(1), U256::from(7), &[1, 2, 4])));
        assert_ne!(fingerprint(&one), fingerprint(&code(Address::repeat_byte(1), U256::from(7), &[1, 2, 3, 0])));
        let mut long = [one.clone(), vec![0x5b; 4000]].concat();
        let before = fingerprint(&long);
        *long.last_mut().expect("not empty") = 0;
        assert_ne!(fingerprint(&long), before, "the sources' hash differs");
        assert_eq!(fingerprint(&[0xef, 1, 0]), None);
        assert_eq!(fingerprint(&[]), None);
        assert!(fingerprint(&[PUSH32, 1]).is_some(), "code may end within an operand");
    }

    #[test]
    fn operands_are_found_and_read_again() {
        let (address, word) = (Address::repeat_byte(9), U256::from(3) << 250);
        let code = code(address, word, &[]);
        let as_word = U256::from_be_slice(address.as_slice());
        let (offset, width) = position(&operands(&code), as_word).expect("it is there");
        assert_eq!(width, 20);
        assert_eq!(word_at(&code, offset, width), Some(as_word));
        let (offset, width) = position(&operands(&code), word).expect("it is there");
        assert_eq!(width, 32);
        assert_eq!(word_at(&code, offset, width), Some(word));
        assert_eq!(position(&operands(&code), word + U256::ONE), None);
        assert_eq!(word_at(&code, code.len() as u32 - 1, 20), None);
    }
}
