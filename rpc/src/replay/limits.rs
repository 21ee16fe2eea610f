//! How long a trace may take and how large it may become.
//!
//! The tracers themselves know no end: a transaction of 30 million gas has some ten million steps, and each may be recorded with a thousand
//! words of stack. [`Watch`] goes with the inspector and stops the execution.

use super::ReplayError;
use revm::{
    Inspector,
    context_interface::{ContextError, ContextTr},
    interpreter::Interpreter,
};
use std::time::{Duration, Instant};

/// Largest trace, in bytes of memory.
const LARGEST_TRACE: usize = 1 << 30;
/// Steps between two looks at the clock.
const STEPS: u32 = 1024;
/// Bytes of a recorded step without its stack and memory.
const STEP_BYTES: usize = 256;

/// Limits of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    end: Instant,
    time: Duration,
    /// Whether the inspector keeps every step.
    records_steps: bool,
}

impl Limits {
    /// A call that begins now and may take so long.
    pub(crate) fn new(time: Duration) -> Self {
        let now = Instant::now();
        Self { end: now.checked_add(time).unwrap_or(now), time, records_steps: false }
    }

    /// The same for an inspector that keeps every step, with its stack.
    pub(crate) const fn recording_steps(mut self, records_steps: bool) -> Self {
        self.records_steps = records_steps;
        self
    }

    /// Whether the time is over.
    pub(crate) fn check(&self) -> Result<(), ReplayError> {
        if Instant::now() >= self.end { Err(ReplayError::Timeout(self.time)) } else { Ok(()) }
    }

    /// The inspector that keeps the limits.
    pub(crate) const fn watch(self) -> Watch {
        Watch { limits: self, steps: 0, bytes: 0, stopped: None }
    }
}

/// Stops an execution that meets a limit.
#[derive(Debug)]
pub(crate) struct Watch {
    limits: Limits,
    steps: u32,
    bytes: usize,
    stopped: Option<Stop>,
}

#[derive(Clone, Copy, Debug)]
enum Stop {
    Time,
    Size,
}

impl Watch {
    /// Which limit was met.
    pub(crate) const fn stopped(&self) -> Option<ReplayError> {
        match self.stopped {
            None => None,
            Some(Stop::Time) => Some(ReplayError::Timeout(self.limits.time)),
            Some(Stop::Size) => Some(ReplayError::TooLarge(LARGEST_TRACE)),
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for Watch {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut CTX) {
        self.steps += 1;
        if self.limits.records_steps {
            self.bytes += STEP_BYTES + 32 * interpreter.stack.len();
            if self.bytes > LARGEST_TRACE {
                self.stopped = Some(Stop::Size);
            }
        }
        if self.steps >= STEPS {
            self.steps = 0;
            if Instant::now() >= self.limits.end {
                self.stopped = Some(Stop::Time);
            }
        }
        if self.stopped.is_some() {
            if context.error().is_ok() {
                *context.error() = Err(ContextError::Custom("stopped".into()));
            }
            interpreter.halt_fatal();
        }
    }
}
