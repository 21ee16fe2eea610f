//! Blobs of transactions that the pool has or had. Blocks do not have them, so those of long ago are gone.

use crate::MethodSet;
use alloy_primitives::{B256, Bytes};

pub(super) fn register(methods: &mut MethodSet) {
    methods.quick(
        "anvil_getBlobByHash(hash: Hash) -> Bytes?",
        "The blob with a versioned hash.",
        |backend, (hash,): (B256,)| {
            let blob = backend.pool().blobs(&[hash]).pop().flatten();
            Ok(blob.and_then(|blob| Some(bytes(blob.sidecar.blobs().get(blob.index)?))))
        },
    );
    methods.quick(
        "anvil_getBlobsByTransactionHash(hash: Hash) -> Bytes[]?",
        "The blobs of a transaction.",
        |backend, (hash,): (B256,)| {
            let sidecar = backend.pool().sidecar(&hash);
            Ok(sidecar.map(|sidecar| sidecar.blobs().iter().map(bytes).collect::<Vec<_>>()))
        },
    );
}

fn bytes(blob: &alloy_eips::eip4844::Blob) -> Bytes {
    Bytes::copy_from_slice(blob.as_slice())
}
