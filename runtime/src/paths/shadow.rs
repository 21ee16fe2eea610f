//! What a frame's stack and memory hold, as registers.

use super::{builder::Builder, ops::Reg};
use alloy_primitives::U256;
use std::sync::Arc;

/// Where a byte comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// It is always this.
    Byte(u8),
    /// A register's byte, counted from the most significant one.
    Of(Reg, u8),
}

/// Cells of a register's bytes.
pub(super) fn cells_of(register: Reg) -> impl Iterator<Item = Cell> {
    (0..32).map(move |byte| Cell::Of(register, byte))
}

/// What a frame was called with.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// The transaction's own input; the first bytes, which choose the function, are always the same.
    Transaction(alloy_primitives::Bytes),
    Inner(Arc<[Cell]>),
}

/// The bytes of an input that are the same in all transactions with the same tree.
pub(super) const fn fixed_bytes(length: usize) -> usize {
    if length >= 4 { 4 } else { 0 }
}

/// A frame beside the interpreter's.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) stack: Vec<Reg>,
    memory: Vec<Cell>,
    pub(super) input: Input,
    /// What the last call returned.
    pub(super) returned: Vec<Cell>,
    pub(super) this: Reg,
    pub(super) caller: Reg,
    pub(super) value: Reg,
    /// Model of its code.
    pub(super) model: u32,
    /// Counts the frames of the transaction.
    pub(super) number: u32,
    /// Where the caller wants the output: offset and length in bytes.
    pub(super) output_to: (usize, usize),
}

impl Frame {
    pub(super) const fn new(
        input: Input,
        [this, caller, value]: [Reg; 3],
        model: u32,
        number: u32,
        output_to: (usize, usize),
    ) -> Self {
        Self {
            stack: Vec::new(),
            memory: Vec::new(),
            input,
            returned: Vec::new(),
            this,
            caller,
            value,
            model,
            number,
            output_to,
        }
    }

    /// Memory from `offset`, which grows as it is read, filled with zeros.
    pub(super) fn memory(&mut self, offset: usize, length: usize) -> Vec<Cell> {
        if length == 0 {
            return Vec::new();
        }
        self.grow(offset + length);
        self.memory[offset..offset + length].to_vec()
    }

    fn grow(&mut self, size: usize) {
        if self.memory.len() < size {
            self.memory.resize(size.next_multiple_of(32), Cell::Byte(0));
        }
    }

    pub(super) fn write(&mut self, offset: usize, cells: &[Cell]) {
        if !cells.is_empty() {
            self.grow(offset + cells.len());
            self.memory[offset..offset + cells.len()].copy_from_slice(cells);
        }
    }

    /// A register's bytes into memory.
    pub(super) fn write_word(&mut self, offset: usize, register: Reg, constant: Option<U256>) {
        let cells: Vec<Cell> = match constant {
            Some(value) => value.to_be_bytes::<32>().into_iter().map(Cell::Byte).collect(),
            None => cells_of(register).collect(),
        };
        self.write(offset, &cells);
    }

    /// Input from `offset`, zeros beyond the end.
    pub(super) fn input(&self, builder: &mut Builder, offset: usize, length: usize) -> Vec<Cell> {
        match &self.input {
            Input::Inner(cells) => {
                let at = |place: usize| cells.get(place).copied().unwrap_or(Cell::Byte(0));
                (0..length).map(|place| offset.checked_add(place).map_or(Cell::Byte(0), at)).collect()
            }
            Input::Transaction(bytes) => {
                let fixed = fixed_bytes(bytes.len());
                let mut cell = |place: usize| {
                    let Some(byte) = bytes.get(place) else { return Cell::Byte(0) };
                    if place < fixed {
                        return Cell::Byte(*byte);
                    }
                    let chunk = fixed + (place - fixed) / 32 * 32;
                    let register = builder.input(chunk as u32, word_at(bytes, chunk));
                    Cell::Of(register, (place - chunk) as u8)
                };
                (0..length).map(|place| offset.checked_add(place).map_or(Cell::Byte(0), &mut cell)).collect()
            }
        }
    }
}

/// Thirty-two bytes of the input from `offset`, zeros beyond the end.
#[inline]
pub(super) fn word_at(input: &[u8], offset: usize) -> U256 {
    let mut word = [0; 32];
    if let Some(rest) = input.get(offset..) {
        let length = rest.len().min(32);
        word[..length].copy_from_slice(&rest[..length]);
    }
    U256::from_be_bytes(word)
}
