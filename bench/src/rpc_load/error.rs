//! Why a load could not be run.

use crate::contracts::ContractError;
use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// Why a load could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The program of a node cannot be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// Program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A node ended by itself.
    #[error("{name} ended with {status}: {output}")]
    Ended {
        /// Node.
        name: String,
        /// How it ended.
        status: ExitStatus,
        /// The last that it wrote on its error stream.
        output: String,
    },
    /// A node does not answer.
    #[error("{name} gave no answer for {waited:?}")]
    Silent {
        /// Node.
        name: String,
        /// How long was waited.
        waited: Duration,
    },
    /// A connection failed.
    #[error("connection to the node: {0}")]
    Connection(#[from] io::Error),
    /// A reply is not what the method should return.
    #[error("{method} returned {reply}")]
    Reply {
        /// Method.
        method: String,
        /// What came back.
        reply: String,
    },
    /// A node refused a call.
    #[error("{method} failed: {message} ({code})")]
    Refused {
        /// Method.
        method: String,
        /// JSON-RPC code.
        code: i64,
        /// Message of the node.
        message: String,
    },
    /// A transaction of the set-up was not executed.
    #[error("setting up: {what}")]
    Setup {
        /// Which one, and what happened.
        what: String,
    },
    /// The contracts cannot be had.
    #[error(transparent)]
    Contracts(#[from] ContractError),
    /// A key cannot be derived.
    #[error("deriving the accounts: {0}")]
    Keys(#[from] alloy_signer_local::LocalSignerError),
    /// anvil cannot be fetched.
    #[error("fetching anvil with npm failed ({status}); give its program with --anvil")]
    Fetch {
        /// How npm or tar ended.
        status: ExitStatus,
    },
}
