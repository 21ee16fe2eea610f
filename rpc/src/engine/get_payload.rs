//! `engine_getPayload`: the block that was built.

use super::{UNKNOWN_PAYLOAD, call, fork_at, unsupported_fork};
use crate::{Backend, MethodSet, RpcError};
use alloy_eips::eip7594::BlobTransactionSidecarVariant;
use alloy_hardforks::EthereumHardfork::{self, Amsterdam, Cancun, Osaka, Paris, Prague, Shanghai};
use alloy_primitives::B256;
use alloy_rpc_types_engine::{
    BlobsBundleV1, BlobsBundleV2, ExecutionPayload, ExecutionPayloadEnvelopeV2, ExecutionPayloadEnvelopeV3,
    ExecutionPayloadEnvelopeV4, ExecutionPayloadEnvelopeV5, ExecutionPayloadEnvelopeV6, ExecutionPayloadFieldV2,
    ExecutionPayloadV1, ExecutionPayloadV3, ExecutionPayloadV4, PayloadId,
};
use braid_chain::{
    ExecutionEngine,
    payload::{BuiltPayload, PayloadId as ChainPayloadId},
};
use braid_runtime::Block;
use std::sync::Arc;

pub(super) fn register(methods: &mut MethodSet) {
    call(
        methods,
        "engine_getPayloadV1(payloadId: PayloadId) -> ExecutionPayload",
        "A block of Paris that was built.",
        |backend, (id,): (PayloadId,)| {
            let built = find(backend, id, "getPayloadV1", |fork| fork == Paris)?;
            let (hash, block) = block_of(&built);
            Ok(ExecutionPayloadV1::from_block_unchecked(hash, &block))
        },
    );
    call(
        methods,
        "engine_getPayloadV2(payloadId: PayloadId) -> BuiltPayload",
        "A block of Paris or Shanghai that was built, with its value.",
        |backend, (id,): (PayloadId,)| {
            let built = find(backend, id, "getPayloadV2", |fork| fork <= Shanghai)?;
            let (hash, block) = block_of(&built);
            let execution_payload = match ExecutionPayload::from_block_unchecked(hash, &block).0 {
                ExecutionPayload::V2(payload) => ExecutionPayloadFieldV2::V2(payload),
                payload => ExecutionPayloadFieldV2::V1(payload.into_v1()),
            };
            Ok(ExecutionPayloadEnvelopeV2 { execution_payload, block_value: built.value })
        },
    );
    call(
        methods,
        "engine_getPayloadV3(payloadId: PayloadId) -> BuiltPayload",
        "A block of Cancun that was built, with its value and blobs.",
        |backend, (id,): (PayloadId,)| {
            let built = find(backend, id, "getPayloadV3", |fork| fork == Cancun)?;
            envelope_v3(backend, &built)
        },
    );
    call(
        methods,
        "engine_getPayloadV4(payloadId: PayloadId) -> BuiltPayload",
        "A block of Prague that was built, with its value, blobs and requests.",
        |backend, (id,): (PayloadId,)| {
            let built = find(backend, id, "getPayloadV4", |fork| fork == Prague)?;
            let envelope_inner = envelope_v3(backend, &built)?;
            Ok(ExecutionPayloadEnvelopeV4 { envelope_inner, execution_requests: built.requests.clone() })
        },
    );
    call(
        methods,
        "engine_getPayloadV5(payloadId: PayloadId) -> BuiltPayload",
        "A block of Osaka that was built, with its value, blobs with cell proofs, and requests.",
        |backend, (id,): (PayloadId,)| {
            let built = find(backend, id, "getPayloadV5", |fork| fork == Osaka)?;
            envelope_v5(backend, &built)
        },
    );
    call(
        methods,
        "engine_getPayloadV6(payloadId: PayloadId) -> BuiltPayload",
        "A block of Amsterdam that was built, with its value, blobs with cell proofs, and requests.",
        |backend, (id,): (PayloadId,)| {
            let built = find(backend, id, "getPayloadV6", |fork| fork == Amsterdam)?;
            let (hash, block) = block_of(&built);
            let inner = envelope_v5(backend, &built)?;
            Ok(ExecutionPayloadEnvelopeV6 {
                execution_payload: ExecutionPayloadV4::from_block_unchecked(hash, &block),
                block_value: inner.block_value,
                blobs_bundle: inner.blobs_bundle,
                should_override_builder: inner.should_override_builder,
                execution_requests: inner.execution_requests,
            })
        },
    );
}

fn find(
    backend: &Backend,
    id: PayloadId,
    version: &str,
    is_of_version: impl Fn(EthereumHardfork) -> bool,
) -> Result<Arc<BuiltPayload>, RpcError> {
    let built = backend.chain().payload(ChainPayloadId(id.0));
    let built = built.ok_or_else(|| RpcError::new(UNKNOWN_PAYLOAD, "Unknown payload"))?;
    let fork = fork_at(backend, built.block.header.timestamp);
    if is_of_version(fork) { Ok(built) } else { Err(unsupported_fork(version)) }
}

fn block_of(built: &BuiltPayload) -> (B256, Block) {
    let block = &built.block;
    (block.header.hash_slow(), Block { header: block.header.clone(), body: block.body.clone() })
}

fn envelope_v3(backend: &Backend, built: &BuiltPayload) -> Result<ExecutionPayloadEnvelopeV3, RpcError> {
    let (hash, block) = block_of(built);
    let sidecars = sidecars(backend, &block)?;
    let old = sidecars.iter().map(|sidecar| match &**sidecar {
        BlobTransactionSidecarVariant::Eip4844(sidecar) => Ok(sidecar.clone()),
        BlobTransactionSidecarVariant::Eip7594(_) => Err(RpcError::internal("a blob has only cell proofs")),
    });
    Ok(ExecutionPayloadEnvelopeV3 {
        execution_payload: ExecutionPayloadV3::from_block_unchecked(hash, &block),
        block_value: built.value,
        blobs_bundle: BlobsBundleV1::new(old.collect::<Result<Vec<_>, _>>()?),
        should_override_builder: false,
    })
}

/// A block with its value, its blobs with cell proofs, and its requests.
pub(crate) fn envelope_v5(backend: &Backend, built: &BuiltPayload) -> Result<ExecutionPayloadEnvelopeV5, RpcError> {
    let (hash, block) = block_of(built);
    let sidecars = sidecars(backend, &block)?;
    let new = sidecars.iter().map(|sidecar| match &**sidecar {
        BlobTransactionSidecarVariant::Eip7594(sidecar) => Ok(sidecar.clone()),
        BlobTransactionSidecarVariant::Eip4844(_) => Err(RpcError::internal("a blob has no cell proofs")),
    });
    Ok(ExecutionPayloadEnvelopeV5 {
        execution_payload: ExecutionPayloadV3::from_block_unchecked(hash, &block),
        block_value: built.value,
        blobs_bundle: BlobsBundleV2::new(new.collect::<Result<Vec<_>, _>>()?),
        should_override_builder: false,
        execution_requests: built.requests.clone(),
    })
}

/// The blobs of a block's transactions, in their order.
fn sidecars(backend: &Backend, block: &Block) -> Result<Vec<Arc<BlobTransactionSidecarVariant>>, RpcError> {
    let with_blobs = block.body.transactions.iter().filter(|transaction| transaction.is_eip4844());
    let sidecars = with_blobs.map(|transaction| {
        let sidecar = backend.pool().sidecar(transaction.tx_hash());
        sidecar.ok_or_else(|| RpcError::internal("the blobs of a transaction are gone"))
    });
    sidecars.collect()
}
