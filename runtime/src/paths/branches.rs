//! Short branches that only compute.
//!
//! `if (tick & 2 != 0) ratio = ratio * K >> 128`, `a < b ? a : b`, `x && y`: code is full of branches whose sides do nothing but arithmetic and meet again
//! a few instructions later. As guards they would split a function into as many ways as there are combinations of them: the twenty bits of a
//! tick of Uniswap v3 alone make a million. So both sides are computed, and [`SELECT`](super::compute::SELECT) takes the values of one.

use super::{
    builder::Builder,
    compute::{arguments, operands},
    model::Model,
    ops::Reg,
};
use alloy_primitives::U256;
use revm::{
    bytecode::{JumpTable, opcode as op},
    interpreter::GasTable,
    primitives::hardfork::SpecId,
};

/// Instructions on one side.
const MOST_STEPS: usize = 40;
/// Words that the stack can hold.
const STACK_LIMIT: usize = 1024;

/// Code that branches are looked for in, as it is executed.
pub(super) struct Code<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) jumps: &'a JumpTable,
    pub(super) spec: SpecId,
    pub(super) gas: &'a GasTable,
    pub(super) model: &'a Model,
}

/// The place where two sides of a branch meet again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meeting {
    /// Position in the code.
    pub(super) at: usize,
    /// The side where the branch is not taken, then the one where it is.
    pub(super) sides: [Side; 2],
}

/// One side of a branch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    steps: Vec<Step>,
    /// Gas of its instructions.
    pub(super) gas: u64,
}

/// An instruction, with the word that it pushes if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    code: u8,
    pushed: U256,
}

/// A walk along one side: the instructions, and where each of them stands.
#[derive(Default)]
struct Walk {
    steps: Vec<Step>,
    /// Position, and height of the stack, before each step and after the last one.
    places: Vec<(usize, usize)>,
}

impl Code<'_> {
    /// Where the sides that begin at `positions` meet, if both only compute until then. `stack` has the words that are the same on every way.
    pub(super) fn meeting(&self, positions: [usize; 2], stack: &[Option<U256>]) -> Option<Meeting> {
        self.jumps.is_valid(positions[1]).then_some(())?;
        let [near, far] = positions.map(|position| self.walk(position, stack.to_vec()));
        let (left, right) = near.places.iter().enumerate().find_map(|(left, place)| {
            let right = far.places.iter().position(|(position, _)| *position == place.0)?;
            Some((left, right))
        })?;
        let (at, height) = near.places[left];
        (far.places[right].1 == height).then(|| Meeting { at, sides: [self.side(near, left), self.side(far, right)] })
    }

    fn side(&self, walk: Walk, length: usize) -> Side {
        let mut steps = walk.steps;
        steps.truncate(length);
        let gas = steps.iter().map(|step| u64::from(self.gas[usize::from(step.code)])).sum();
        Side { steps, gas }
    }

    /// Walks from `position` as long as instructions only compute, and go where it is known.
    fn walk(&self, mut position: usize, mut stack: Vec<Option<U256>>) -> Walk {
        let mut walk = Walk::default();
        loop {
            walk.places.push((position, stack.len()));
            if walk.steps.len() == MOST_STEPS {
                return walk;
            }
            let Some((step, next)) = self.step(position, &mut stack) else { return walk };
            walk.steps.push(step);
            position = next;
        }
    }

    /// The instruction at `position`, and where it leads.
    fn step(&self, position: usize, stack: &mut Vec<Option<U256>>) -> Option<(Step, usize)> {
        let code = *self.bytes.get(position)?;
        let mut next = position + 1;
        let mut pushed = U256::ZERO;
        if !is_in_use(code, self.spec) {
            return None;
        }
        match code {
            op::PUSH0..=op::PUSH32 => {
                let length = usize::from(code - op::PUSH0);
                if self.model.varies_within(next, length) {
                    return None;
                }
                pushed = U256::from_be_slice(self.bytes.get(next..next + length)?);
                stack.push(Some(pushed));
                next += length;
            }
            op::PC => {
                pushed = U256::from(position);
                stack.push(Some(pushed));
            }
            op::POP => {
                stack.pop()?;
            }
            op::DUP1..=op::DUP16 => {
                let at = stack.len().checked_sub(usize::from(code - op::DUP1) + 1)?;
                stack.push(stack[at]);
            }
            op::SWAP1..=op::SWAP16 => {
                let last = stack.len().checked_sub(1)?;
                stack.swap(last, last.checked_sub(usize::from(code - op::SWAP1) + 1)?);
            }
            op::JUMPDEST => {}
            op::JUMP => {
                next = usize::try_from(stack.pop()??).ok()?;
                self.jumps.is_valid(next).then_some(())?;
            }
            op::EXP => return None,
            code => {
                let rest = stack.len().checked_sub(operands(code)?)?;
                stack.truncate(rest);
                stack.push(None);
            }
        }
        (stack.len() <= STACK_LIMIT).then_some((Step { code, pushed }, next))
    }
}

impl Side {
    /// The stack at the end of the side, which began with `stack`.
    pub(super) fn follow(&self, builder: &mut Builder, mut stack: Vec<Reg>) -> Option<Vec<Reg>> {
        for Step { code, pushed } in &self.steps {
            match *code {
                op::PUSH0..=op::PUSH32 | op::PC => stack.push(builder.constant(*pushed)),
                op::POP | op::JUMP => {
                    stack.pop()?;
                }
                op::JUMPDEST => {}
                op::DUP1..=op::DUP16 => {
                    let at = stack.len().checked_sub(usize::from(code - op::DUP1) + 1)?;
                    stack.push(stack[at]);
                }
                op::SWAP1..=op::SWAP16 => {
                    let last = stack.len().checked_sub(1)?;
                    stack.swap(last, last.checked_sub(usize::from(code - op::SWAP1) + 1)?);
                }
                code => {
                    let mut taken = [0; 3];
                    for argument in &mut taken[..operands(code)?] {
                        *argument = stack.pop()?;
                    }
                    stack.push(builder.compute(code, arguments(code, taken)?));
                }
            }
        }
        Some(stack)
    }
}

/// Whether the instruction was there in this hard fork already; those that are not asked about here always were.
fn is_in_use(code: u8, spec: SpecId) -> bool {
    let since = match code {
        op::SHL | op::SHR | op::SAR => SpecId::PETERSBURG,
        op::PUSH0 => SpecId::SHANGHAI,
        op::CLZ => SpecId::OSAKA,
        _ => SpecId::FRONTIER,
    };
    spec.is_enabled_in(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use revm::{bytecode::Bytecode, interpreter::instructions::gas_table_spec};

    /// The meeting of the branch whose JUMPI is the last instruction of `before`, which has pushed nothing else.
    fn meeting(code: &[u8], jumpi: usize, target: usize, spec: SpecId) -> Option<Meeting> {
        let bytecode = Bytecode::new_legacy(code.to_vec().into());
        let jumps = bytecode.legacy_jump_table()?;
        let code = Code { bytes: code, jumps, spec, gas: &gas_table_spec(spec), model: &Model::default() };
        code.meeting([jumpi + 1, target], &[None, None])
    }

    const IF: [u8; 9] = [op::JUMPI, op::PUSH1, 3, op::MUL, op::PUSH1, 128, op::SHR, op::JUMPDEST, op::STOP];

    #[test]
    fn a_branch_without_another_side_meets_at_its_target() {
        let found = meeting(&IF, 0, 7, SpecId::OSAKA).expect("both sides only compute");
        assert_eq!(found.at, 7);
        assert_eq!(found.sides.each_ref().map(|side| side.steps.len()), [4, 0]);
        assert_eq!(found.sides.each_ref().map(|side| side.gas), [3 + 5 + 3 + 3, 0]);
    }

    #[test]
    fn instructions_of_later_forks_end_the_walk() {
        assert_eq!(meeting(&IF, 0, 7, SpecId::BYZANTIUM), None);
    }

    #[test]
    fn sides_that_jump_meet_behind_both() {
        let code = [
            op::JUMPI,
            op::POP,
            op::PUSH1,
            10,
            op::JUMP,
            op::JUMPDEST,
            op::ADD,
            op::PC,
            op::POP,
            op::STOP,
            op::JUMPDEST,
        ];
        assert_eq!(meeting(&code, 0, 5, SpecId::OSAKA), None, "the other side stops before");
        let code = [op::JUMPI, op::POP, op::PUSH1, 7, op::JUMP, op::JUMPDEST, op::ADD, op::JUMPDEST, op::STOP];
        let found = meeting(&code, 0, 5, SpecId::OSAKA).expect("both sides only compute");
        assert_eq!((found.at, found.sides[0].gas, found.sides[1].gas), (7, 2 + 3 + 8, 1 + 3));
    }

    #[test]
    fn sides_that_leave_other_heights_never_meet() {
        let code = [op::JUMPI, op::POP, op::JUMPDEST, op::STOP];
        assert_eq!(meeting(&code, 0, 2, SpecId::OSAKA), None);
    }

    #[test]
    fn a_target_inside_a_constant_is_none() {
        let code = [op::JUMPI, op::PUSH1, op::JUMPDEST, op::POP, op::STOP];
        assert_eq!(meeting(&code, 0, 2, SpecId::OSAKA), None);
    }

    #[test]
    fn sides_that_touch_more_than_the_stack_are_left_alone() {
        let code = [op::JUMPI, op::DUP1, op::SLOAD, op::POP, op::JUMPDEST, op::STOP];
        assert_eq!(meeting(&code, 0, 4, SpecId::OSAKA), None);
        let code = [op::JUMPI, op::DUP1, op::DUP1, op::EXP, op::POP, op::JUMPDEST, op::STOP];
        assert_eq!(meeting(&code, 0, 5, SpecId::OSAKA), None, "what EXP costs depends on its operands");
    }

    #[test]
    fn a_loop_has_an_end() {
        let code = [op::JUMPI, op::JUMPDEST, op::PUSH1, 1, op::JUMP, op::JUMPDEST, op::STOP];
        assert_eq!(meeting(&code, 0, 5, SpecId::OSAKA), None);
    }
}
