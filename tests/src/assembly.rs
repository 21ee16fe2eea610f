//! A small assembler, so that test contracts can be read.
//!
//! Words go onto the stack from right to left, as the instructions expect them: `op(SSTORE, [slot, value])`.

use alloy_primitives::{Address, Bytes, U256};
use revm::bytecode::opcode;

/// An operand: what puts one word onto the stack.
#[derive(Clone, Debug)]
pub struct Word(Vec<u8>);

impl From<U256> for Word {
    fn from(value: U256) -> Self {
        let bytes = value.to_be_bytes_trimmed_vec();
        // PUSH0 exists since Shanghai only.
        let bytes = if bytes.is_empty() { vec![0] } else { bytes };
        let mut code = vec![opcode::PUSH1 + bytes.len() as u8 - 1];
        code.extend(bytes);
        Self(code)
    }
}

impl From<u64> for Word {
    fn from(value: u64) -> Self {
        U256::from(value).into()
    }
}

impl From<Address> for Word {
    fn from(address: Address) -> Self {
        U256::from_be_slice(address.as_slice()).into()
    }
}

/// The result of an instruction with these operands.
pub fn word<const N: usize>(instruction: u8, operands: [Word; N]) -> Word {
    let mut code: Vec<u8> = operands.into_iter().rev().flat_map(|word| word.0).collect();
    code.push(instruction);
    Word(code)
}

/// Argument number `index` of the call, after the selector.
pub fn argument(index: u64) -> Word {
    word(opcode::CALLDATALOAD, [(4 + 32 * index).into()])
}

/// The word in a slot.
pub fn load(slot: impl Into<Word>) -> Word {
    word(opcode::SLOAD, [slot.into()])
}

/// The slot of `key` in the mapping at slot `mapping`, laid out as Solidity does.
pub fn mapping(key: impl Into<Word>, mapping: u64) -> Word {
    let mut code = word(opcode::MSTORE, [0.into(), key.into()]).0;
    code.extend(word(opcode::MSTORE, [32.into(), mapping.into()]).0);
    code.extend(word(opcode::KECCAK256, [0.into(), 64.into()]).0);
    Word(code)
}

/// The slot of `key` in the mapping at a slot that is computed itself: one mapping within another.
pub fn mapping_at(key: impl Into<Word>, mapping: Word) -> Word {
    // Computing the outer slot uses the same memory, so it comes first.
    let mut code = word(opcode::MSTORE, [32.into(), mapping]).0;
    code.extend(word(opcode::MSTORE, [0.into(), key.into()]).0);
    code.extend(word(opcode::KECCAK256, [0.into(), 64.into()]).0);
    Word(code)
}

/// `left + right`.
pub fn add(left: impl Into<Word>, right: impl Into<Word>) -> Word {
    word(opcode::ADD, [left.into(), right.into()])
}

/// Code in the making.
#[derive(Clone, Debug, Default)]
pub struct Assembly(Vec<u8>);

impl Assembly {
    /// No code yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An instruction that leaves nothing on the stack.
    pub fn op<const N: usize>(mut self, instruction: u8, operands: [Word; N]) -> Self {
        self.0.extend(word(instruction, operands).0);
        self
    }

    /// Puts a word into a slot.
    pub fn store(self, slot: impl Into<Word>, value: impl Into<Word>) -> Self {
        self.op(opcode::SSTORE, [slot.into(), value.into()])
    }

    /// Evaluates a word and forgets it.
    pub fn discard(mut self, value: Word) -> Self {
        self.0.extend(value.0);
        self.0.push(opcode::POP);
        self
    }

    /// The other code, if the word is not zero.
    pub fn when(mut self, condition: Word, then: Self) -> Self {
        self.0.extend(word(opcode::ISZERO, [condition]).0);
        let end = self.0.len() + 4 + then.0.len();
        // Jumps inside of `then` are relative to its own start.
        let then = then.moved(self.0.len() + 4);
        self.0.push(opcode::PUSH2);
        self.0.extend((end as u16).to_be_bytes());
        self.0.push(opcode::JUMPI);
        self.0.extend(then.0);
        self.0.push(opcode::JUMPDEST);
        self
    }

    /// The code at another position: PUSH2 is used for jumps only, so its operands are what moves.
    fn moved(mut self, by: usize) -> Self {
        let mut at = 0;
        while at < self.0.len() {
            let instruction = self.0[at];
            if instruction == opcode::PUSH2 && self.0.get(at + 3) == Some(&opcode::JUMPI) {
                let target = u16::from_be_bytes([self.0[at + 1], self.0[at + 2]]) + by as u16;
                self.0[at + 1..at + 3].copy_from_slice(&target.to_be_bytes());
            }
            let operand = if (opcode::PUSH1..=opcode::PUSH32).contains(&instruction) {
                usize::from(instruction - opcode::PUSH1) + 1
            } else {
                0
            };
            at += 1 + operand;
        }
        self
    }

    /// Ends with a revert that returns nothing.
    pub fn revert(self) -> Self {
        self.op(opcode::REVERT, [0.into(), 0.into()])
    }

    /// Ends and returns one word.
    pub fn return_word(self, value: impl Into<Word>) -> Self {
        self.op(opcode::MSTORE, [0.into(), value.into()]).op(opcode::RETURN, [0.into(), 32.into()])
    }

    /// The code.
    pub fn build(self) -> Bytes {
        self.0.into()
    }

    /// Code that runs `self` and then creates a contract with this code.
    pub fn creating(self, code: &Bytes) -> Bytes {
        let prefix = self.0.len();
        // Three instructions follow: CODECOPY and RETURN, both with operands of fixed width.
        let start = prefix + 7 + 5 + 2;
        let mut init = self.0;
        let length = code.len() as u8;
        assert!(code.len() < 256 && start < 256, "only short contracts are created here: {} bytes", code.len());
        init.extend([opcode::PUSH1, length, opcode::PUSH1, start as u8, opcode::PUSH1, 0, opcode::CODECOPY]);
        init.extend([opcode::PUSH1, length, opcode::PUSH1, 0, opcode::RETURN, opcode::INVALID, opcode::INVALID]);
        init.extend_from_slice(code);
        init.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_come_in_reverse() {
        let code = Assembly::new().store(1, add(2, 0x300)).build();
        assert_eq!(code[..], [0x61, 3, 0, 0x60, 2, 0x01, 0x60, 1, 0x55]);
    }

    #[test]
    fn nested_conditions_jump_to_their_own_ends() {
        let inner = Assembly::new().when(1.into(), Assembly::new().store(1, 1));
        let code = Assembly::new().when(2.into(), inner).build();
        for position in
            code.windows(4).enumerate().filter(|(_, code)| code[0] == opcode::PUSH2 && code[3] == opcode::JUMPI)
        {
            let target = u16::from_be_bytes([position.1[1], position.1[2]]);
            assert_eq!(code[usize::from(target)], opcode::JUMPDEST, "jump at {} goes to {target}", position.0);
        }
    }

    #[test]
    fn created_code_is_at_the_end() {
        let code = Assembly::new().store(0, 1).build();
        let init = Assembly::new().store(1, 7).creating(&code);
        assert!(init.ends_with(&code));
        let copy = init.iter().position(|byte| *byte == opcode::CODECOPY).unwrap();
        assert_eq!(usize::from(init[copy - 3]), init.len() - code.len());
    }
}
