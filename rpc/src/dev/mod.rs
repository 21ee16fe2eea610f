//! `anvil_`, `hardhat_`, `evm_`: what development tools do to a chain.
//!
//! Each method is registered under the name that anvil gives it, and under those of Hardhat and Ganache where these have it too: `mining` makes blocks,
//! `time` sets the clock, `state` changes accounts, `erc20` tokens, `history` goes back, `reorg` makes another branch, `dump` takes the state out and in,
//! `blobs` shows blobs, `about` tells what node this is.

mod about;
mod blobs;
mod dump;
mod erc20;
mod history;
mod mining;
mod reorg;
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
    reorg::register(methods);
    blobs::register(methods);
    dump::register(methods);
    erc20::register(methods);
    about::register(methods);
}

impl Backend {
    /// Who makes the blocks.
    fn required_producer(&self) -> Result<&Arc<Producer>, RpcError> {
        self.producer().ok_or_else(|| RpcError::server("this node makes no blocks of its own"))
    }
}
