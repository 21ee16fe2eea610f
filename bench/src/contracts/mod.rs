//! The real contracts that profiles run, and the state they start from.
//!
//! [`install`] lays out pinned npm packages through the committed script `bench/contracts/install.mjs`; [`Artifact`] is one
//! contract of them; [`Deployer`] runs deployments and set-up transactions with plain revm, so that every slot of a snapshot
//! was written by the contracts themselves.

mod artifact;
mod deployer;

pub use artifact::{Artifact, install, is_installed};
pub use deployer::{Deployer, arguments, genesis};

use alloy_primitives::{Address, Bytes};
use std::path::PathBuf;

/// Why the contracts of a profile could not be had or set up.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// node or npm is not there.
    #[error("{program} could not be started: install node and npm to run profiles with real contracts")]
    NoProgram {
        /// Program that is missing.
        program: &'static str,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The script ended with an error, which it has printed.
    #[error("installing the contracts failed ({0}); the lines above say why")]
    Install(std::process::ExitStatus),
    /// An artifact file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// An artifact file is not what it should be.
    #[error("{path} is not a contract artifact")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The bytecode is not hexadecimal, or a library it needs was not given.
    #[error("contract {name} cannot be linked: {reason}")]
    Link {
        /// Contract.
        name: String,
        /// What is missing.
        reason: String,
    },
    /// A set-up transaction did not succeed.
    #[error("setting up the contracts failed: {what} ended with {outcome} and output {output}")]
    Setup {
        /// Which step.
        what: String,
        /// How revm says it ended.
        outcome: String,
        /// Returned bytes, often a revert reason.
        output: Bytes,
    },
    /// A contract answered a set-up question with something that does not decode.
    #[error("contract {address} answered {what} with something that does not decode")]
    Decode {
        /// Contract asked.
        address: Address,
        /// Which call.
        what: &'static str,
        /// What is wrong.
        #[source]
        source: Box<alloy_sol_types::Error>,
    },
}
