//! Ending in order when asked to: Ctrl-C (SIGINT) and SIGTERM.
//!
//! The first signal is only remembered; whoever works looks at it between two blocks. A second one ends the process at once,
//! which loses nothing that was written.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
};
use tokio::signal::unix::{SignalKind, signal};

/// A signal that asks to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt = 2,
    Terminate = 15,
}

impl Signal {
    /// Exit code of a process that a signal ended, as shells give it.
    pub(crate) const fn exit_code(self) -> u8 {
        128 + self as u8
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

/// The signal that came, if one did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    number: Arc<AtomicU8>,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> eyre::Result<Self> {
        let signals = Self::default();
        let number = Arc::clone(&signals.number);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _context = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        thread::Builder::new().name("braid-signals".to_owned()).spawn(move || {
            runtime.block_on(async move {
                loop {
                    let came = tokio::select! {
                        Some(()) = interrupt.recv() => Signal::Interrupt,
                        Some(()) = terminate.recv() => Signal::Terminate,
                        else => return,
                    };
                    if number.swap(came as u8, Ordering::Relaxed) != 0 {
                        std::process::exit(i32::from(came.exit_code()));
                    }
                }
            });
        })?;
        Ok(signals)
    }

    pub(crate) fn came(&self) -> Option<Signal> {
        match self.number.load(Ordering::Relaxed) {
            2 => Some(Signal::Interrupt),
            15 => Some(Signal::Terminate),
            _ => None,
        }
    }
}
