//! Instructions that depend on their operands alone, as revm's interpreter does them.

use super::ops::Reg;
use alloy_primitives::U256;
use revm::{
    bytecode::opcode as op,
    interpreter::instructions::i256::{i256_cmp, i256_div, i256_mod},
};
use std::cmp::Ordering;

/// The second operand if the first is not zero, else the third. No instruction of the EVM has this number.
pub(super) const SELECT: u8 = 0x0c;

const _: () = assert!(op::OPCODE_INFO[SELECT as usize].is_none(), "an instruction has the number of SELECT");

/// Number of operands, if the instruction is one of those.
pub(super) const fn operands(code: u8) -> Option<usize> {
    match code {
        op::ISZERO | op::NOT | op::CLZ => Some(1),
        op::ADD
        | op::MUL
        | op::SUB
        | op::DIV
        | op::SDIV
        | op::MOD
        | op::SMOD
        | op::EXP
        | op::SIGNEXTEND
        | op::LT
        | op::GT
        | op::SLT
        | op::SGT
        | op::EQ
        | op::AND
        | op::OR
        | op::XOR
        | op::BYTE
        | op::SHL
        | op::SHR
        | op::SAR => Some(2),
        op::ADDMOD | op::MULMOD => Some(3),
        _ => None,
    }
}

/// The operands that count; the others repeat the last of them.
pub(super) const fn arguments(code: u8, [a, b, c]: [Reg; 3]) -> Option<[Reg; 3]> {
    match operands(code) {
        Some(1) => Some([a, a, a]),
        Some(2) => Some([a, b, b]),
        Some(_) => Some([a, b, c]),
        None => None,
    }
}

/// The result of the instruction. The first operand is the one on top of the stack.
///
/// # Panics
/// If [`operands`] does not know the instruction.
#[inline]
pub(super) fn compute(code: u8, a: &U256, b: &U256, c: &U256) -> U256 {
    match code {
        op::ADD => a.wrapping_add(*b),
        op::MUL => a.wrapping_mul(*b),
        op::SUB => a.wrapping_sub(*b),
        op::DIV => divide(a, b),
        op::SDIV => i256_div(*a, *b),
        op::MOD => a.checked_rem(*b).unwrap_or_default(),
        op::SMOD => i256_mod(*a, *b),
        op::ADDMOD => a.add_mod(*b, *c),
        op::MULMOD => a.mul_mod(*b, *c),
        op::EXP => a.pow(*b),
        op::SIGNEXTEND => sign_extend(a, b),
        op::LT => U256::from(a < b),
        op::GT => U256::from(a > b),
        op::SLT => U256::from(i256_cmp(a, b) == Ordering::Less),
        op::SGT => U256::from(i256_cmp(a, b) == Ordering::Greater),
        op::EQ => U256::from(a == b),
        op::ISZERO => U256::from(a.is_zero()),
        op::AND => *a & *b,
        op::OR => *a | *b,
        op::XOR => *a ^ *b,
        op::NOT => !*a,
        op::BYTE => place(a).filter(|at| *at < 32).map_or(U256::ZERO, |at| U256::from(b.byte(31 - at))),
        op::SHL => place(a).map_or(U256::ZERO, |shift| *b << shift),
        op::SHR => place(a).map_or(U256::ZERO, |shift| *b >> shift),
        op::SAR => match place(a) {
            Some(shift) => b.arithmetic_shr(shift),
            None if b.bit(255) => U256::MAX,
            None => U256::ZERO,
        },
        op::CLZ => U256::from(a.leading_zeros()),
        SELECT => {
            if a.is_zero() {
                *c
            } else {
                *b
            }
        }
        other => unreachable!("opcode {other:#x} does not only compute"),
    }
}

/// A number of bits or bytes below 256.
fn place(word: &U256) -> Option<usize> {
    let [low, rest @ ..] = word.as_limbs();
    (*rest == [0; 3] && *low < 256).then_some(*low as usize)
}

fn divide(a: &U256, b: &U256) -> U256 {
    if let ([low, 0, 0, 0], [by, 0, 0, 0]) = (a.as_limbs(), b.as_limbs()) {
        return U256::from(low.checked_div(*by).unwrap_or_default());
    }
    a.checked_div(*b).unwrap_or_default()
}

fn sign_extend(size: &U256, word: &U256) -> U256 {
    let Some(size) = place(size).filter(|size| *size < 31) else { return *word };
    let sign = 8 * size + 7;
    let mask = (U256::ONE << sign) - U256::ONE;
    if word.bit(sign) { *word | !mask } else { *word & mask }
}
