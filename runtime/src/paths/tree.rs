//! All recorded ways through one function.
//!
//! The operations stand in one list. The first recording is a straight line; a later one that parts from it at a guard is appended, and the
//! guard points to it. So the most usual way is read in order.

use super::ops::{Entry, NOWHERE, Op, Piece, PrecompileSite, Reg, Site, Span};
use alloy_primitives::{B256, U256, map::HashMap};

/// Ways through one function, as operations on registers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(super) ops: Vec<Op>,
    pub(super) pieces: Vec<Piece>,
    pub(super) sites: Vec<Site>,
    pub(super) precompiles: Vec<PrecompileSite>,
    pub(super) entries: Vec<Entry>,
    /// Models of the codes that run.
    pub(super) codes: Vec<B256>,
    /// Constants and their registers.
    pub(super) constants: HashMap<U256, Reg>,
    /// Registers in use.
    pub(super) registers: u32,
    /// All registers, with the constants in them, once the recording is over.
    file: Vec<U256>,
    /// Depth of calls, at most.
    pub(super) depth: usize,
    /// Ways to the end.
    pub(super) ways: u32,
}

impl Tree {
    /// Registers with the constants in them.
    pub(super) fn register_file(&self) -> &[U256] {
        &self.file
    }

    /// Ends a recording in which calls went `depth` deep.
    pub(super) fn finish(&mut self, depth: usize) {
        self.depth = self.depth.max(depth);
        self.file.resize(self.registers as usize, U256::ZERO);
        for (value, register) in &self.constants {
            self.file[*register as usize] = *value;
        }
    }

    pub(super) fn pieces_of(&self, span: Span) -> &[Piece] {
        &self.pieces[span.start as usize..span.end as usize]
    }

    /// Number of ways that have been recorded.
    pub(crate) const fn ways(&self) -> u32 {
        self.ways
    }

    /// Operations on all ways.
    pub(crate) fn len(&self) -> usize {
        self.ops.len()
    }

    /// Where the guard goes on if it does not hold.
    pub(super) fn other_way(&mut self, guard: usize) -> &mut u32 {
        match &mut self.ops[guard] {
            Op::IfZero { other, .. }
            | Op::IfNotZero { other, .. }
            | Op::IfEqual { other, .. }
            | Op::IfCode { other, .. } => other,
            op => unreachable!("{op:?} is not a guard"),
        }
    }
}

const _: () = assert!(NOWHERE == u32::MAX, "a list of operations never has that many");
