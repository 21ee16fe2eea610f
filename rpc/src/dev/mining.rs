//! Blocks are made, and it is said when.

use crate::{Backend, MethodSet, RpcError, eth::json::BlockJson, methods::Number};
use alloy_primitives::{Address, B256, U64};
use braid_chain::MiningMode;
use serde::Deserialize;
use serde_json::value::to_raw_value;
use std::time::Duration;

/// Most blocks that one call makes.
const MOST_BLOCKS: u64 = 1 << 20;

/// `evm_mine` takes a timestamp, or both a timestamp and a count.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum MineOptions {
    Timestamp(Number),
    Options {
        #[serde(default)]
        timestamp: Option<Number>,
        #[serde(default)]
        blocks: Option<Number>,
    },
}

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "anvil_mine(blocks?: Quantity, interval?: Quantity) -> Null",
        "Makes blocks; the interval between their timestamps is in seconds.",
        |backend, (blocks, interval): (Option<Number>, Option<Number>)| mine(backend, blocks, interval),
    );
    methods.slow(
        "hardhat_mine(blocks?: Quantity, interval?: Quantity) -> Bool",
        "Makes blocks; the interval between their timestamps is in seconds.",
        |backend, (blocks, interval): (Option<Number>, Option<Number>)| mine(backend, blocks, interval).map(|()| true),
    );
    methods.slow(
        "evm_mine(options?: MineOptions) -> Quantity",
        "Makes a block, with a timestamp in seconds if one is given.",
        |backend, (options,): (Option<MineOptions>,)| evm_mine(backend, options).map(|_| U64::ZERO),
    );
    methods.slow(
        "evm_mine_detailed(options?: MineOptions) -> Block[]",
        "Makes a block, and gives it.",
        |backend, (options,): (Option<MineOptions>,)| {
            let first = backend.chain().head().number + 1;
            evm_mine(backend, options)?;
            let last = backend.chain().head().number;
            let mut blocks = Vec::new();
            for number in first..=last {
                let Some(block) = backend.chain().block_by_number(number)? else { continue };
                let senders = backend.chain().block_senders(&block)?;
                blocks.push(to_raw_value(&BlockJson::new(&block, Some(senders))).map_err(RpcError::internal)?);
            }
            Ok(blocks)
        },
    );
    methods.alias("anvil_mine_detailed", "evm_mine_detailed");
    methods.quick(
        "evm_setAutomine(enabled: Bool) -> Bool",
        "Makes a block for each transaction from now on, or no longer.",
        |backend, (enabled,): (bool,)| set_automine(backend, enabled).map(|()| true),
    );
    methods.alias("anvil_setAutomine", "evm_setAutomine");
    methods.alias("hardhat_setAutomine", "evm_setAutomine");
    methods.quick("anvil_getAutomine() -> Bool", "Whether a block is made for each transaction.", |backend, (): ()| {
        Ok(backend.required_producer()?.mode() == MiningMode::Instant)
    });
    methods.alias("hardhat_getAutomine", "anvil_getAutomine");
    methods.quick(
        "evm_setIntervalMining(interval: Quantity) -> Bool",
        "Makes a block every so many seconds from now on; 0 makes none.",
        |backend, (interval,): (Number,)| {
            let mode = match interval.saturating_u64() {
                0 => MiningMode::Manual,
                seconds => MiningMode::Interval(Duration::from_secs(seconds)),
            };
            backend.required_producer()?.set_mode(mode);
            Ok(true)
        },
    );
    methods.alias("anvil_setIntervalMining", "evm_setIntervalMining");
    methods.quick(
        "anvil_getIntervalMining() -> Quantity?",
        "Seconds between blocks, if they are made at intervals.",
        |backend, (): ()| match backend.required_producer()?.mode() {
            MiningMode::Interval(interval) => Ok(Some(interval.as_secs().max(1))),
            MiningMode::Instant | MiningMode::Manual => Ok(None),
        },
    );
    methods.quick(
        "anvil_setCoinbase(address: Address) -> Bool",
        "Who gets the tips from now on.",
        |backend, (address,): (Address,)| {
            backend.required_producer()?.set_coinbase(address);
            Ok(true)
        },
    );
    methods.alias("hardhat_setCoinbase", "anvil_setCoinbase");
    methods.quick(
        "anvil_setNextBlockBaseFeePerGas(baseFee: Quantity) -> Bool",
        "Base fee of the next block, in wei.",
        |backend, (base_fee,): (Number,)| {
            let base_fee = u64::try_from(base_fee.0)
                .map_err(|_| RpcError::invalid_params("invalid argument 0: base fee above 2^64 wei"))?;
            backend.required_producer()?.set_next_base_fee(base_fee);
            Ok(true)
        },
    );
    methods.alias("hardhat_setNextBlockBaseFeePerGas", "anvil_setNextBlockBaseFeePerGas");
    methods.quick(
        "anvil_setMinGasPrice(price: Quantity) -> Bool",
        "Least gas price of transactions, in wei, on a chain before London; later the base fee is that (EIP-1559).",
        |backend, (price,): (Number,)| set_min_gas_price(backend, price),
    );
    methods.alias("hardhat_setMinGasPrice", "anvil_setMinGasPrice");
    methods.quick(
        "evm_setBlockGasLimit(gasLimit: Quantity) -> Bool",
        "Gas limit of the blocks to come, in gas.",
        |backend, (gas_limit,): (Number,)| {
            let gas_limit = gas_limit.saturating_u64();
            if gas_limit < 5000 || i64::try_from(gas_limit).is_err() {
                return Err(RpcError::invalid_params("invalid argument 0: a gas limit is between 5000 and 2^63 gas"));
            }
            backend.required_producer()?.set_gas_limit(gas_limit);
            Ok(true)
        },
    );
    methods.alias("anvil_setBlockGasLimit", "evm_setBlockGasLimit");
    methods.quick(
        "anvil_setNextBlockPrevRandao(prevRandao: Hash) -> Bool",
        "What PREVRANDAO gives in the next block.",
        |backend, (prev_randao,): (B256,)| {
            backend.required_producer()?.set_next_prev_randao(prev_randao);
            Ok(true)
        },
    );
    methods.alias("hardhat_setPrevRandao", "anvil_setNextBlockPrevRandao");
}

fn set_min_gas_price(backend: &Backend, price: Number) -> Result<bool, RpcError> {
    if backend.pending_header()?.base_fee_per_gas.is_some() {
        return Err(RpcError::invalid_params("anvil_setMinGasPrice is not supported when EIP-1559 is active"));
    }
    let price = u128::try_from(price.0);
    let price = price.map_err(|_| RpcError::invalid_params("invalid argument 0: a price above 2^128 wei"))?;
    backend.pool().set_minimum(price, price);
    Ok(true)
}

fn mine(backend: &Backend, blocks: Option<Number>, interval: Option<Number>) -> Result<(), RpcError> {
    let count = blocks.map_or(1, Number::saturating_u64);
    if count > MOST_BLOCKS {
        return Err(RpcError::invalid_params(format!("invalid argument 0: at most {MOST_BLOCKS} blocks at once")));
    }
    backend.required_producer()?.mine(count, interval.map(Number::saturating_u64))?;
    Ok(())
}

fn evm_mine(backend: &Backend, options: Option<MineOptions>) -> Result<(), RpcError> {
    let (timestamp, blocks) = match options {
        None => (None, None),
        Some(MineOptions::Timestamp(timestamp)) => (Some(timestamp), None),
        Some(MineOptions::Options { timestamp, blocks }) => (timestamp, blocks),
    };
    if let Some(timestamp) = timestamp {
        super::time::set_next_timestamp(backend, timestamp)?;
    }
    mine(backend, blocks, None)
}

fn set_automine(backend: &Backend, enabled: bool) -> Result<(), RpcError> {
    let producer = backend.required_producer()?;
    match (enabled, producer.mode()) {
        (true, _) => producer.set_mode(MiningMode::Instant),
        (false, MiningMode::Instant) => producer.set_mode(MiningMode::Manual),
        (false, MiningMode::Interval(_) | MiningMode::Manual) => {}
    }
    Ok(())
}
