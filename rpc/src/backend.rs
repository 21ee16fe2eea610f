//! What every method works on.

use crate::{
    Accounts,
    eth::{FeeHistoryCache, GasPriceOracle},
    filters::Feed,
    slow::SlowCalls,
};
use alloy_primitives::{B256, U256, keccak256};
use braid_chain::{
    Chain, ChainBlock, PendingBlocks, Producer, TransactionPool,
    payload::{HeaderOverrides, PayloadAttributes},
};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// How long a pending block is shown where others make the blocks (geth's).
const PENDING_LIFETIME: Duration = Duration::from_secs(2);

/// Limits and settings of the methods.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcOptions {
    /// Most gas that a simulated call may use (`--rpc.gascap`), in gas.
    pub gas_cap: u64,
    /// Longest time that a slow call may take (`--rpc.evmtimeout`).
    pub call_timeout: Duration,
    /// Most that a transaction that is sent here may pay for its gas, in wei (`--rpc.txfeecap`); zero is no limit, and `None` leaves it to the pool.
    pub fee_cap: Option<U256>,
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
    /// Folder of the database, if it has one (`admin_datadir`).
    pub datadir: Option<PathBuf>,
}

impl Default for RpcOptions {
    fn default() -> Self {
        Self {
            gas_cap: 50_000_000,
            call_timeout: Duration::from_secs(30),
            fee_cap: None,
            max_logs: 0,
            max_log_blocks: 0,
            slow_calls: std::thread::available_parallelism().map_or(2, usize::from),
            waiting_calls: 4096,
            filter_lifetime: Duration::from_secs(5 * 60),
            development: false,
            datadir: None,
        }
    }
}

/// What every method works on: the chain and what stands around it.
#[derive(Debug)]
pub struct Backend {
    chain: Arc<Chain>,
    pool: Arc<TransactionPool>,
    producer: Option<Arc<Producer>>,
    accounts: Accounts,
    options: RpcOptions,
    slow: Arc<SlowCalls>,
    /// Where nobody here makes blocks.
    pending_blocks: PendingBlocks,
    /// Tells this process from every other.
    instance: B256,
    gas_prices: GasPriceOracle,
    fee_histories: FeeHistoryCache,
    /// Changes when the head has moved.
    moves: watch::Receiver<()>,
    feed: Arc<Feed>,
}

impl Backend {
    /// For a chain and its pool. A producer is there where the node makes its own blocks.
    pub fn new(
        chain: Arc<Chain>,
        pool: Arc<TransactionPool>,
        producer: Option<Arc<Producer>>,
        accounts: Accounts,
        options: RpcOptions,
    ) -> Arc<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let instance = keccak256([now.to_be_bytes(), u128::from(std::process::id()).to_be_bytes()].concat());
        if let Some(cap) = options.fee_cap {
            pool.set_fee_cap(Some(cap).filter(|cap| !cap.is_zero()));
        }
        let slow = SlowCalls::new(options.slow_calls, options.waiting_calls);
        let (gas_prices, fee_histories) = <_>::default();
        let (moved, moves) = watch::channel(());
        chain.watch_head(move |_| {
            moved.send_replace(());
        });
        let feed = Feed::new(&chain, &pool, options.filter_lifetime);
        Arc::new(Self {
            chain,
            pool,
            producer,
            accounts,
            options,
            slow,
            pending_blocks: PendingBlocks::lasting(PENDING_LIFETIME),
            instance,
            gas_prices,
            fee_histories,
            moves,
            feed,
        })
    }

    /// What a block on `parent` would be if it were made now.
    pub(crate) fn next_attributes(&self, parent: &ChainBlock) -> (PayloadAttributes, HeaderOverrides) {
        if let Some(producer) = &self.producer {
            return producer.next_attributes(parent);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let attributes = PayloadAttributes {
            timestamp: now.max(parent.header().timestamp + 1),
            prev_randao: parent.header().mix_hash,
            fee_recipient: parent.header().beneficiary,
            ..PayloadAttributes::default()
        };
        (attributes, HeaderOverrides::default())
    }

    /// Changes each time the head has moved.
    pub(crate) fn head_moves(&self) -> watch::Receiver<()> {
        self.moves.clone()
    }

    /// The chain.
    pub(crate) fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Transactions that wait.
    pub(crate) const fn pool(&self) -> &Arc<TransactionPool> {
        &self.pool
    }

    /// Who makes the blocks, if that is this node.
    pub(crate) const fn producer(&self) -> Option<&Arc<Producer>> {
        self.producer.as_ref()
    }

    /// Accounts that the node signs for.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Tells this process from every other.
    pub(crate) const fn instance(&self) -> B256 {
        self.instance
    }

    /// Where events come from.
    pub(crate) const fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Limits and settings.
    pub(crate) const fn options(&self) -> &RpcOptions {
        &self.options
    }

    /// Who builds the block that would be made now.
    pub(crate) fn pending_blocks(&self) -> &PendingBlocks {
        self.producer.as_ref().map_or(&self.pending_blocks, |producer| producer.pending_blocks())
    }

    /// Where slow calls run.
    pub(crate) const fn slow(&self) -> &Arc<SlowCalls> {
        &self.slow
    }

    /// What to offer for a transaction.
    pub(crate) const fn gas_prices(&self) -> &GasPriceOracle {
        &self.gas_prices
    }

    /// What was paid in recent blocks.
    pub(crate) const fn fee_histories(&self) -> &FeeHistoryCache {
        &self.fee_histories
    }
}
