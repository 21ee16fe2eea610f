//! `anvil_`, `hardhat_`, `evm_`: what development tools do to a chain.
//!
//! Each method is registered under the name that anvil gives it, and under those of Hardhat and Ganache where these have it too: `mining` makes blocks,
//! `time` sets the clock, `state` changes accounts, `history` goes back, `dump` takes the state out and in,
//! `about` tells what node this is.

mod about;
mod dump;
mod history;
mod mining;
mod state;
mod time;

use crate::{Backend, MethodSet, RpcError};
use braid_chain::Producer;
use std::sync::Arc;

/// Registers the methods.
pub(crate) fn register(methods: &mut MethodSet) {
    mining::register(methods);
    time::register(methods);
    state::register(methods);
    history::register(methods);
    dump::register(methods);
    about::register(methods);
}

impl Backend {
    /// Who makes the blocks.
    fn required_producer(&self) -> Result<&Arc<Producer>, RpcError> {
        self.producer().ok_or_else(|| RpcError::server("this node makes no blocks of its own"))
    }
}
