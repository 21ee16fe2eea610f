//! `engine_getBlobs`: blobs that the pool has.

use super::{TOO_LARGE, call, fork_at, unsupported_fork};
use crate::{Backend, MethodSet, RpcError};
use alloy_eips::eip4844::BlobAndProofV2;
use alloy_hardforks::EthereumHardfork::Osaka;
use alloy_primitives::B256;
use braid_chain::pool::PooledBlob;

/// Most blobs that are given at once.
const MAX_BLOBS: usize = 128;

pub(super) fn register(methods: &mut MethodSet) {
    call(
        methods,
        "engine_getBlobsV1(blobVersionedHashes: Hash[]) -> BlobAndProof[]",
        "Blobs with their proofs; null for those that are not known.",
        |backend, (hashes,): (Vec<B256>,)| {
            let found = find(backend, &hashes)?;
            if is_osaka(backend) {
                return Err(unsupported_fork("getBlobsV1"));
            }
            Ok(found.iter().map(|blob| blob.as_ref()?.with_proof()).collect::<Vec<_>>())
        },
    );
    call(
        methods,
        "engine_getBlobsV2(blobVersionedHashes: Hash[]) -> BlobAndProof[]?",
        "Blobs with their cell proofs; null if not all of them are known.",
        |backend, (hashes,): (Vec<B256>,)| Ok(with_cells(backend, &hashes)?.into_iter().collect::<Option<Vec<_>>>()),
    );
    call(
        methods,
        "engine_getBlobsV3(blobVersionedHashes: Hash[]) -> BlobAndProof[]",
        "Blobs with their cell proofs; null for those that are not known.",
        |backend, (hashes,): (Vec<B256>,)| with_cells(backend, &hashes),
    );
}

fn find(backend: &Backend, hashes: &[B256]) -> Result<Vec<Option<PooledBlob>>, RpcError> {
    if hashes.len() > MAX_BLOBS {
        return Err(RpcError::new(TOO_LARGE, format!("Too large request: at most {MAX_BLOBS} blobs at once")));
    }
    Ok(backend.pool().blobs(hashes))
}

fn with_cells(backend: &Backend, hashes: &[B256]) -> Result<Vec<Option<BlobAndProofV2>>, RpcError> {
    let found = find(backend, hashes)?;
    if !is_osaka(backend) {
        return Err(unsupported_fork("getBlobs with cell proofs"));
    }
    Ok(found.iter().map(|blob| blob.as_ref()?.with_cell_proofs()).collect())
}

/// Proofs are of cells from Osaka on (EIP-7594).
fn is_osaka(backend: &Backend) -> bool {
    let head = backend.chain().head_block();
    head.is_ok_and(|head| fork_at(backend, head.header().timestamp) >= Osaka)
}
