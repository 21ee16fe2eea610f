//! `engine_newPayload`: is this block valid?

use super::{
    call, fork_at,
    status::{invalid, status},
    unsupported_fork,
};
use crate::{Backend, MethodSet, RpcError};
use alloy_consensus::Transaction as _;
use alloy_eips::eip7685::Requests;
use alloy_hardforks::EthereumHardfork::{Amsterdam, Cancun, Osaka, Prague, Shanghai};
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_engine::{
    CancunPayloadFields, ExecutionPayload, ExecutionPayloadInputV2, ExecutionPayloadSidecar, ExecutionPayloadV3,
    ExecutionPayloadV4, PayloadStatus, PraguePayloadFields,
};
use braid_chain::ExecutionEngine;
use braid_runtime::{Block, Transaction};

pub(super) fn register(methods: &mut MethodSet) {
    call(
        methods,
        "engine_newPayloadV1(executionPayload: ExecutionPayload) -> PayloadStatus",
        "Validates a block of Paris.",
        |backend, (payload,): (ExecutionPayloadInputV2,)| {
            if payload.withdrawals.is_some() {
                return Err(RpcError::invalid_params("withdrawals not supported in V1"));
            }
            new_payload(backend, payload.into_payload(), &ExecutionPayloadSidecar::none())
        },
    );
    call(
        methods,
        "engine_newPayloadV2(executionPayload: ExecutionPayload) -> PayloadStatus",
        "Validates a block of Paris or Shanghai.",
        |backend, (payload,): (ExecutionPayloadInputV2,)| {
            let payload = payload.into_payload();
            let fork = fork_at(backend, payload.timestamp());
            if fork >= Cancun {
                return Err(unsupported_fork("newPayloadV2"));
            }
            if payload.withdrawals().is_some() != (fork >= Shanghai) {
                return Err(RpcError::invalid_params(
                    "withdrawals are part of a payload from Shanghai on, and only then",
                ));
            }
            new_payload(backend, payload, &ExecutionPayloadSidecar::none())
        },
    );
    call(
        methods,
        "engine_newPayloadV3(executionPayload: ExecutionPayload, expectedBlobVersionedHashes: Hash[], parentBeaconBlockRoot: Hash) -> PayloadStatus",
        "Validates a block of Cancun.",
        |backend, (payload, versioned_hashes, root): (ExecutionPayloadV3, Vec<B256>, B256)| {
            if fork_at(backend, payload.timestamp()) != Cancun {
                return Err(unsupported_fork("newPayloadV3"));
            }
            new_payload(
                backend,
                ExecutionPayload::V3(payload),
                &ExecutionPayloadSidecar::v3(cancun(versioned_hashes, root)),
            )
        },
    );
    call(
        methods,
        "engine_newPayloadV4(executionPayload: ExecutionPayload, expectedBlobVersionedHashes: Hash[], parentBeaconBlockRoot: Hash, executionRequests: Bytes[]) -> PayloadStatus",
        "Validates a block of Prague or Osaka.",
        |backend, (payload, versioned_hashes, root, requests): (ExecutionPayloadV3, Vec<B256>, B256, Vec<Bytes>)| {
            if !matches!(fork_at(backend, payload.timestamp()), Prague | Osaka) {
                return Err(unsupported_fork("newPayloadV4"));
            }
            let sidecar = ExecutionPayloadSidecar::v4(cancun(versioned_hashes, root), prague(requests)?);
            new_payload(backend, ExecutionPayload::V3(payload), &sidecar)
        },
    );
    call(
        methods,
        "engine_newPayloadV5(executionPayload: ExecutionPayload, expectedBlobVersionedHashes: Hash[], parentBeaconBlockRoot: Hash, executionRequests: Bytes[]) -> PayloadStatus",
        "Validates a block of Amsterdam.",
        |backend, (payload, versioned_hashes, root, requests): (ExecutionPayloadV4, Vec<B256>, B256, Vec<Bytes>)| {
            if fork_at(backend, payload.timestamp()) != Amsterdam {
                return Err(unsupported_fork("newPayloadV5"));
            }
            let sidecar = ExecutionPayloadSidecar::v4(cancun(versioned_hashes, root), prague(requests)?);
            new_payload(backend, ExecutionPayload::V4(payload), &sidecar)
        },
    );
}

const fn cancun(versioned_hashes: Vec<B256>, parent_beacon_block_root: B256) -> CancunPayloadFields {
    CancunPayloadFields { parent_beacon_block_root, versioned_hashes }
}

/// Each request has a type and content, and the types rise (EIP-7685).
fn prague(requests: Vec<Bytes>) -> Result<PraguePayloadFields, RpcError> {
    if requests.iter().any(|request| request.len() < 2) {
        return Err(RpcError::invalid_params("an execution request is empty"));
    }
    if !requests.is_sorted_by(|left, right| left.first() < right.first()) {
        return Err(RpcError::invalid_params("the types of the execution requests do not rise"));
    }
    Ok(PraguePayloadFields::new(Requests::new(requests)))
}

fn new_payload(
    backend: &Backend,
    payload: ExecutionPayload,
    sidecar: &ExecutionPayloadSidecar,
) -> Result<PayloadStatus, RpcError> {
    let hash = payload.block_hash();
    match block(payload, sidecar) {
        Ok(block) => Ok(status(backend.chain().new_payload(block)?, hash)),
        Err(reason) => Ok(invalid(reason)),
    }
}

/// The block, if it is the one that its hash and the versioned hashes are of.
fn block(payload: ExecutionPayload, sidecar: &ExecutionPayloadSidecar) -> Result<Block, String> {
    let expected = payload.block_hash();
    let block: Block =
        payload.try_into_block_with_sidecar::<Transaction>(sidecar).map_err(|error| error.to_string())?;
    let actual = block.header.hash_slow();
    if actual != expected {
        return Err(format!("blockhash mismatch, want {expected}, got {actual}"));
    }
    if let Some(expected) = sidecar.versioned_hashes() {
        let hashes = block.body.transactions.iter().filter_map(|transaction| transaction.blob_versioned_hashes());
        if hashes.flatten().ne(expected) {
            return Err("the versioned hashes are not those of the transactions".to_owned());
        }
    }
    Ok(block)
}
