//! What every method works on.

use crate::slow::SlowCalls;
use alloy_primitives::U256;
use braid_chain::{Chain, ChainBlock, payload::PayloadAttributes};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Limits and settings of the methods.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcOptions {
    /// Most gas that a simulated call may use (`--rpc.gascap`), in gas.
    pub gas_cap: u64,
    /// Longest time that a slow call may take (`--rpc.evmtimeout`).
    pub call_timeout: Duration,
    /// Highest fee of a transaction that the node signs or sends, in wei (`--rpc.txfeecap`); zero is no limit.
    pub fee_cap: U256,
    /// Most logs in one answer; zero is no limit.
    pub max_logs: usize,
    /// Most blocks that one `eth_getLogs` may span; zero is no limit.
    pub max_log_blocks: u64,
    /// Slow calls that run at once.
    pub slow_calls: usize,
    /// Slow calls that wait for their turn; more are refused.
    pub waiting_calls: usize,
    /// After how long without a poll a filter is forgotten.
    pub filter_lifetime: Duration,
    /// Whether methods that change the chain at will are offered (`anvil_`, `hardhat_`, `evm_`), and accounts that the node signs for.
    pub development: bool,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            gas_cap: 50_000_000,
            call_timeout: Duration::from_secs(30),
            fee_cap: U256::ZERO,
            max_logs: 0,
            max_log_blocks: 0,
            slow_calls: std::thread::available_parallelism().map_or(2, usize::from),
            waiting_calls: 4096,
            filter_lifetime: Duration::from_secs(5 * 60),
            development: false,
        }
    }
}

/// What every method works on: the chain and what stands around it.
#[derive(Debug)]
pub struct Backend {
    chain: Arc<Chain>,
    options: RpcOptions,
    slow: Arc<SlowCalls>,
}

impl Backend {
    /// For a chain.
    pub fn new(chain: Arc<Chain>, options: RpcOptions) -> Arc<Self> {
        let slow = SlowCalls::new(options.slow_calls, options.waiting_calls, options.call_timeout);
        Arc::new(Self { chain, options, slow })
    }

    /// What a block on `parent` would be if it were made now.
    pub(crate) fn next_attributes(&self, parent: &ChainBlock) -> PayloadAttributes {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        PayloadAttributes {
            timestamp: now.max(parent.header().timestamp + 1),
            prev_randao: parent.header().mix_hash,
            fee_recipient: parent.header().beneficiary,
            ..PayloadAttributes::default()
        }
    }

    /// The chain.
    pub(crate) fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Limits and settings.
    pub(crate) const fn options(&self) -> &RpcOptions {
        &self.options
    }

    /// Where slow calls run.
    pub(crate) const fn slow(&self) -> &Arc<SlowCalls> {
        &self.slow
    }
}
