//! Calls end in time: whatever goes on for long jumps or calls, and there the clock is looked at.
//!
//! This costs nothing that could be measured, while an inspector that sees every instruction would halve the speed.

use revm::{
    bytecode::opcode::{CALL, DELEGATECALL, JUMP, JUMPI, STATICCALL},
    context::Context,
    context_interface::{Database, JournalTr, LocalContextTr, context::ContextError},
    handler::instructions::EthInstructions,
    interpreter::{
        Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        instructions::{contract, control},
        interpreter::EthInterpreter,
    },
};
use std::time::{Duration, Instant};

/// Jumps and calls between two looks at the clock: a few microseconds.
const INTERVAL: u32 = 1024;

/// When a call has to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    limit: Duration,
    begin: Instant,
    until_next_look: u32,
}

impl Deadline {
    /// From now on.
    pub(crate) fn after(limit: Duration) -> Self {
        Self { limit, begin: Instant::now(), until_next_look: INTERVAL }
    }

    /// Whether time is over; zero is no limit.
    pub(crate) fn is_over(&self) -> bool {
        !self.limit.is_zero() && self.begin.elapsed() >= self.limit
    }

    /// What a client is told then, in the words of geth.
    pub(crate) fn message(&self) -> String {
        format!("execution aborted (timeout = {:?})", self.limit)
    }

    fn tick(&mut self) -> Result<(), String> {
        self.until_next_look -= 1;
        if self.until_next_look == 0 {
            self.until_next_look = INTERVAL;
            if self.is_over() {
                return Err(self.message());
            }
        }
        Ok(())
    }
}

/// Where the deadline is.
pub(super) trait HasDeadline {
    fn tick(&mut self) -> InstructionExecResult;
}

impl<BLOCK, TX, CFG, DB, JOURNAL, LOCAL> HasDeadline for Context<BLOCK, TX, CFG, DB, JOURNAL, Deadline, LOCAL>
where
    DB: Database,
    JOURNAL: JournalTr<Database = DB>,
    LOCAL: LocalContextTr,
{
    fn tick(&mut self) -> InstructionExecResult {
        self.chain.tick().map_err(|message| {
            self.error = Err(ContextError::Custom(message));
            InstructionResult::FatalExternalError
        })
    }
}

type Step<'a, H> = InstructionContext<'a, H, EthInterpreter>;

fn jump<H: HasDeadline>(step: Step<'_, H>) -> InstructionExecResult {
    step.host.tick()?;
    control::jump(step)
}

fn jumpi<H: HasDeadline>(step: Step<'_, H>) -> InstructionExecResult {
    step.host.tick()?;
    control::jumpi(step)
}

fn call<const OPCODE: u8, H: HasDeadline + Host>(step: Step<'_, H>) -> InstructionExecResult {
    step.host.tick()?;
    contract::call::<OPCODE, _, _>(step)
}

/// Puts the look at the clock into the instructions.
pub(super) fn install<H: HasDeadline + Host>(instructions: &mut EthInstructions<EthInterpreter, H>) {
    let table = instructions.instruction_table_mut();
    table[usize::from(JUMP)] = Instruction::new(jump);
    table[usize::from(JUMPI)] = Instruction::new(jumpi);
    table[usize::from(CALL)] = Instruction::new(call::<CALL, _>);
    // In which fork an instruction begins is checked by the instruction itself.
    table[usize::from(DELEGATECALL)] = Instruction::new(call::<DELEGATECALL, _>);
    table[usize::from(STATICCALL)] = Instruction::new(call::<STATICCALL, _>);
}
