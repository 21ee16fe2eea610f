//! What a path consists of.
//!
//! Operations work on registers of 256 bits. A register is written once on each way through the tree, so that its number also names the value.
//! Constants have registers too, which are filled once for all replays.

use alloy_primitives::{B256, U256};

/// A register.
pub(super) type Reg = u32;

/// No operation: where a guard has no other way to go.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Bytes of a register, counted from its most significant one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub(super) reg: Reg,
    pub(super) from: u8,
    pub(super) len: u8,
}

/// A sequence of pieces in [`super::tree::Tree::pieces`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What a transaction or a block is known by from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Given {
    /// The sender, which is ORIGIN too.
    Sender,
    /// The account called by the transaction.
    Recipient,
    /// Wei sent with the transaction.
    Value,
    GasPrice,
    ChainId,
    Beneficiary,
    Timestamp,
    Number,
    /// PREVRANDAO, before the merge DIFFICULTY.
    Random,
    GasLimit,
    BaseFee,
    BlobBaseFee,
}

/// How an account is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    Delegate,
    Static,
}

/// A call of another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) kind: Kind,
    pub(super) to: Reg,
    /// Gas that the caller offers.
    pub(super) gas: Reg,
    /// Wei, with a guard before the call that says whether it is zero.
    pub(super) value: Reg,
    pub(super) has_value: bool,
}

/// A call of a precompile, at an address that a guard has made certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PrecompileSite {
    pub(super) kind: Kind,
    pub(super) to: Reg,
    pub(super) gas: Reg,
    pub(super) input: Span,
    /// Bytes that it returned. Any other number is another way.
    pub(super) output: u32,
    /// The first of the registers for the output's words, which follow one another.
    pub(super) dst: Reg,
}

/// A log entry; the address is that of the running account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) topics: [Reg; 4],
    pub(super) count: u8,
    pub(super) data: Span,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// An instruction that depends on its operands alone; `code` is its opcode, or [`super::compute::SELECT`].
    Compute {
        code: u8,
        dst: Reg,
        args: [Reg; 3],
    },
    /// The 32 bytes of the transaction's input at `offset`, zeros beyond the end.
    Input {
        dst: Reg,
        offset: u32,
    },
    /// The immutable at `offset` of the running code.
    Immutable {
        dst: Reg,
        offset: u32,
    },
    Given {
        dst: Reg,
        what: Given,
    },
    /// 32 bytes put together.
    Join {
        dst: Reg,
        bytes: Span,
    },
    /// Keccak-256.
    Hash {
        dst: Reg,
        bytes: Span,
    },
    /// Gas of all instructions since the last charge that depends on nothing.
    Charge(u64),
    /// Gas of one side of a branch: charged if `on` is zero, or if it is not.
    ChargeIf {
        on: Reg,
        zero: bool,
        gas: u64,
    },
    /// GAS.
    GasLeft {
        dst: Reg,
    },
    LoadSlot {
        dst: Reg,
        key: Reg,
    },
    StoreSlot {
        key: Reg,
        value: Reg,
    },
    LoadTransient {
        dst: Reg,
        key: Reg,
    },
    StoreTransient {
        key: Reg,
        value: Reg,
    },
    Balance {
        dst: Reg,
        address: Reg,
    },
    OwnBalance {
        dst: Reg,
    },
    /// EXTCODEHASH.
    CodeHash {
        dst: Reg,
        address: Reg,
    },
    /// An account whose code is looked at (EXTCODESIZE): an [`Op::IfCode`] follows.
    LookAtCode {
        address: Reg,
    },
    /// Index into [`super::tree::Tree::entries`].
    Log(u32),
    /// Index into [`super::tree::Tree::sites`]. An [`Op::IfCode`] follows, and what the code does.
    Call(u32),
    /// Index into [`super::tree::Tree::precompiles`].
    Precompile(u32),
    /// The end of a called account's code, which may have reverted.
    Return {
        success: bool,
    },
    /// The end of the transaction.
    Done {
        success: bool,
        is_stop: bool,
        output: Span,
    },
    IfZero {
        on: Reg,
        other: u32,
    },
    IfNotZero {
        on: Reg,
        other: u32,
    },
    IfEqual {
        on: Reg,
        to: Reg,
        other: u32,
    },
    /// The code of the account called or looked at last has the model with this index in [`super::tree::Tree::codes`].
    IfCode {
        code: u32,
        other: u32,
    },
}

/// The bytes of `word` that the piece means.
#[inline]
pub(super) fn bytes_of(piece: Piece, word: &U256) -> ([u8; 32], std::ops::Range<usize>) {
    let from = usize::from(piece.from);
    (word.to_be_bytes::<32>(), from..from + usize::from(piece.len))
}

/// The address in the low 20 bytes of a word.
#[inline]
pub(super) fn address_of(word: &U256) -> alloy_primitives::Address {
    alloy_primitives::Address::from_word(B256::from(*word))
}
