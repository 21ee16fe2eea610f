//! Calls end in time: whatever goes on for long jumps, calls, or does what is dear by itself, and there the clock is looked at.
//!
//! This costs nothing that could be measured, while an inspector that sees every instruction would halve the speed.
//!
//! There are two limits. The one of the server ([`Deadline::after`]) ends a call with an error. The other one ([`Deadline::brief`]) is so short
//! that a call may run where it came in; what does not end by then is begun again where it keeps nobody waiting. Brief calls look at the clock far
//! more often, and refuse at once what takes long in a single step: long memory to be hashed or copied, precompiles for cryptography.

use revm::{
    bytecode::opcode,
    context::Context,
    context_interface::{Database, JournalTr, LocalContextTr, context::ContextError},
    handler::instructions::EthInstructions,
    interpreter::{
        Host, Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        instructions::{arithmetic, contract, control, host, memory, system},
        interpreter::EthInterpreter,
    },
};
use std::time::{Duration, Instant};

/// Jumps between two looks at the clock: a few microseconds.
const INTERVAL: u32 = 1024;
/// The same for brief calls.
const BRIEF_INTERVAL: u32 = 64;
/// What a step that is dear by itself counts for, in jumps.
const DEAR: u32 = 16;
/// How long a brief call may take.
const BRIEF: Duration = Duration::from_micros(250);
/// Bytes that a brief call hashes or copies in one step, and gives to a precompile.
const BRIEF_BYTES: u64 = 8 * 1024;

/// When a call has to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    limit: Duration,
    begin: Instant,
    interval: u32,
    until_next_look: u32,
    most_bytes: u64,
}

impl Deadline {
    /// From now on; zero is no limit.
    pub(crate) fn after(limit: Duration) -> Self {
        let limit = if limit.is_zero() { Duration::MAX } else { limit };
        Self { limit, begin: Instant::now(), interval: INTERVAL, until_next_look: INTERVAL, most_bytes: u64::MAX }
    }

    /// Soon: for a call that others wait for.
    pub(crate) fn brief() -> Self {
        let (interval, most_bytes) = (BRIEF_INTERVAL, BRIEF_BYTES);
        Self { limit: BRIEF, begin: Instant::now(), interval, until_next_look: interval, most_bytes }
    }

    /// Whether time is over.
    pub(crate) fn is_over(&self) -> bool {
        self.begin.elapsed() >= self.limit
    }

    /// What a client is told then, in the words of geth.
    pub(crate) fn message(&self) -> String {
        format!("execution aborted (timeout = {:?})", self.limit)
    }

    /// Fails when time is over. `jumps` is what has been done since the last time, `bytes` how much is worked on in one step.
    fn tick(&mut self, jumps: u32, bytes: u64) -> Result<(), String> {
        if bytes > self.most_bytes {
            return Err(self.message());
        }
        self.until_next_look = self.until_next_look.saturating_sub(jumps);
        if self.until_next_look == 0 {
            self.until_next_look = self.interval;
            if self.is_over() {
                return Err(self.message());
            }
        }
        Ok(())
    }

    /// Fails if a precompile may take longer than there is time.
    pub(super) fn before_precompile(&mut self, number: Option<u8>, bytes: usize) -> Result<(), String> {
        /// ECRECOVER, SHA256, RIPEMD-160 and the identity; others may take milliseconds.
        const BRIEF_PRECOMPILES: std::ops::RangeInclusive<u8> = 1..=4;
        if self.most_bytes < u64::MAX && number.is_none_or(|number| !BRIEF_PRECOMPILES.contains(&number)) {
            return Err(self.message());
        }
        // The recovery of a sender takes some 50 µs.
        self.tick(self.interval, bytes as u64)
    }
}

/// Where the deadline is.
pub(super) trait HasDeadline {
    fn tick(&mut self, jumps: u32, bytes: u64) -> InstructionExecResult;
}

impl<BLOCK, TX, CFG, DB, JOURNAL, LOCAL> HasDeadline for Context<BLOCK, TX, CFG, DB, JOURNAL, Deadline, LOCAL>
where
    DB: Database,
    JOURNAL: JournalTr<Database = DB>,
    LOCAL: LocalContextTr,
{
    fn tick(&mut self, jumps: u32, bytes: u64) -> InstructionExecResult {
        self.chain.tick(jumps, bytes).map_err(|message| {
            self.error = Err(ContextError::Custom(message));
            InstructionResult::FatalExternalError
        })
    }
}

type Step<'a, H> = InstructionContext<'a, H, EthInterpreter>;

/// The number on the stack that says how many bytes a step works on. Nothing if it is missing or beyond all gas: the instruction fails then.
fn bytes<H>(step: &Step<'_, H>, place: usize) -> u64 {
    step.interpreter.stack.peek(place).ok().and_then(|size| size.try_into().ok()).unwrap_or(0)
}

/// Puts a look at the clock before instructions: their names, what one counts for, where on the stack its size is, and what it does.
macro_rules! look_before {
    ($table:ident: $($names:ident $(| $more:ident)* => $jumps:expr, $size:expr, $instruction:expr;)+) => {$({
        fn step<H: HasDeadline + Host>(step: Step<'_, H>) -> InstructionExecResult {
            let size: Option<usize> = $size;
            let bytes = size.map_or(0, |place| bytes(&step, place));
            step.host.tick($jumps, bytes)?;
            $instruction(step)
        }
        $table[usize::from(opcode::$names)] = Instruction::new(step::<H>);
        $($table[usize::from(opcode::$more)] = Instruction::new(step::<H>);)*
    })+};
}

/// Puts the look at the clock into the instructions. In which fork one begins is checked by the instruction itself.
pub(super) fn install<H: HasDeadline + Host>(instructions: &mut EthInstructions<EthInterpreter, H>) {
    let table = instructions.instruction_table_mut();
    look_before! { table:
        JUMP => 1, None, control::jump;
        JUMPI => 1, None, control::jumpi;
        EXP => 4, None, arithmetic::exp;
        SLOAD => DEAR, None, host::sload;
        SSTORE => DEAR, None, host::sstore;
        BALANCE => DEAR, None, host::balance;
        EXTCODESIZE => DEAR, None, host::extcodesize;
        EXTCODEHASH => DEAR, None, host::extcodehash;
        BLOCKHASH => DEAR, None, host::blockhash;
        SELFDESTRUCT => DEAR, None, host::selfdestruct;
        KECCAK256 => DEAR, Some(1), system::keccak256;
        CALLDATACOPY => DEAR, Some(2), system::calldatacopy;
        CODECOPY => DEAR, Some(2), system::codecopy;
        RETURNDATACOPY => DEAR, Some(2), system::returndatacopy;
        MCOPY => DEAR, Some(2), memory::mcopy;
        EXTCODECOPY => DEAR, Some(3), host::extcodecopy;
        CREATE => DEAR, Some(2), contract::create::<false, _, _>;
        CREATE2 => DEAR, Some(2), contract::create::<true, _, _>;
        CALL => DEAR, None, contract::call::<{ opcode::CALL }, _, _>;
        CALLCODE => DEAR, None, contract::call::<{ opcode::CALLCODE }, _, _>;
        DELEGATECALL => DEAR, None, contract::call::<{ opcode::DELEGATECALL }, _, _>;
        STATICCALL => DEAR, None, contract::call::<{ opcode::STATICCALL }, _, _>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brief_calls_do_nothing_long_in_one_step() {
        let (mut brief, mut patient) = (Deadline::brief(), Deadline::after(Duration::ZERO));
        brief.limit = Duration::MAX;
        for (deadline, ends) in [(&mut brief, true), (&mut patient, false)] {
            assert_eq!(deadline.tick(1, BRIEF_BYTES), Ok(()));
            assert_eq!(deadline.tick(1, BRIEF_BYTES + 1).is_err(), ends);
            assert_eq!(deadline.before_precompile(Some(1), 128), Ok(()));
            assert_eq!(deadline.before_precompile(Some(4), 1 << 20).is_err(), ends);
            assert_eq!(deadline.before_precompile(Some(5), 96).is_err(), ends, "MODEXP");
            assert_eq!(deadline.before_precompile(None, 0).is_err(), ends);
        }
    }

    #[test]
    fn the_clock_is_looked_at_after_so_many_jumps() {
        let mut deadline = Deadline { limit: Duration::from_nanos(1), ..Deadline::brief() };
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(deadline.tick(BRIEF_INTERVAL - 1, 0), Ok(()));
        assert!(deadline.tick(1, 0).is_err());
    }
}
