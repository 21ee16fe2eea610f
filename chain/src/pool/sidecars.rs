//! Blobs: whether their proofs hold, where one is found, and those that are remembered after their transaction left the pool.

use super::{Origin, PoolError, PooledTransaction, TransactionPool};
use alloy_eips::{
    eip4844::{BlobAndProofV1, BlobAndProofV2, c_kzg},
    eip7594::{BlobTransactionSidecarVariant, CELLS_PER_EXT_BLOB, Encodable7594},
};
use alloy_primitives::{B256, map::B256Map};
use revm::primitives::hardfork::SpecId;
use std::{collections::VecDeque, sync::Arc};

/// A blob with its commitment and its proofs, somewhere in a sidecar.
#[derive(Clone, Debug)]
pub struct PooledBlob {
    /// The sidecar of its transaction.
    pub sidecar: Arc<BlobTransactionSidecarVariant>,
    /// Its index there.
    pub index: usize,
}

impl PooledBlob {
    /// The blob with its proof, as `engine_getBlobsV1` gives it; `None` if the sidecar has cell proofs.
    pub fn with_proof(&self) -> Option<BlobAndProofV1> {
        let BlobTransactionSidecarVariant::Eip4844(sidecar) = &*self.sidecar else { return None };
        let (blob, proof) = sidecar.blobs.get(self.index).zip(sidecar.proofs.get(self.index))?;
        Some(BlobAndProofV1 { blob: Box::new(*blob), proof: *proof })
    }

    /// The blob with its cell proofs, as `engine_getBlobsV2` gives it; `None` if the sidecar has none (EIP-7594).
    pub fn with_cell_proofs(&self) -> Option<BlobAndProofV2> {
        let BlobTransactionSidecarVariant::Eip7594(sidecar) = &*self.sidecar else { return None };
        let first = self.index * CELLS_PER_EXT_BLOB;
        let proofs = sidecar.cell_proofs.get(first..first + CELLS_PER_EXT_BLOB)?;
        Some(BlobAndProofV2 { blob: Box::new(*sidecar.blobs.get(self.index)?), proofs: proofs.to_vec() })
    }
}

/// Sidecars of transactions that are no longer in the pool; the oldest are forgotten first.
#[derive(Debug)]
pub(super) struct KeptSidecars {
    sidecars: B256Map<Arc<BlobTransactionSidecarVariant>>,
    /// Transactions with a blob, by its versioned hash.
    blobs: B256Map<B256>,
    order: VecDeque<B256>,
    bytes: usize,
    limit: usize,
}

impl KeptSidecars {
    /// At most so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { sidecars: B256Map::default(), blobs: B256Map::default(), order: VecDeque::new(), bytes: 0, limit }
    }

    pub(super) fn get(&self, transaction: &B256) -> Option<Arc<BlobTransactionSidecarVariant>> {
        self.sidecars.get(transaction).cloned()
    }

    pub(super) fn insert(&mut self, transaction: B256, sidecar: Arc<BlobTransactionSidecarVariant>) {
        let bytes = sidecar.encode_7594_len();
        sidecar.versioned_hashes().for_each(|hash| {
            self.blobs.insert(hash, transaction);
        });
        if self.sidecars.insert(transaction, sidecar).is_some() {
            return;
        }
        self.bytes += bytes;
        self.order.push_back(transaction);
        while self.bytes > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            let Some(forgotten) = self.sidecars.remove(&oldest) else { continue };
            self.bytes -= forgotten.encode_7594_len();
            for hash in forgotten.versioned_hashes() {
                if self.blobs.get(&hash) == Some(&oldest) {
                    self.blobs.remove(&hash);
                }
            }
        }
    }

    /// A sidecar with the blob of this versioned hash.
    pub(super) fn with_blob(&self, versioned_hash: &B256) -> Option<&Arc<BlobTransactionSidecarVariant>> {
        self.sidecars.get(self.blobs.get(versioned_hash)?)
    }
}

/// Size of the tables that make proofs of cells quicker: none. With the usual ones the first blob transaction waits seconds for them, and the node has 100 MB more for
/// ever; verifying does not need them.
const NO_TABLES: u64 = 0;

/// Checks blobs, commitments and proofs against the transaction. From Osaka on proofs are of cells (EIP-7594); what a local user sends with the proofs
/// of before gets them here, as geth does it.
pub(super) fn check(
    transaction: PooledTransaction,
    fork: SpecId,
    origin: Origin,
) -> Result<PooledTransaction, PoolError> {
    let has_cells = fork.is_enabled_in(SpecId::OSAKA);
    transaction.try_map_eip4844(|transaction| {
        let (transaction, sidecar) = transaction.into_parts();
        let settings = c_kzg::ethereum_kzg_settings(NO_TABLES);
        let validate = |sidecar: &BlobTransactionSidecarVariant| {
            let result = sidecar.validate(&transaction.blob_versioned_hashes, settings);
            result.map_err(|error| PoolError::Sidecar(Arc::new(error)))
        };
        let version = match sidecar {
            BlobTransactionSidecarVariant::Eip4844(_) => 0,
            BlobTransactionSidecarVariant::Eip7594(_) => 1,
        };
        let sidecar = match (version, has_cells) {
            (0, true) if origin == Origin::Local => {
                validate(&sidecar)?;
                let converted = sidecar.try_convert_into_eip7594_with_settings(settings);
                converted.map_err(|error| PoolError::Sidecar(Arc::new(error.into())))?
            }
            (0, false) | (1, true) => {
                validate(&sidecar)?;
                sidecar
            }
            (got, _) => return Err(PoolError::SidecarVersion { want: u8::from(has_cells), got }),
        };
        Ok(transaction.with_sidecar(sidecar))
    })
}

impl TransactionPool {
    /// The blobs with these versioned hashes, each if it is known: of transactions in the pool, and of those that left it not long ago.
    pub fn blobs(&self, versioned_hashes: &[B256]) -> Vec<Option<PooledBlob>> {
        let book = self.book.lock();
        versioned_hashes.iter().map(|hash| book.blob(hash)).collect()
    }

    /// The sidecar of a blob transaction that is in the pool, or left it not long ago: for the bundle of a block that was built.
    pub fn sidecar(&self, transaction: &B256) -> Option<Arc<BlobTransactionSidecarVariant>> {
        self.book.lock().sidecar(transaction)
    }
}
