//! `debug_traceTransaction`, `debug_traceBlock*`, `debug_traceCall`, `debug_traceCallMany`.

use super::{Tracer, block_by_hash};
use crate::{
    Backend, MethodSet, RpcError,
    replay::{Replay, replayed},
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable;
use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace, TraceResult};
use braid_chain::ChainBlock;
use braid_runtime::Block;
use revm_inspectors::tracing::TransactionContext;
use std::sync::Arc;

pub(super) fn register(methods: &mut MethodSet) {
    methods.slow(
        "debug_traceTransaction(hash: Hash, options?: TracerOptions) -> Trace",
        "What a transaction did, step by step or as another tracer tells it.",
        |backend, (hash, options): (B256, Option<GethDebugTracingOptions>)| trace_transaction(backend, hash, options),
    );
    methods.slow(
        "debug_traceBlockByNumber(block: BlockTag, options?: TracerOptions) -> Object[]",
        "What the transactions of a block did.",
        |backend, (number, options): (BlockNumberOrTag, Option<GethDebugTracingOptions>)| {
            let block = backend.block(Some(BlockId::Number(number)))?;
            let block = block.ok_or_else(|| RpcError::server(format!("block {number} not found")))?;
            trace_block(backend, &block, options)
        },
    );
    methods.slow(
        "debug_traceBlockByHash(hash: Hash, options?: TracerOptions) -> Object[]",
        "What the transactions of a block did.",
        |backend, (hash, options): (B256, Option<GethDebugTracingOptions>)| {
            trace_block(backend, &block_by_hash(backend, hash)?, options)
        },
    );
    methods.slow(
        "debug_traceBlock(block: Bytes, options?: TracerOptions) -> Object[]",
        "What the transactions of a block did that is given as RLP. The chain must have the block.",
        |backend, (rlp, options): (Bytes, Option<GethDebugTracingOptions>)| {
            let block = Block::decode(&mut rlp.as_ref());
            let block = block.map_err(|error| RpcError::server(format!("could not decode block: {error}")))?;
            trace_block(backend, &block_by_hash(backend, block.header.hash_slow())?, options)
        },
    );
}

fn context(block: &ChainBlock, index: usize) -> TransactionContext {
    let hash = *block.transactions()[index].tx_hash();
    TransactionContext { block_hash: Some(block.hash()), tx_index: Some(index), tx_hash: Some(hash) }
}

fn trace_transaction(
    backend: &Backend,
    hash: B256,
    options: Option<GethDebugTracingOptions>,
) -> Result<GethTrace, RpcError> {
    let (block, index) = backend.traced_transaction(&hash)?;
    let tracer = Tracer::new(backend, options.unwrap_or_default())?;
    replayed(|| {
        let mut replay = Replay::at(backend.chain(), &block, index, tracer.limits())?;
        let transacted = replay.inspect(tracer.inspector()?)?;
        let environment = replay.environment().clone();
        Ok(Tracer::finish(transacted, Some(context(&block, index)), replay.state_mut(), &environment)?.0)
    })
}

fn trace_block(
    backend: &Backend,
    block: &Arc<ChainBlock>,
    options: Option<GethDebugTracingOptions>,
) -> Result<Vec<TraceResult>, RpcError> {
    let tracer = Tracer::new(backend, options.unwrap_or_default())?;
    replayed(|| {
        backend.inspect_block(
            block,
            tracer.limits(),
            || tracer.inspector(),
            |index, transacted, state, environment| {
                let (trace, changes) = Tracer::finish(transacted, Some(context(block, index)), state, environment)?;
                Ok((TraceResult::new_success(trace, Some(*block.transactions()[index].tx_hash())), changes))
            },
        )
    })
}
